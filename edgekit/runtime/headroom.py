"""How much memory a machine has left for a piece of work, and how much a process takes."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.runtime.limits import memory_mib

RESERVE_MIB, RESERVE_SHARE = 200, 0.05

_SWAP_FREE = re.compile(r"^SwapFree:\s+(\d+) kB", re.MULTILINE)
_TOTAL = re.compile(r"^MemTotal:\s+(\d+) kB", re.MULTILINE)
_TAKEN = re.compile(r"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)


def headroom_mib(root: Path = Path("/")) -> int:
    """MiB that can still be taken: available memory, and free swap where no control group sets a smaller limit."""
    text = _read(root / "proc/meminfo")
    total_mib, available_mib = memory_mib(root)
    swap, total = _SWAP_FREE.search(text), _TOTAL.search(text)
    within_group = total is not None and total_mib < int(total.group(1)) // 1024
    return available_mib + (int(swap.group(1)) // 1024 if swap and not within_group else 0)


def reserve_mib(root: Path = Path("/")) -> int:
    """MiB that are left to services and system: 5 % of all, at least 200."""
    return max(RESERVE_MIB, int(memory_mib(root)[0] * RESERVE_SHARE))


def process_mib(pid: int) -> int:
    """What a process alone holds in memory and swap, without the files that it maps; 0 once it is gone.

    Source: proc(5), RssAnon, RssShmem (since Linux 4.5) and VmSwap.
    """
    found = _TAKEN.findall(_read(Path(f"/proc/{pid}/status")))
    return sum(int(kib) for kib in found) // 1024


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
