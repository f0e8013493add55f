"""All devices of a lab: made, listed, thrown away."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from tests.lab.base import USER, build_base
from tests.lab.container import forget, kill_cgroup, lab_cgroups, remove_cgroup
from tests.lab.machine import LabError, lacking, mounts, run
from tests.lab.network import OPERATOR, SUBNET, make_operator_side, names_of, remove
from tests.lab.place import Place, checked_name, make_key
from tests.lab.root_layers import PYTHONS, layers_of, missing_pythons
from tests.lab.virtual_jetson import Record, VirtualJetson

MOST = 20
DISK_MIB = 4096
_FIRST_ADDRESS = 10


def reasons_against() -> list[str]:
    """Why there can be no lab here; empty where there can."""
    return lacking() or missing_pythons()


def prepare(place: Place) -> None:
    """Make all that devices share, while there is a network (30 s the first time)."""
    with place.lock():
        build_base(place)
        for board in PYTHONS:
            layers_of(place, board)


def devices(place: Place) -> list[VirtualJetson]:
    """The devices of this lab by name, on or off."""
    return [VirtualJetson.load(place, path.parent.name) for path in sorted(place.folder.glob("*/device.json"))]


def create(
    place: Place, board: str, name: str | None = None, disk_mib: int = DISK_MIB, image: Path | None = None
) -> VirtualJetson:
    """A new device, off. name: the board's, with a number if it is taken; image: a saved disk to start with.

    Raises LabError where the lab is full, the name is taken, or there is no such board.
    """
    with place.lock():
        device = _enter(place, board, name)
    try:
        if image is not None:
            device.insert_image(image)
        else:
            device.disk.make(disk_mib)
        device.disk.mount([Path(layer) for layer in device.record.layers])
        _furnish(device, is_new=image is None)
        device.disk.sync()
        device.save()
    except BaseException:
        device.discard()
        raise
    with place.lock():
        write_address_book(place)
    return device


def _enter(place: Place, board: str, name: str | None) -> VirtualJetson:
    """Reserve name and address."""
    layers = [*layers_of(place, board), build_base(place)]
    if not place.key_path.exists():
        make_key(place.key_path, "operator")
    make_operator_side(place.lab)
    present = devices(place)
    if len(present) >= MOST:
        raise LabError(f"the lab {place.lab!r} is full: it has {MOST} devices")
    names = {device.name for device in present}
    name = checked_name(name or next(one for one in _names(board) if one not in names))
    if name in names:
        raise LabError(f"there is a device {name!r} already")
    used = {device.address for device in present}
    hosts = (f"{SUBNET}.{last}" for last in range(_FIRST_ADDRESS, 255))
    address = next(host for host in hosts if host not in used)
    device = VirtualJetson(place, name, Record(board, address, [str(layer) for layer in layers]))
    shutil.rmtree(device.folder, ignore_errors=True)
    device.folder.mkdir(parents=True)
    device.save()
    return device


def _names(board: str) -> list[str]:
    return [board, *(f"{board}-{number}" for number in range(2, MOST + 2))]


def _furnish(device: VirtualJetson, is_new: bool) -> None:
    """What is this device's own: name, identity, keys. A copied disk keeps its identity and its host key."""
    root = device.disk.root
    if is_new:
        (root / "etc/hostname").write_text(f"{device.name}\n")
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {device.name}\n{OPERATOR} operator\n")
        (root / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
        make_key(root / "etc/ssh/ssh_host_ed25519_key", device.name)
        _let_operator_in(device)
    public = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    device.record.host_key = " ".join(public.split()[:2])


def _let_operator_in(device: VirtualJetson) -> None:
    home = device.disk.root / "home" / USER
    owner = home.stat()
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    known = ssh / "authorized_keys"
    shutil.copyfile(f"{device.key_path}.pub", known)
    known.chmod(0o600)
    for path in (ssh, known):
        os.chown(path, owner.st_uid, owner.st_gid)


def write_address_book(place: Place) -> None:
    """ssh_config and known_hosts with every device, for ssh and scp. Call it under place.lock()."""
    known, entries = [], []
    for device in (one for one in devices(place) if one.host_key):
        known.append(f"{device.name} {device.host_key}\n")
        entries.append(
            f"Host {device.name}\n HostName {device.address}\n HostKeyAlias {device.name}\n User {device.user}\n"
            f" IdentityFile {device.key_path}\n IdentitiesOnly yes\n UserKnownHostsFile {place.folder}/known_hosts\n"
            " StrictHostKeyChecking yes\n ConnectTimeout 5\n"
        )
    (place.folder / "known_hosts").write_text("".join(known))
    (place.folder / "ssh_config").write_text("".join(entries))


def remove_device(device: VirtualJetson) -> None:
    """Throw one device away."""
    device.discard()
    with device.place.lock():
        write_address_book(device.place)


def remove_all(place: Place) -> None:
    """Throw the whole lab away, and what a run that was killed has left of it; fine where there is nothing."""
    for top in lab_cgroups(place.lab):
        kill_cgroup(top)
        remove_cgroup(top)
    for where, _ in reversed(mounts()):
        if Path(where).is_relative_to(place.folder):
            run("umount", "--lazy", where)
    for namespace in names_of(place.lab):
        remove(namespace)
    forget(f"{place.lab}.*")
    shutil.rmtree(place.folder, ignore_errors=True)
