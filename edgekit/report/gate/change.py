"""How much a figure changed, and how sure that is: paired t, Welch's t, or a spread that is known from elsewhere.

All of it on logarithms: a change is a ratio, and a run that is twice as noisy on a figure twice as large is as noisy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance

from edgekit.core.student_t import t_point, t_survival

PAIRED, WELCH, HISTORY = "paired t", "Welch's t", "t, spread from history"


@dataclass(frozen=True)
class Change:
    """The logarithm of candidate / baseline with its standard error.

    test: PAIRED, WELCH or HISTORY. units: what was counted as independent, pairs of rounds or sessions.
    spread: standard deviation of one unit, on the logarithm.
    """

    log_ratio: float
    error: float
    freedom: float
    test: str
    units: int
    spread: float

    @property
    def ratio(self) -> float:
        """Candidate / baseline."""
        return math.exp(self.log_ratio)

    @property
    def is_paired(self) -> bool:
        """Whether both sides were measured in turns."""
        return self.test == PAIRED

    @property
    def counted(self) -> str:
        """What `units` are."""
        return "rounds" if self.is_paired else "sessions"

    def interval(self, alpha: float) -> tuple[float, float]:
        """Of the ratio; it is exceeded with probability alpha at each end."""
        half = t_point(alpha, self.freedom) * self.error
        return math.exp(self.log_ratio - half), math.exp(self.log_ratio + half)

    def p_above(self, log_ratio: float = 0.0) -> float:
        """p-value against "the true ratio is no higher than this": small if it is believed to be higher."""
        return t_survival((self.log_ratio - log_ratio) / self.error, self.freedom)

    def p_below(self, log_ratio: float = 0.0) -> float:
        """p-value against "the true ratio is no lower than this"."""
        return 1.0 - self.p_above(log_ratio)


def paired(baseline: Sequence[float], candidate: Sequence[float], floor: float = 0.0) -> Change:
    """Of two or more pairs measured in turns, so that what drifts with the machine is the same in both.

    floor: the least error that one side can have, because figures are rounded: it does not shrink with more of them.
    """
    differences = [math.log(after / before) for before, after in zip(baseline, candidate)]
    count, spread = len(differences), stdev(differences)
    error = max(spread / math.sqrt(count), floor * math.sqrt(2))
    return Change(fmean(differences), error, count - 1, PAIRED, count, spread)


def welch(baseline: Sequence[float], candidate: Sequence[float], floor: float = 0.0) -> Change:
    """Of two or more independent sessions on either side. Source: Welch, Biometrika 34, 1947, p. 28."""
    before, after = _logs(baseline), _logs(candidate)
    parts = [max(variance(side) / len(side), floor**2) for side in (before, after)]
    total = sum(parts)
    freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (before, after)))
    units = len(before) + len(after)
    spread = math.sqrt(total / (1 / len(before) + 1 / len(after)))
    return Change(fmean(after) - fmean(before), math.sqrt(total), freedom, WELCH, units, spread)


def with_known_spread(
    baseline: Sequence[float], candidate: Sequence[float], groups: Sequence[Sequence[float]], floor: float = 0.0
) -> Change | None:
    """Of one or more sessions on either side, with the spread of sessions that measured one and the same thing.

    groups: sessions of one engine each, from the history. None if no group has two.
    """
    logs = [_logs(group) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in logs)
    if not freedom:
        return None
    spread = math.sqrt(sum(variance(group) * (len(group) - 1) for group in logs) / freedom)
    error = max(spread * math.sqrt(1 / len(baseline) + 1 / len(candidate)), floor * math.sqrt(2))
    difference = fmean(_logs(candidate)) - fmean(_logs(baseline))
    return Change(difference, error, freedom, HISTORY, freedom + len(logs), spread)


def rounds_needed(change: Change, room: float, alpha: float, most: int = 100) -> int | None:
    """How many pairs would tell, if the spread stays as it is; None beyond `most`.

    room: between what was seen and what is to be told from it, on the logarithm, above 0.
    """
    for count in range(2, most + 1):
        if t_point(alpha, count - 1) * change.spread / math.sqrt(count) <= room:
            return count
    return None


def geometric_mean(values: Sequence[float]) -> float:
    """Of one or more values above 0."""
    return math.exp(fmean(_logs(values)))


def _logs(values: Sequence[float]) -> list[float]:
    return [math.log(value) for value in values]
