"""The lab's network: name spaces, a bridge and cables. Nothing in it has a route to anywhere else.

The operator's name space holds the bridge; whoever is to reach a device runs in it. Each device has a name space of its
own with one end of a cable, its eth0. Needs root.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import LabError, is_mounted, run
from tests.lab.place import digest_of

SUBNET = "10.88.0"
OPERATOR = f"{SUBNET}.1"
_NAMED = Path("/run/netns")


def is_up(namespace: str) -> bool:
    """Whether this name space exists."""
    return is_mounted(_NAMED / namespace)


def is_inside(namespace: str) -> bool:
    """Whether this process runs in it."""
    return is_up(namespace) and (_NAMED / namespace).stat().st_ino == Path("/proc/self/ns/net").stat().st_ino


def inside(namespace: str, command: list[str]) -> list[str]:
    """The command that runs `command` in it."""
    return ["nsenter", f"--net={_NAMED / namespace}", *command]


def make_operator_side(lab: str) -> None:
    """The name space with the bridge, where there is none yet."""
    if is_up(lab):
        return
    _add(lab)
    run("ip", "-n", lab, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    run("ip", "-n", lab, "addr", "add", f"{OPERATOR}/24", "dev", "br0")
    run("ip", "-n", lab, "link", "set", "br0", "up")


def names_of(lab: str) -> list[str]:
    """Every name space of this lab, the operator's last."""
    names = [path.name for path in _NAMED.iterdir()] if _NAMED.is_dir() else []
    return sorted((name for name in names if name == lab or name.startswith(f"{lab}.")), reverse=True)


def remove(namespace: str) -> None:
    """Delete a name space with all in it; fine where there is none."""
    run("ip", "netns", "delete", namespace, check=False)


def _add(namespace: str) -> None:
    (_NAMED / namespace).unlink(missing_ok=True)  # left from before this machine was restarted
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")


@dataclass(frozen=True)
class Cable:
    """The cable between the operator's bridge and one device."""

    lab: str
    device: str
    address: str

    @property
    def namespace(self) -> str:
        """The device's side."""
        return f"{self.lab}.{self.device}"

    @property
    def plug(self) -> str:
        """Its end at the bridge."""
        return f"v-{self.device}"

    def lay(self) -> None:
        """Lay it, plugged in; fine where it lies already."""
        if is_up(self.namespace):
            return
        _add(self.namespace)
        pair = ("type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "-n", self.lab, "link", "add", self.plug, *pair)
        run("ip", "-n", self.lab, "link", "set", self.plug, "master", "br0", "up")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "address", self._hardware_address())
        run("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up")

    def _hardware_address(self) -> str:
        digits = digest_of(self.lab, self.device)
        return ":".join(["02", "00", *(digits[at : at + 2] for at in range(0, 8, 2))])

    def take_away(self) -> None:
        """Nothing answers any more, and nobody says goodbye to open connections."""
        self.pull()
        remove(self.namespace)
        run("ip", "-n", self.lab, "link", "delete", self.plug, check=False)

    def pull(self) -> None:
        """Unplug it at the bridge."""
        run("ip", "-n", self.lab, "link", "set", self.plug, "down", check=False)

    def plug_in(self) -> None:
        """Plug it in again."""
        run("ip", "-n", self.lab, "link", "set", self.plug, "up")
        # Or the next connection fails at once, with the neighbour remembered as unreachable.
        run("ip", "-n", self.lab, "neigh", "flush", "to", self.address)

    def shape(self, rate_mbit: float | None, loss_pct: float) -> None:
        """Limit it to a rate and lose packets on it, both ways; None and 0: neither."""
        for namespace, interface in ((self.lab, self.plug), (self.namespace, "eth0")):
            run("tc", "-n", namespace, "qdisc", "delete", "dev", interface, "root", check=False)
            if rate_mbit is not None:
                bucket = ("tbf", "rate", f"{rate_mbit:g}mbit", "burst", "32kb", "latency", "50ms")
                run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", *bucket)
        self._lose(loss_pct)

    def _lose(self, loss_pct: float) -> None:
        """By the packet filter: not every kernel has netem."""
        nft = inside(self.namespace, ["nft"])
        run(*nft, "delete", "table", "inet", "lab", check=False)
        if loss_pct:
            dice = f"numgen random mod 10000 < {round(loss_pct * 100)} drop"
            coming = f"chain input {{ type filter hook input priority 0; iifname eth0 {dice}; }}"
            going = f"chain output {{ type filter hook output priority 0; oifname eth0 {dice}; }}"
            run(*nft, "-f", "-", input=f"table inet lab {{\n{coming}\n{going}\n}}\n")


def enter(lab: str, command: list[str]) -> int:
    """Run a command on the operator's side, with this terminal; its exit status."""
    if not is_up(lab):
        raise LabError(f"the lab {lab!r} is not up: python -m tests.lab up xavier-nx")
    return subprocess.run(inside(lab, command), env={**os.environ, "EDGEKIT_LAB": lab}).returncode
