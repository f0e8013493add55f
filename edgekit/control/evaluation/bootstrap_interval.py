"""How sure a difference of accuracy is: both engines saw the same pictures, so these are drawn again, in pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.control.evaluation.average_precision import Matches, match, mean_ap, mean_ap_each, of_pictures
from edgekit.control.evaluation.truth import Truth

__all__ = [
    "Interval",
    "Matches",
    "PairedDifference",
    "PairedRatio",
    "match",
    "mean_ap",
    "mean_ap_each",
    "paired_difference",
    "paired_ratio",
]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval: the 2.5 and 97.5 percentiles over the resamples."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """True if zero lies outside."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class PairedDifference:
    """mAP50-95 of the second less that of the first, 0 to 1: over all pictures, and over those of each condition."""

    overall: Interval
    per_condition: dict[str, Interval]
    resamples: int


@dataclass(frozen=True)
class PairedRatio:
    """mAP50-95 of two engines on the same pictures, and the second's over the first's; all 0 where the first has 0."""

    first_map: float
    second_map: float
    ratio: Interval


def paired_ratio(
    truth: Truth,
    first: Matches,
    second: Matches,
    names: Collection[str] | None = None,
    *,
    resamples: int = 400,
    seed: int = 0,
) -> PairedRatio:
    """Second over first on some of the pictures, or all. These are drawn again within their condition, as many as there
    were, and both engines are judged on the same draw."""
    rows = np.array([index for index, name in enumerate(first.names) if names is None or name in names], np.int64)
    one, two = of_pictures(first, rows), of_pictures(second, rows)
    once = np.ones(len(rows))
    first_map, second_map = round(mean_ap(one, once), 6), round(mean_ap(two, once), 6)
    if first_map <= 0:
        return PairedRatio(first_map, second_map, Interval(0.0, 0.0, 0.0))
    draws = _draws(np.array([truth.pictures[name].condition for name in one.names]), resamples, seed)
    low, high = _ratio_percentiles(one, two, draws)
    return PairedRatio(first_map, second_map, Interval(round(second_map / first_map, 6), low, high))


def _ratio_percentiles(one: Matches, two: Matches, draws: np.ndarray) -> tuple[float, float]:
    firsts, seconds = mean_ap_each(one, draws), mean_ap_each(two, draws)
    judged = firsts > 0  # a draw without anything found says nothing of a ratio
    low, high = np.percentile(seconds[judged] / firsts[judged], [2.5, 97.5])
    return round(float(low), 6), round(float(high), 6)


def _draws(conditions: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(R, P): how often each picture is drawn."""
    rng = np.random.default_rng(seed)
    groups = {str(name): np.flatnonzero(conditions == name) for name in np.unique(conditions)}
    return np.stack([_draw(groups, len(conditions), rng) for _ in range(resamples)])


def paired_difference(
    truth: Truth, first: Matches, second: Matches, *, resamples: int = 1000, seed: int = 0
) -> PairedDifference:
    """Second less first with intervals. Pictures are drawn again within their condition, as many as there were, and
    both engines are judged on the same draw; the spread of the differences is the interval."""
    conditions = np.array([truth.pictures[name].condition for name in first.names])
    draws = _draws(conditions, resamples, seed)
    return PairedDifference(
        overall=_interval(first, second, np.ones(len(conditions)), draws),
        per_condition={
            str(name): _interval(first, second, (conditions == name).astype(float), draws * (conditions == name))
            for name in np.unique(conditions)
            if name
        },
        resamples=resamples,
    )


def _draw(groups: Mapping[str, np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(count)
    for rows in groups.values():
        weights += np.bincount(rng.choice(rows, len(rows)), minlength=count)
    return weights


def _interval(first: Matches, second: Matches, once: np.ndarray, draws: np.ndarray) -> Interval:
    low, high = np.percentile(mean_ap_each(second, draws) - mean_ap_each(first, draws), [2.5, 97.5])
    return Interval(round(mean_ap(second, once) - mean_ap(first, once), 6), round(float(low), 6), round(float(high), 6))
