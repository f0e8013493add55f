"""Releases -> one series of levels for each figure, with what is known of the noise between runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.results import BenchResult
from edgekit.report.forecast.metrics import ForecastMetric
from edgekit.report.forecast.releases import Release


@dataclass(frozen=True)
class Noise:
    """What runs of one engine differ by, as log figures: a guess at their standard deviation, and what was seen.

    squares: sum of squared deviations from each engine's mean, with so many degrees of freedom; 0.0 and 0 where no
    engine was measured twice.
    """

    guess: float
    squares: float = 0.0
    freedom: int = 0

    @property
    def estimate(self) -> float:
        """The standard deviation of one run, the guess counted like GUESS_WEIGHT degrees of freedom."""
        return math.sqrt((GUESS_WEIGHT * self.guess**2 + self.squares) / (GUESS_WEIGHT + self.freedom))


# So many degrees of freedom the guess at the noise is worth beside what was seen.
GUESS_WEIGHT = 3.0


@dataclass(frozen=True)
class Series:
    """One figure over the releases that have it. levels: means over runs; runs: how many each is the mean of.

    releases: their places in the history, from 0. values: the levels as figures. unusable: results whose figure has no
    logarithm (NaN, infinite, zero), which are not counted.
    """

    metric: ForecastMetric
    releases: tuple[int, ...]
    levels: tuple[float, ...]
    runs: tuple[int, ...]
    noise: Noise
    unusable: int = 0

    @property
    def values(self) -> tuple[float, ...]:
        """The figures themselves: geometric means over runs."""
        return tuple(self.metric.value(level) for level in self.levels)

    def until(self, count: int) -> Series:
        """As it was when only the first `count` releases were known; the noise as it is known now."""
        return Series(self.metric, self.releases[:count], self.levels[:count], self.runs[:count], self.noise)


def series_of(metric: ForecastMetric, releases: Sequence[Release]) -> Series:
    """The series of one figure."""
    if metric.share_lost:
        return _loss_series(metric, releases)
    places, runs, errors, unusable = [], [], [], 0
    for place, release in enumerate(releases):
        levels, told, bad = _run_levels(metric, release.results)
        unusable += bad
        if levels:
            places.append(place)
            runs.append(levels)
            errors += told
    means = tuple(math.fsum(levels) / len(levels) for levels in runs)
    noise = _noise(metric, runs, errors)
    return Series(metric, tuple(places), means, tuple(len(levels) for levels in runs), noise, unusable)


def _loss_series(metric: ForecastMetric, releases: Sequence[Release]) -> Series:
    """One evaluation an engine: a frozen set and an engine give the same answer every time."""
    places, levels, unusable = [], [], 0
    for place, release in enumerate(releases):
        if release.map_loss_pct is None:
            continue
        try:
            levels.append(metric.level(release.map_loss_pct))
            places.append(place)
        except ValueError:
            unusable += 1
    return Series(metric, tuple(places), tuple(levels), (1,) * len(levels), Noise(metric.noise), unusable)


def _run_levels(metric: ForecastMetric, results: Sequence[BenchResult]) -> tuple[list[float], list[float], int]:
    """(level of each run, standard error that runs tell of themselves, results that are unusable).

    Rounds of one session share the state the machine was in, so that together they are one run.
    """
    sessions: dict[str, list[float]] = {}
    errors, unusable = [], 0
    for result in results:
        found = metric.read(result)
        if found is None:
            continue
        try:
            level = metric.level(found)
        except ValueError:
            unusable += 1
            continue
        sessions.setdefault(result.session or result.result_id, []).append(level)
        error = metric.error(result)
        errors += [error] if math.isfinite(error) else []
    return [math.fsum(levels) / len(levels) for levels in sessions.values()], errors, unusable


def _noise(metric: ForecastMetric, runs: Sequence[Sequence[float]], errors: Sequence[float]) -> Noise:
    squares, freedom = 0.0, 0
    for levels in runs:
        mean = math.fsum(levels) / len(levels)
        squares += math.fsum((level - mean) ** 2 for level in levels)
        freedom += len(levels) - 1
    typical = sorted(errors)[len(errors) // 2] if errors else 0.0
    return Noise(max(metric.noise, typical), squares, freedom)
