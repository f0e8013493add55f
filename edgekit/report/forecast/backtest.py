"""Would the forecast have been right? Each release foretold from those before it, and compared with what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.report.forecast.futures import HIGH, LOW, simulate
from edgekit.report.forecast.level_filter import filter_levels
from edgekit.report.forecast.series import Series

MIN_RELEASES = 5  # before a forecast is made at all
MIN_CHECKS = 5  # before their share is told
_MOST_CHECKS = 20  # the newest; older ones would cost seconds and say little about now
_PARTICLES = 2000


@dataclass(frozen=True)
class Backtest:
    """How many of `checks` releases fell into the 80 % interval foretold for them."""

    covered: int
    checks: int

    @property
    def is_telling(self) -> bool:
        """Whether there are enough checks for the share to say something."""
        return self.checks >= MIN_CHECKS


def backtest(series: Series, seed: int) -> Backtest:
    """Rolling origin, one release ahead, from MIN_RELEASES releases on."""
    origins = range(MIN_RELEASES, len(series.levels))[-_MOST_CHECKS:]
    return Backtest(sum(_covered(series, origin, seed) for origin in origins), len(origins))


def _covered(series: Series, origin: int, seed: int) -> bool:
    rng = np.random.default_rng([seed, origin])
    state = filter_levels(series.until(origin), rng, particles=_PARTICLES)
    # A mean over several runs is less noisy than the single run that a forecast is about.
    state.noise /= series.runs[origin] ** 0.5
    low, high = np.quantile(simulate(state, 1, rng)[:, 1], [LOW, HIGH])
    return bool(low <= series.levels[origin] <= high)
