"""Geometry of a report's plots, in percent of the plot's width, so that they fit a phone and a sheet of paper. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.core.engine import EngineManifest
from edgekit.core.engine_layers import count_precisions
from edgekit.core.gate import stratum_order
from edgekit.core.results import Accuracy, BenchResult
from edgekit.core.stats import Rate
from edgekit.report.comparison.ratio import Span, rate_span

SIZES = ("small", "medium", "large")
# What accuracy is told of besides the whole: the texts' keys begin with these names.
ACCURACY_PARTS: dict[str, Callable[[Accuracy], dict[str, float]]] = {
    "conditions": lambda accuracy: accuracy.per_condition,
    "strata": lambda accuracy: accuracy.per_stratum,
    "sizes": lambda accuracy: accuracy.per_size,
    "classes": lambda accuracy: accuracy.per_class,
}
STAGES = ("capture", "preprocess", "inference", "decode")
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Tick:
    at_pct: float
    value: float


@dataclass(frozen=True)
class Bar:
    """A bar from zero, with the ends of its interval."""

    value: float
    width_pct: float
    low_pct: float
    high_pct: float


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar."""

    stage: str
    value: float
    left_pct: float
    width_pct: float


@dataclass(frozen=True)
class Share:
    """The layers of one precision, as a part of a bar that stands for all layers."""

    precision: str
    layers: int
    left_pct: float
    width_pct: float


@dataclass(frozen=True)
class Dot:
    """One engine's accuracy in one part of the pictures; None: not measured."""

    value: float | None
    at_pct: float | None


def nice_ceiling(value: float) -> float:
    """The least round number that is not below a positive value: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _NICE if step * power >= value * (1 - 1e-9))


def ticks(ceiling: float, parts: int = 4) -> tuple[Tick, ...]:
    """Evenly spaced marks from zero to the ceiling."""
    return tuple(Tick(100 * part / parts, ceiling * part / parts) for part in range(parts + 1))


def rate_ceiling(runs: Sequence[Sequence[BenchResult]]) -> float:
    """The end of an axis that holds every rate of every engine, with its interval. runs: of each engine."""
    return nice_ceiling(max(span.high_fps for of_engine in runs for _, span in _spans(of_engine)))


def rate_bars(runs: Sequence[BenchResult], ceiling: float) -> tuple[tuple[str, Bar], ...]:
    """ "pipeline" and "engine" with their bars; what was not measured is missing, not zero. runs: of one engine."""
    return tuple((name, rate_bar(span, ceiling)) for name, span in _spans(runs))


def _spans(runs: Sequence[BenchResult]) -> list[tuple[str, Span]]:
    rates = (
        ("pipeline", rate_span(runs, lambda run: run.measurement.pipeline_rate)),
        ("engine", rate_span(runs, lambda run: run.measurement.engine_rate)),
    )
    return [(name, span) for name, span in rates if span]


def rate_bar(rate: Rate | Span, ceiling: float) -> Bar:
    """A rate on an axis from zero to the ceiling; an interval below zero is cut there."""
    low, high = max(rate.low_fps, 0.0), min(rate.high_fps, ceiling)
    return Bar(rate.fps, 100 * rate.fps / ceiling, 100 * low / ceiling, 100 * high / ceiling)


def stage_ceiling(results: Sequence[BenchResult]) -> float:
    """The end of an axis that holds every stacked bar [ms]."""
    return nice_ceiling(max(sum(_stage_means(result).values()) for result in results))


def stage_segments(result: BenchResult, ceiling: float) -> tuple[Segment, ...]:
    """The stages one after the other; a stage that was not measured is missing, not zero."""
    segments, left = [], 0.0
    for stage, mean_ms in _stage_means(result).items():
        segments.append(Segment(stage, mean_ms, 100 * left / ceiling, 100 * mean_ms / ceiling))
        left += mean_ms
    return tuple(segments)


def _stage_means(result: BenchResult) -> dict[str, float]:
    stages = result.measurement.stages
    return {name: stages[name].mean_ms for name in STAGES if name in stages}


def precision_shares(engine: EngineManifest) -> tuple[Share, ...]:
    """An engine's layers by precision, narrowest first; empty where its layers are not known."""
    layers = engine.build.layers if engine.build else ()
    shares, left = [], 0
    for precision, number in count_precisions(layers):
        shares.append(Share(precision, number, 100 * left / len(layers), 100 * number / len(layers)))
        left += number
    return tuple(shares)


def map_ceiling(results: Sequence[BenchResult], part: str = "conditions") -> float:
    """The end of an axis that holds every accuracy of that part of ACCURACY_PARTS; at most 1."""
    read = ACCURACY_PARTS[part]
    values = [value for result in results if result.accuracy for value in read(result.accuracy).values()]
    return min(1.0, nice_ceiling(max(values, default=1.0)))


def accuracy_dots(results: Sequence[BenchResult], part: str = "conditions") -> dict[str, tuple[Dot, ...]]:
    """Name -> one dot for each result, on an axis to `map_ceiling`.

    Conditions and classes: the first result's hardest one last. Strata and sizes: in their own order.
    """
    ceiling, read = map_ceiling(results, part), ACCURACY_PARTS[part]
    found = [read(result.accuracy) if result.accuracy else {} for result in results]
    rows = {name: [one.get(name) for one in found] for name in {name for one in found for name in one}}
    return {
        name: tuple(Dot(value, None if value is None else 100 * value / ceiling) for value in rows[name])
        for name in sorted(rows, key=lambda name: _place(part, name, rows[name][0]))
    }


def _place(part: str, name: str, first: float | None) -> tuple[float, str]:
    if part == "strata":
        axis, word = stratum_order(name)
        return axis, word
    if part == "sizes":
        return SIZES.index(name) if name in SIZES else len(SIZES), name
    return -_or_below(first), name


def _or_below(value: float | None) -> float:
    return -1.0 if value is None else value
