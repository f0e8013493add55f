"""Figures that several measurements share: slopes with their intervals, fairness, what a process holds over time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from served import Busy, Usage

from edgekit.core.trend import least_squares_trend

HELD = ("own_mib", "service_mib", "descriptors", "service_descriptors", "threads", "processes")


@dataclass(frozen=True)
class Slope:
    """Of something over time, an hour; low and high: its 95 % interval."""

    an_hour: float
    low: float
    high: float

    def verdict(self, hours: float, room: float) -> str:
        """Whether it is known to change by less than `room` in so many hours."""
        if not self.low <= 0 <= self.high:
            return "grows" if self.low > 0 else "falls"
        return "flat" if max(-self.low, self.high) * hours <= room else "too uncertain to tell"

    @property
    def text(self) -> str:
        return f"{self.an_hour:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def slope_of(times_s: np.ndarray, values: np.ndarray) -> Slope:
    """The least squares line. Needs three points, equally spread."""
    trend = least_squares_trend(times_s, values)
    assert trend is not None
    return Slope(*(round(value, 3) for value in trend.scaled(3600.0)))


def fairness(rates: Sequence[float]) -> float:
    """Jain's index: 1 if all get the same, 1/n if one gets all. Source: Jain, Chiu, Hawe, DEC-TR-301, 1984."""
    total, squares = sum(rates), sum(rate * rate for rate in rates)
    return round(total * total / (len(rates) * squares), 4) if squares else 0.0


def usage_figures(usages: Sequence[Usage]) -> dict[str, Any]:
    """Memory and descriptors at both ends and their slopes; CPU seconds a second. A tenth of the looks makes an end."""
    times = np.array([usage.at_s for usage in usages])
    tenth = max(1, len(usages) // 10)
    figures: dict[str, Any] = {"looks": len(usages)}
    for name in HELD:
        values = np.array([getattr(usage, name) for usage in usages], float)
        first, last = float(np.median(values[:tenth])), float(np.median(values[-tenth:]))
        figures[name] = {
            "first": round(first, 2), "last": round(last, 2),
            "least": round(float(values.min()), 2), "most": round(float(values.max()), 2),
            "growth_pct": round((last / first - 1) * 100, 2),
            "slope_an_hour": vars(slope_of(times, values)),
            "series": [round(float(v), 2) for v in values[:: max(1, len(values) // 60)]],
        }  # fmt: skip
    first_look, last_look = usages[0], usages[-1]
    figures["cpu_s_a_second"] = round((last_look.cpu_s - first_look.cpu_s) / (times[-1] - times[0]), 3)
    return figures


def busy_figures(before: Busy, after: Busy) -> dict[str, float]:
    """CPU seconds a second: of the whole machine, which has so many of them, and of the cameras."""
    seconds = after.at_s - before.at_s
    return {
        "machine_cpu_s_a_second": round((after.machine_s - before.machine_s) / seconds, 3),
        "cameras_cpu_s_a_second": round((after.cameras_s - before.cameras_s) / seconds, 3),
    }


def commit() -> str:
    """What was measured, "-dirty" if files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"
