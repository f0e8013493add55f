"""/proc/meminfo: how much memory a machine has and how much of it is free to use."""

from __future__ import annotations

import re
from typing import Tuple

from edgekit.errors import DeviceError

_FIELD = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)


def parse_meminfo(text: str) -> Tuple[int, int]:
    """(total, available) in MiB. Kernels before 3.14 lack MemAvailable; free plus caches stands in for it.

    Raises DeviceError if the text is no meminfo. Source: man 5 proc_meminfo.
    """
    kib = {name: int(value) for name, value in _FIELD.findall(text)}
    if "MemTotal" not in kib:
        raise DeviceError("/proc/meminfo names no MemTotal", why=f"it begins {text[:40]!r}")
    stand_in = sum(kib.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    return kib["MemTotal"] // 1024, kib.get("MemAvailable", stand_in) // 1024
