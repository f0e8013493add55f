"""Virtual Jetsons by hand: python -m tests.lab VERB ...; needs root. README.md shows a session."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tests.lab import fleet, network
from tests.lab.machine import LabError, packages
from tests.lab.place import Place
from tests.lab.root_layers import PYTHONS
from tests.lab.virtual_jetson import VirtualJetson

CANNOT_RUN_HERE = 77  # as automake has it


def _doctor(place: Place, options: argparse.Namespace) -> int:
    """say whether devices can be booted on this machine; exit status 77 where they cannot"""
    reasons = fleet.reasons_against()
    for reason in reasons:
        print(f"lab: {reason}", file=sys.stderr)
    if not reasons:
        print(f"lab: can run here; it keeps its things in {place.home}")
    return CANNOT_RUN_HERE if reasons else 0


def _packages(place: Place, options: argparse.Namespace) -> int:
    """list the Debian packages that the lab needs"""
    print(*packages())
    return 0


def _base(place: Place, options: argparse.Namespace) -> int:
    """make what all devices share, once"""
    started = time.monotonic()
    fleet.prepare(place)
    print(f"{place.layers} ({time.monotonic() - started:.1f} s)")
    return 0


def _up(place: Place, options: argparse.Namespace) -> int:
    """make a device and boot it; boot the one of that name where it is off"""
    started = time.monotonic()
    known = {device.name: device for device in fleet.devices(place)}
    device = known.get(options.name) or fleet.create(place, options.board, options.name, options.disk_mib)
    device.power_on()
    print(f"{device.name} {device.address} {device.host_key_fingerprint} ({time.monotonic() - started:.2f} s)")
    return 0


def _down(place: Place, options: argparse.Namespace) -> int:
    """throw devices away with their disks; --all: the whole lab, and what a killed run left"""
    for name in options.name:
        fleet.remove_device(VirtualJetson.load(place, name))
    if options.all:
        fleet.remove_all(place)
    return 0


def _list(place: Place, options: argparse.Namespace) -> int:
    """list the devices"""
    for device in fleet.devices(place):
        state = "on" if device.is_on else "off"
        named = f"{device.name:<12} {device.address:<12} {device.record.board:<10}"
        print(f"{named} {state:<4} {device.host_key_fingerprint}")
    return 0


def _exec(place: Place, options: argparse.Namespace) -> int:
    """run a command in a device as root, past the network"""
    argv = VirtualJetson.load(place, options.name).inside(options.command, os.environ.get("TERM", "dumb"))
    os.execvp(argv[0], argv)


def _ssh(place: Place, options: argparse.Namespace) -> int:
    """log in over the network, or run a command there"""
    name = VirtualJetson.load(place, options.name).name
    return network.enter(place.lab, ["ssh", "-F", str(place.folder / "ssh_config"), name, *options.command])


def _enter(place: Place, options: argparse.Namespace) -> int:
    """run a command on the operator's side of the network"""
    with place.lock():
        network.make_operator_side(place.lab)
    return network.enter(place.lab, options.command or [os.environ.get("SHELL", "/bin/sh")])


def _session(place: Place, options: argparse.Namespace) -> int:
    """run a command on the operator's side of an empty lab, and throw the lab away"""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with place.session():
        fleet.remove_all(place)
        fleet.prepare(place)
        try:
            return _enter(place, options)
        finally:
            fleet.remove_all(place)


def _slow(place: Place, options: argparse.Namespace) -> int:
    """limit the rate of a device's link, lose packets on it"""
    VirtualJetson.load(place, options.name).slow(options.rate_mbit, options.loss_pct)
    return 0


def _diskfull(place: Place, options: argparse.Namespace) -> int:
    """fill a device's disk"""
    VirtualJetson.load(place, options.name).fill_disk(options.leave_mib)
    return 0


def _image(place: Place, options: argparse.Namespace) -> int:
    """save a device's disk as a power loss would leave it now"""
    VirtualJetson.load(place, options.name).image_copy(options.path)
    return 0


# What needs nothing but the device's name: verb, method of VirtualJetson, help.
_SIMPLE = (
    ("powerloss", "power_loss", "kill all of a device at once; what was not on its disk is lost"),
    ("on", "power_on", "boot a device that is off"),
    ("off", "power_off", "shut a device down in order"),
    ("reboot", "reboot", "restart a device in order"),
    ("cut", "cut", "pull a device's network cable"),
    ("heal", "heal", "undo cut and slow"),
    ("diskfree", "free_disk", "undo diskfull"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, act: object, help: str | None = None, device: bool = False) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help or act.__doc__, description=help or act.__doc__)
        made.set_defaults(act=act)
        if device:
            made.add_argument("name")
        return made

    verb("doctor", _doctor)
    verb("packages", _packages)
    verb("base", _base)
    up = verb("up", _up)
    up.add_argument("board", choices=list(PYTHONS))
    up.add_argument("name", nargs="?")
    up.add_argument("--disk-mib", type=int, default=fleet.DISK_MIB)
    down = verb("down", _down)
    down.add_argument("name", nargs="*")
    down.add_argument("--all", action="store_true")
    verb("list", _list)
    for name, act in (("exec", _exec), ("ssh", _ssh)):
        verb(name, act, device=True).add_argument("command", nargs=argparse.REMAINDER)
    for name, act in (("enter", _enter), ("session", _session)):
        verb(name, act).add_argument("command", nargs=argparse.REMAINDER)
    for name, method, help in _SIMPLE:
        verb(name, method, help, device=True)
    slow = verb("slow", _slow, device=True)
    slow.add_argument("--rate-mbit", type=float)
    slow.add_argument("--loss-pct", type=float, default=0.0)
    verb("diskfull", _diskfull, device=True).add_argument("--leave-mib", type=float, default=0.0)
    verb("image", _image, device=True).add_argument("path", type=Path)
    return parser


def main() -> int:
    """Do what the command line says; its exit status."""
    options = _parser().parse_args()
    if getattr(options, "command", [])[:1] == ["--"]:
        options.command = options.command[1:]
    try:
        place = Place.from_environment()
        if os.geteuid() != 0 and options.act not in (_doctor, _packages):
            raise LabError("this is not root: `doctor` says what is needed")
        if isinstance(options.act, str):
            getattr(VirtualJetson.load(place, options.name), options.act)()
            return 0
        return int(options.act(place, options))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
