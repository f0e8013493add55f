"""What this process used of the machine: peak memory and processor time."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def reset_memory_peak() -> None:
    """Let the peak begin at what is held now, so that preparing a measurement is not in it.

    Where the kernel forbids it the peak stays that of the whole life. Source: proc(5), clear_refs.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def memory_peak_mib() -> Optional[int]:
    """The most memory this process held since the last reset, in MiB; None where the kernel does not say.

    Source: proc(5), VmHWM.
    """
    try:
        found = _PEAK.search(Path("/proc/self/status").read_text("ascii", "replace"))
    except OSError:
        return None
    return round(int(found.group(1)) / 1024) if found else None


class CpuMeter:
    """Processor time of this process over the intervals between `start` and `stop`."""

    def __init__(self) -> None:
        self._cpu_s = 0.0
        self._wall_s = 0.0

    def start(self) -> None:
        """Begin an interval."""
        self._cpu_s -= time.process_time()
        self._wall_s -= time.monotonic()

    def stop(self) -> None:
        """End the interval."""
        self._cpu_s += time.process_time()
        self._wall_s += time.monotonic()

    @property
    def utilisation_pct(self) -> Optional[float]:
        """Percent of all cores this process may use; 100 means that all were busy. None before the first interval."""
        if self._wall_s <= 0:
            return None
        return round(100 * self._cpu_s / (self._wall_s * len(os.sched_getaffinity(0))), 1)
