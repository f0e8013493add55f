"""/proc/meminfo and /proc/swaps: how much memory a machine has, and what it can move out of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Tuple

from edgekit.errors import DeviceError

_SWAP = re.compile(r"^(/\S+)\s+\w+\s+(\d+)\s+(\d+)", re.MULTILINE)
_FIELD = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Swap:
    """A place that memory is moved out to."""

    name: str
    size_mib: int
    used_mib: int

    @property
    def compressed(self) -> bool:
        """True for zram: it keeps what is moved out in memory, packed."""
        return "zram" in self.name


def parse_swaps(text: str) -> Tuple[Swap, ...]:
    """The swaps in /proc/swaps. Source: man 5 proc_swaps; sizes are in KiB."""
    rows = _SWAP.findall(text)
    return tuple(Swap(name, int(size) // 1024, int(used) // 1024) for name, size, used in rows)


def parse_meminfo(text: str) -> Tuple[int, int]:
    """(total, available) in MiB. Kernels before 3.14 lack MemAvailable; free plus caches stands in for it.

    Raises DeviceError if the text is no meminfo. Source: man 5 proc_meminfo.
    """
    kib = {name: int(value) for name, value in _FIELD.findall(text)}
    if "MemTotal" not in kib:
        raise DeviceError("/proc/meminfo names no MemTotal", why=f"it begins {text[:40]!r}")
    stand_in = sum(kib.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    return kib["MemTotal"] // 1024, kib.get("MemAvailable", stand_in) // 1024
