"""The rate of an engine over its rounds, and how many times as fast one is as another. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edgekit.core.results import BenchResult
from edgekit.core.rounds import paired_ratio
from edgekit.core.stats import Rate
from edgekit.report.comparison.metrics import RateReader


@dataclass(frozen=True)
class Ratio:
    """after / before with its 95 % interval. pairs: rounds that both took part in; 0 where single runs were compared.

    told_apart: whether a difference may be claimed. Pairs claim one where the interval leaves out 1; single runs only
    where the intervals of the two rates do not overlap, which asks for more: a machine may drift between two runs.
    """

    value: float
    low: float
    high: float
    pairs: int
    told_apart: bool


@dataclass(frozen=True)
class Span:
    """A rate as it is printed. One run: with its 95 % interval. Several rounds: their median, lowest and highest."""

    fps: float
    low_fps: float
    high_fps: float
    rounds: int


def rate_span(runs: Sequence[BenchResult], read: RateReader) -> Span | None:
    """The rate of one engine from all its runs, the one that stands for it first; None where it was not measured."""
    rates = [rate for run in runs if (rate := read(run))]
    if len(rates) > 1:
        values = [rate.fps for rate in rates]
        return Span(median(values), min(values), max(values), len(values))
    return Span(rates[0].fps, rates[0].low_fps, rates[0].high_fps, 1) if rates else None


def rate_ratio(before: Sequence[BenchResult], after: Sequence[BenchResult], read: RateReader) -> Ratio | None:
    """The ratio of two engines' rates; None where one of them was not measured.

    before, after: the runs of each engine, the one that stands for it first; with --rounds the others follow. Runs of
    one session and round are pairs. Fewer than two pairs: the first runs are compared by their own intervals.
    """
    paired = paired_ratio(_in_turns(after), _in_turns(before), lambda result: _fps(read(result)))
    if paired is not None and paired.interval is not None:
        low, high = paired.interval
        return Ratio(paired.ratio, low, high, paired.pairs, told_apart=not low <= 1 <= high)
    first, second = read(before[0]), read(after[0])
    return single_ratio(first, second) if first and second else None


def single_ratio(first: Rate, second: Rate) -> Ratio | None:
    """The ratio of two runs' rates by propagation of independent errors, on logarithms; None for a rate of zero."""
    if first.fps <= 0 or second.fps <= 0:
        return None
    value = second.fps / first.fps
    half = math.hypot(*((rate.high_fps - rate.low_fps) / 2 / rate.fps for rate in (first, second)))
    overlap = first.low_fps <= second.high_fps and second.low_fps <= first.high_fps
    return Ratio(value, value * math.exp(-half), value * math.exp(half), 0, told_apart=not overlap)


def _in_turns(runs: Sequence[BenchResult]) -> list[BenchResult]:
    return [run for run in runs if run.session]


def _fps(rate: Rate | None) -> float | None:
    return rate.fps if rate else None
