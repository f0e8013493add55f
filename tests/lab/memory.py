"""So little memory for a process of a device that the kernel kills it, or a child of it: a cgroup of this machine.

By the hierarchy that has the memory controller: its own (cgroup version 1) or cgroup2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.container import remove_cgroup
from tests.lab.machine import LabError, cgroup_roots
from tests.lab.virtual_jetson import VirtualJetson

_VERSION_1 = Path("/sys/fs/cgroup/memory")
_MIB = 1 << 20


class LittleMemory:
    """A cgroup whose processes together get no more than its limit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def confine(self, device: VirtualJetson, pid: int) -> None:
        """Put a process of a device in it, by its number there; what it starts from then on is in it too."""
        (self._folder / "cgroup.procs").write_text(str(_number_here(device, pid)))

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory in it."""
        name = "memory.oom_control" if _is_version_1() else "memory.events"
        found = re.search(r"^oom_kill (\d+)", (self._folder / name).read_text(), re.MULTILINE)
        if found is None:
            raise LabError(f"this kernel does not count what it kills: {self._folder / name}")
        return int(found.group(1))


@contextmanager
def little_memory(device: VirtualJetson, limit_mib: int) -> Iterator[LittleMemory]:
    """A cgroup for processes of a device; those that are left in it go back to their parent cgroup's limit."""
    name = f"edgekit-lab-{device.place.lab}-{device.name}"
    folder = _VERSION_1 / name if _is_version_1() else _version_2() / name
    folder.mkdir(exist_ok=True)
    settings = {"memory.swappiness": "0", "memory.limit_in_bytes": str(limit_mib * _MIB)}
    if not _is_version_1():
        settings = {"memory.swap.max": "0", "memory.max": str(limit_mib * _MIB)}
    for file, value in settings.items():
        if (folder / file).exists():  # without swap there is nothing to forbid
            (folder / file).write_text(value)
    try:
        yield LittleMemory(folder)
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (folder.parent / "cgroup.procs").write_text(pid)
        remove_cgroup(folder)


def _is_version_1() -> bool:
    return (_VERSION_1 / "memory.limit_in_bytes").exists()


def _version_2() -> Path:
    root = cgroup_roots()[0]
    if "memory" not in (root / "cgroup.controllers").read_text().split():
        raise LabError("this machine has no memory controller")
    (root / "cgroup.subtree_control").write_text("+memory")
    return root


def _number_here(device: VirtualJetson, pid: int) -> int:
    """The number that a process of a device has on this machine."""
    for listed in device.container.cgroups[0].rglob("cgroup.procs"):
        for number in listed.read_text().split():
            status = Path("/proc", number, "status")
            if status.exists() and re.search(rf"^NSpid:.*\t{pid}$", status.read_text(), re.MULTILINE):
                return int(number)
    raise LabError(f"{device.name} has no process {pid}")
