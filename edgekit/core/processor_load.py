"""How busy the processors are with other programs, from two looks at /proc. Source: man 5 proc_stat, proc_pid_stat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

_IDLE, _WAITING = 3, 4  # of the line "cpu  user nice system idle iowait irq softirq steal guest guest_nice"
_COUNTED = 8  # guest time is in user time already
_USER, _SYSTEM = 11, 12  # of the fields of /proc/PID/stat after the name
_SHOWN = 3
_WORTH_NAMING = 0.01  # of all that passed


@dataclass(frozen=True)
class ProcessorTimes:
    """One look, in clock ticks. total and idle: of all cores; programs: pid -> (name, ticks), as far as visible."""

    total: int
    idle: int
    programs: Dict[int, Tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class OtherLoad:
    """busy_pct: of all cores; None if it cannot be told. busiest: names of programs, most first, each once."""

    busy_pct: Optional[float] = None
    busiest: Tuple[str, ...] = ()


def parse_stat(text: str) -> Optional[Tuple[int, int]]:
    """(total, idle) ticks in /proc/stat; None if it has no line for all cores. Waiting for a disk counts as idle."""
    words = next((line.split()[1:] for line in text.splitlines() if line.startswith("cpu ")), [])
    if len(words) <= _IDLE or not all(word.isdecimal() for word in words):
        return None
    ticks = [int(word) for word in words[:_COUNTED]]
    return sum(ticks), sum(ticks[_IDLE : _WAITING + 1])


def parse_program(text: str) -> Optional[Tuple[str, int]]:
    """(name, ticks) in /proc/PID/stat; None if it is not whole. A name may hold spaces and brackets."""
    name, bracket, rest = text.partition("(")[2].rpartition(")")
    words = rest.split()
    if not bracket or len(words) <= _SYSTEM or not (words[_USER].isdecimal() and words[_SYSTEM].isdecimal()):
        return None
    return name, int(words[_USER]) + int(words[_SYSTEM])


def load_between(before: ProcessorTimes, after: ProcessorTimes, own: Tuple[int, ...]) -> OtherLoad:
    """What others took between two looks. own: process numbers that do not count.

    Time that a virtual machine was kept waiting for counts as busy: it is lost in the same way.
    """
    passed = after.total - before.total
    if passed <= 0:
        return OtherLoad()
    took = {pid: ticks - before.programs.get(pid, ("", 0))[1] for pid, (_, ticks) in after.programs.items()}
    ours = sum(took.get(pid, 0) for pid in own)
    busy = passed - (after.idle - before.idle) - ours
    names: Dict[str, int] = {}
    for pid, ticks in took.items():
        if pid not in own:
            name = after.programs[pid][0]
            names[name] = names.get(name, 0) + ticks
    ordered = sorted((name for name in names if names[name] >= _WORTH_NAMING * passed), key=lambda name: -names[name])
    return OtherLoad(round(100 * min(1.0, max(0.0, busy / passed)), 1), tuple(ordered[:_SHOWN]))
