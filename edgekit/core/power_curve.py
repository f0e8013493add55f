"""Power over time as columns of numbers: a soak of a day is a million samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Dict, Optional, Sequence

import numpy as np

# A run of half an hour is sampled as often as was asked for; a longer one, of which a sample less says as much, less
# and less often: what is kept of it must not look like a leak of what is measured.
_FULL_RATE_S = 1800.0
_SLOWEST_S = 0.4


@dataclass(frozen=True)
class PowerSample:
    """t_s: when, on a clock that only goes forward. joules: of a counter that does not wrap; None: there is none."""

    t_s: float
    watts: float
    rails_w: Dict[str, float] = field(default_factory=dict)
    joules: Optional[float] = None


@dataclass(frozen=True, eq=False)
class PowerCurve:
    """Samples in order of their times, which all differ; all arrays (N,) float64.

    joules: NaN where a counter was not read. rails_w: NaN where a rail was not.
    """

    times_s: np.ndarray
    watts: np.ndarray
    joules: np.ndarray
    rails_w: Dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.times_s)


def curve_of_samples(samples: Sequence[PowerSample]) -> PowerCurve:
    """The curve through samples in any order; see `ordered_curve`."""
    names = {name: None for sample in samples for name in sample.rails_w}
    return ordered_curve(
        np.array([sample.t_s for sample in samples], np.float64),
        np.array([sample.watts for sample in samples], np.float64),
        np.array([math.nan if sample.joules is None else sample.joules for sample in samples], np.float64),
        {name: np.array([sample.rails_w.get(name, math.nan) for sample in samples]) for name in names},
    )


def ordered_curve(
    times_s: np.ndarray, watts: np.ndarray, joules: np.ndarray, rails_w: Dict[str, np.ndarray]
) -> PowerCurve:
    """The curve through columns in any order, without rows that have no time or power, or the same time as another."""
    finite = np.flatnonzero(np.isfinite(times_s) & np.isfinite(watts))
    _, first = np.unique(times_s[finite], return_index=True)
    rows = finite[first]
    return PowerCurve(times_s[rows], watts[rows], joules[rows], {name: rail[rows] for name, rail in rails_w.items()})


def interval_s(every_s: float, elapsed_s: float) -> float:
    """How long to wait for the next sample, so long after the first."""
    return max(every_s, min(_SLOWEST_S, every_s * elapsed_s / _FULL_RATE_S))
