"""What this process may use of its machine: CPUs and memory, within the affinity mask and the control group."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Tuple

from edgekit.core.cgroup import parse_cpu_limit, parse_file_cache_mib, parse_memory_limit_mib
from edgekit.core.meminfo import parse_meminfo

_CGROUP = Path("sys/fs/cgroup")


def usable_cpus(root: Path = Path("/")) -> int:
    """How many CPUs this process may keep busy, at least 1."""
    allowed = len(os.sched_getaffinity(0))
    limit = parse_cpu_limit(_read(root / _CGROUP / "cpu.max"))
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def memory_mib(root: Path = Path("/")) -> Tuple[int, int]:
    """(total, available) MiB; a control group's limit counts as the total where it is smaller."""
    total, available = parse_meminfo(_read(root / "proc/meminfo"))
    for limit_name, used_name, stat_name in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        limit = parse_memory_limit_mib(_read(root / _CGROUP / limit_name))
        if limit is not None and limit < total:
            used = parse_memory_limit_mib(_read(root / _CGROUP / used_name))
            cache = parse_file_cache_mib(_read(root / _CGROUP / stat_name))
            return limit, min(available, max(0, limit - max(0, (used or 0) - cache)))
    return total, available


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
