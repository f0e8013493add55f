"""Whether a rate was steady, and if not, what it looks like and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from edgekit.core.trend import least_squares_trend

STABLE = "stable"
# Of the 95 % interval, as a share of the rate: 16 windows that differ by 10 % and come in any order.
UNSTABLE_HALF = 0.05
# Fewer moments than that say little of how steady a rate is.
_FEWEST_MOMENTS = 30
# A straight line must explain half of what windows differ by, and the last quarter differ from the first by 5 %.
_DRIFT_SHARE, _DRIFT_CHANGE = 0.5, 0.05
# Up to a third of the windows may be outliers: below the median by 10 % and by five standard deviations of the others
# (told by the median deviation). They matter if the whole rate is lower by 2 % for them.
_SLOW, _DEVIATIONS, _FEW, _MATTERS = 0.10, 5 * 1.4826, 1 / 3, 0.02
# What a longer run should narrow the interval to, and the longest that is advised.
_GOOD_HALF, _LONGEST_S = 0.02, 600.0


@dataclass(frozen=True)
class Windows:
    """A run in parts of equal frame count: frames a second of each, in order.

    moments: at which frames were finished, in all. seconds: of the run. half: of the rate's 95 % interval, as a share
    of the rate.
    """

    rates: Sequence[float]
    moments: int
    seconds: float
    half: float


def verdict(windows: Windows) -> str:
    """STABLE, or what is wrong and what to do: one sentence, the reason before the colon and the next step after it."""
    rates = np.asarray(windows.rates, np.float64)
    if windows.moments < _FEWEST_MOMENTS:
        return f"only {windows.moments} frames or batches were counted, too few to tell: measure for longer"
    return _drifting(rates) or _interrupted(rates) or _uncertain(rates, windows) or STABLE


def _drifting(rates: np.ndarray) -> Optional[str]:
    trend = least_squares_trend(range(len(rates)), list(rates))
    if trend is None or trend.share < _DRIFT_SHARE:
        return None
    end = max(1, len(rates) // 4)
    change = float(rates[-end:].mean() / rates[:end].mean()) - 1
    if abs(change) < _DRIFT_CHANGE:
        return None
    if change > 0:
        rose = f"it rose by {100 * change:.0f} % through the run"
        return f"{rose}, clocks or caches were still warming up: measure for longer"
    fell = f"it fell by {-100 * change:.0f} % through the run"
    return f"{fell}, from heat or sinking clocks: look at the temperature, fix clocks"


def _interrupted(rates: np.ndarray) -> Optional[str]:
    median = float(np.median(rates))
    deviation = float(np.median(np.abs(rates - median)))
    slow = rates < median - max(_SLOW * median, _DEVIATIONS * deviation)
    if not 0 < slow.sum() <= _FEW * len(rates) or rates.mean() > (1 - _MATTERS) * rates[~slow].mean():
        return None
    loss = 1 - float(rates[slow].mean() / rates[~slow].mean())
    parts = f"{slow.sum()} of {len(rates)} windows were {100 * loss:.0f} % slower than the others"
    return f"{parts}, as when other programs run: close them and measure again"


def _uncertain(rates: np.ndarray, windows: Windows) -> Optional[str]:
    if windows.half < UNSTABLE_HALF:
        return None
    spread = float(rates.std(ddof=1) / rates.mean()) if len(rates) > 1 else 0.0
    needed_s = windows.seconds * (windows.half / _GOOD_HALF) ** 2
    longer = f"measure for {needed_s:.0f} s" if needed_s <= _LONGEST_S else "take several rounds"
    known = f"known to {100 * windows.half:.0f} % only, since windows differ by {100 * spread:.0f} %"
    return f"{known}, from other programs or changing clocks: close them, or {longer}"
