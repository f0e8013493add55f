"""Whether something rises or falls over time: the least squares line through a few points, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from edgekit.core.student_t import student_t95

_LEAST_POINTS = 3


@dataclass(frozen=True)
class Trend:
    """What is added in each unit of time, with its 95 % interval; share: of the values' variance, what the line
    explains, 0 to 1."""

    slope: float
    low: float
    high: float
    share: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves no doubt about the direction."""
        return not self.low <= 0 <= self.high

    def scaled(self, factor: float) -> Tuple[float, float, float]:
        """(slope, low, high) in other units; factor above 0."""
        return self.slope * factor, self.low * factor, self.high * factor


def least_squares_trend(times: Sequence[float], values: Sequence[float]) -> Optional[Trend]:
    """The line through the points; None with fewer than three, or all at one time.

    The interval is Student's, for points that scatter about the line independently of one another: points that are
    means over long stretches do so nearly, single frames do not.
    """
    x, y = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if len(x) != len(y):
        raise ValueError(f"expected as many values as times, got {len(y)} and {len(x)}")
    if len(x) < _LEAST_POINTS:
        return None
    x, y = x - x.mean(), y - y.mean()
    spread = float((x * x).sum())
    if spread == 0:
        return None
    slope = float((x * y).sum()) / spread
    left, whole = float(((y - slope * x) ** 2).sum()), float((y * y).sum())
    freedom = len(x) - 2
    half = student_t95(freedom) * (left / freedom / spread) ** 0.5
    return Trend(slope, slope - half, slope + half, 1 - left / whole if whole > 0 else 0.0)
