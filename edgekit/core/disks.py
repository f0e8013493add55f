"""Room on the disks of a device, from `df -Pk`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

_ROW = re.compile(r"^(.+?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+\d+%\s+(/.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Disk:
    """A mounted file system. free_mib is what users other than root may take."""

    source: str
    mount: str
    total_mib: int
    free_mib: int


def parse_df(text: str) -> Tuple[Disk, ...]:
    """Each file system in the output of `df -Pk` once, in its order. Source: POSIX, df -P, 1024-byte units."""
    disks = (
        Disk(source, mount, int(total) // 1024, max(0, int(free)) // 1024)
        for source, total, _, free, mount in _ROW.findall(text)
    )
    return tuple(dict.fromkeys(disks))


def disk_of(path: str, disks: Tuple[Disk, ...]) -> Optional[Disk]:
    """The file system that holds a path: the longest mount point above it; None if it is not among them."""
    above = [disk for disk in disks if disk.mount == "/" or f"{path}/".startswith(f"{disk.mount}/")]
    return max(above, key=lambda disk: len(disk.mount), default=None)
