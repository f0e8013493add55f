"""Whether the clocks of a Jetson are locked to their highest, as `jetson_clocks` does.

Source: `jetson_clocks --show`, which needs root, of JetPack 5 to 7 (tests/cases/jetson); without root, cpufreq of the
kernel. A change of the power mode undoes the lock, and so does a reboot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

_DOMAIN = re.compile(r"^(cpu\d+:|GPU|gpu-[\w-]+|EMC)\s.*?MinFreq=(\d+) MaxFreq=(\d+)(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class ClockRange:
    """The lowest and highest clock that something may run at; the unit is the source's."""

    name: str  # "cpu0", "GPU", "gpu-gpc-0", "EMC"
    low: int
    high: int
    held: bool = False  # at one clock within the range, as memory is, whose range stays open


def parse_jetson_clocks(text: str) -> Tuple[ClockRange, ...]:
    """Clocks of CPUs, GPU and memory in the output of `jetson_clocks --show`: kHz for CPUs, else Hz."""
    return tuple(
        ClockRange(name.rstrip(":"), int(low), int(high), "FreqOverride=1" in rest)
        for name, low, high, rest in _DOMAIN.findall(text)
    )


def parse_cpu_clocks(text: str) -> Tuple[ClockRange, ...]:
    """Lines "policy0<TAB>LOW<TAB>HIGH" of bootstrap/collect.py, in kHz; lines without both are left out."""
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        ClockRange(row[0], int(row[1]), int(row[2])) for row in rows if len(row) == 3 and all(map(_digits, row[1:]))
    )


def clocks_locked(clocks: Tuple[ClockRange, ...]) -> Optional[bool]:
    """True if none of them can vary; None if there is none to tell by."""
    return all(clock.held or clock.low == clock.high for clock in clocks) if clocks else None


def _digits(text: str) -> bool:
    return text.isdecimal()
