"""The limits of a Linux control group: what a container or a systemd unit may use of its machine."""

from __future__ import annotations

from typing import Optional

_MIB = 1 << 20
# cgroup v1 writes the largest page-aligned number where there is no limit.
_NO_LIMIT_BYTES = 1 << 62


def parse_memory_limit_mib(text: str) -> Optional[int]:
    """MiB from memory.max (v2) or memory.limit_in_bytes (v1); None where there is no limit.

    Source: Linux kernel documentation, admin-guide/cgroup-v2 and cgroup-v1/memory.
    """
    value = text.strip()
    if not value.isdigit() or int(value) >= _NO_LIMIT_BYTES:
        return None
    return int(value) // _MIB


def parse_file_cache_mib(text: str) -> int:
    """MiB of files in memory that can be dropped, from memory.stat; 0 where it does not say.

    They count as used by the group. Source: as above; v1 names the sums over its children total_*.
    """
    fields = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    prefix = "total_" if "total_inactive_file" in fields else ""
    names = (f"{prefix}inactive_file", f"{prefix}active_file")
    return sum(int(fields[name]) for name in names if fields.get(name, "").isdigit()) // _MIB


def parse_cpu_limit(text: str) -> Optional[float]:
    """CPUs from cpu.max (v2): "quota period" in microseconds; None where there is no limit.

    Source: Linux kernel documentation, admin-guide/cgroup-v2.
    """
    fields = text.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields) or int(fields[1]) == 0:
        return None
    return int(fields[0]) / int(fields[1])
