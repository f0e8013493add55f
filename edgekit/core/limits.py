"""Limits that measured figures must keep: frames a second at least, the others at most.

A figure that was not measured keeps no limit, and neither does a run that something disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Dict, Optional, Sequence, Tuple

from edgekit.core.results import BenchResult
from edgekit.core.rounds import Read, comparable, median_of


@dataclass(frozen=True)
class Limits:
    """None where nothing is asked.

    fps: the headline's, at least. p99_ms: from capture to detections. watts: the mean, of whatever the sensor measures.
    mib: memory of the measuring process at its highest, with that of the GPU where the GPU has its own.
    """

    fps: Optional[float] = None
    p99_ms: Optional[float] = None
    watts: Optional[float] = None
    joules_per_frame: Optional[float] = None
    mib: Optional[float] = None

    def over(self, others: Limits) -> Limits:
        """These, completed by others."""
        return Limits(**{key: _first(getattr(self, key), getattr(others, key)) for key in KEYS})

    @property
    def asked(self) -> Dict[str, float]:
        """Those that are asked for, by their names."""
        return {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}


KEYS = tuple(item.name for item in fields(Limits))


@dataclass(frozen=True)
class Missed:
    """A limit that was not kept. measured: None if it was not; sentence: for people, with both values."""

    limit: str
    wanted: float
    measured: Optional[float]
    sentence: str


def p99_ms(result: BenchResult) -> Optional[float]:
    """99 of 100 frames went from capture to detections in this time; None below 100 frames."""
    stages = result.measurement.stages
    summary = stages.get("age") or stages.get("end_to_end")
    return summary.p99_ms if summary else None


def watts(result: BenchResult) -> Optional[float]:
    """Mean power while frames were counted."""
    energy = result.measurement.energy
    return energy.mean_w if energy else result.measurement.power_mean_w


def joules_per_frame(result: BenchResult) -> Optional[float]:
    """All that was drawn, for each frame."""
    energy = result.measurement.energy
    return energy.joules_per_frame if energy else None


def memory_mib(result: BenchResult) -> Optional[float]:
    """Memory of the measuring process at its highest, with that of the GPU where the GPU has its own."""
    figures = result.measurement
    if figures.memory_peak_mib is None:
        return None
    gpu_mib = figures.machine.gpu_memory_peak_mib if figures.machine else None
    return float(figures.memory_peak_mib + (gpu_mib or 0))


def fps(result: BenchResult) -> float:
    """The headline."""
    return result.measurement.rate.fps


# What each limit is held against, how that is called, and its unit.
READS: Dict[str, Read] = {
    "fps": fps,
    "p99_ms": p99_ms,
    "watts": watts,
    "joules_per_frame": joules_per_frame,
    "mib": memory_mib,
}
_WORDS = {
    "fps": ("the rate", "FPS", 1),
    "p99_ms": ("p99", "ms", 1),
    "watts": ("power", "W", 2),
    "joules_per_frame": ("energy", "J a frame", 3),
    "mib": ("memory", "MiB", 0),
}
_AT_LEAST = ("fps",)


def missed_limits(limits: Limits, results: Sequence[BenchResult]) -> Tuple[Missed, ...]:
    """Every limit that the results of one engine, one a round, do not keep. Figures are medians over the rounds."""
    disturbed = not comparable(results)
    found = (_missed(key, wanted, results, disturbed=disturbed) for key, wanted in limits.asked.items())
    return tuple(item for item in found if item is not None)


def _missed(key: str, wanted: float, results: Sequence[BenchResult], *, disturbed: bool) -> Optional[Missed]:
    name, unit, digits = _WORDS[key]
    if disturbed:
        return Missed(key, wanted, None, f"{name}: a run that was disturbed keeps no limit ({wanted:g} {unit})")
    value = median_of(results, READS[key])
    if value is None:
        return Missed(
            key, wanted, None, f"{name} was not measured{_why(key)}: the limit of {wanted:g} {unit} is not kept"
        )
    if (value >= wanted) if key in _AT_LEAST else (value <= wanted):
        return None
    side = "below" if key in _AT_LEAST else "above"
    return Missed(
        key, wanted, value, f"{name}: {_shown(value, wanted, digits)} {unit} is {side} the limit of {wanted:g}"
    )


def _shown(value: float, wanted: float, digits: int) -> str:
    """With so many digits that it does not look like the limit itself."""
    while digits < 9 and float(f"{value:.{digits}f}") == wanted:
        digits += 1
    return f"{value:.{digits}f}"


def _why(key: str) -> str:
    if key == "p99_ms":
        return " (it takes 100 frames through the whole pipeline)"
    return " (no power sensor)" if key in ("watts", "joules_per_frame") else ""


def _first(first: Optional[float], second: Optional[float]) -> Optional[float]:
    return second if first is None else first
