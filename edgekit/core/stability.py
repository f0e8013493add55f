"""Whether a rate was steady, and if not, what it looks like and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from edgekit.core.sentences import Sentences
from edgekit.core.trend import least_squares_trend

STABLE = "stable"
SENTENCES = Sentences(
    {
        "few_moments": "only {moments:d} frames or batches were counted, too few to tell: measure for longer",
        "rose": "it rose by {change:.0f} % through the run, clocks or caches were still warming up: measure for longer",
        "fell": "it fell by {change:.0f} % through the run, from heat or sinking clocks: look at the temperature, "
        "fix clocks",
        "interrupted": "{slow:d} of {windows:d} windows were {loss:.0f} % slower than the others, as when other "
        "programs run: close them and measure again",
        "uncertain": "known to {half:.0f} % only, since windows differ by {spread:.0f} %, from other programs or "
        "changing clocks: close them, or measure for {needed:.0f} s",
        "uncertain_rounds": "known to {half:.0f} % only, since windows differ by {spread:.0f} %, from other programs "
        "or changing clocks: close them, or take several rounds",
    }
)
"""What may be wrong with a rate: the reason before the colon and the next step after it."""
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
    """STABLE, or what is wrong and what to do: one of SENTENCES."""
    rates = np.asarray(windows.rates, np.float64)
    if windows.moments < _FEWEST_MOMENTS:
        return SENTENCES.say("few_moments", moments=windows.moments)
    return _drifting(rates) or _interrupted(rates) or _uncertain(rates, windows) or STABLE


def _drifting(rates: np.ndarray) -> Optional[str]:
    trend = least_squares_trend(range(len(rates)), list(rates))
    if trend is None or trend.share < _DRIFT_SHARE:
        return None
    end = max(1, len(rates) // 4)
    change = float(rates[-end:].mean() / rates[:end].mean()) - 1
    if abs(change) < _DRIFT_CHANGE:
        return None
    return SENTENCES.say("rose" if change > 0 else "fell", change=100 * abs(change))


def _interrupted(rates: np.ndarray) -> Optional[str]:
    median = float(np.median(rates))
    deviation = float(np.median(np.abs(rates - median)))
    slow = rates < median - max(_SLOW * median, _DEVIATIONS * deviation)
    if not 0 < slow.sum() <= _FEW * len(rates) or rates.mean() > (1 - _MATTERS) * rates[~slow].mean():
        return None
    loss = 1 - float(rates[slow].mean() / rates[~slow].mean())
    return SENTENCES.say("interrupted", slow=int(slow.sum()), windows=len(rates), loss=100 * loss)


def _uncertain(rates: np.ndarray, windows: Windows) -> Optional[str]:
    if windows.half < UNSTABLE_HALF:
        return None
    spread = float(rates.std(ddof=1) / rates.mean()) if len(rates) > 1 else 0.0
    needed_s = windows.seconds * (windows.half / _GOOD_HALF) ** 2
    known = {"half": 100 * windows.half, "spread": 100 * spread}
    if needed_s <= _LONGEST_S:
        return SENTENCES.say("uncertain", needed=needed_s, **known)
    return SENTENCES.say("uncertain_rounds", **known)
