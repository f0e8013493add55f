"""One figure on both sides: its means, and the estimate of its change by the best test that the runs allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.results import BenchResult
from edgekit.report.gate.change import Change, geometric_mean, paired, welch, with_known_spread
from edgekit.report.gate.metrics import SPEED, GateMetric
from edgekit.report.gate.sides import Sides, sessions_of

_ONE_RUN = (
    "one session a side, and the baseline's history has no two sessions of one engine: measure in turns with --measure"
)


@dataclass(frozen=True)
class Compared:
    """baseline, candidate: geometric means; None: not measured. reason: why nothing can be said, "" if it can."""

    metric: GateMetric
    baseline: float | None
    candidate: float | None
    change: Change | None = None
    reason: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether any side has the figure."""
        return self.baseline is not None or self.candidate is not None

    @property
    def change_pct(self) -> float | None:
        """Of the baseline: by pairs where there are pairs, else between the means."""
        if self.change is not None:
            return 100 * (self.change.ratio - 1)
        if self.baseline is None or self.candidate is None:
            return None
        return 100 * (self.candidate / self.baseline - 1)


def compare(metric: GateMetric, sides: Sides) -> Compared:
    """Never fails: what cannot be compared says why."""
    before, after = (_mean(metric, side.results) for side in (sides.baseline, sides.candidate))
    if before is None or after is None:
        side = "in the baseline" if before is None else "in what is judged"
        return Compared(metric, before, after, reason=f"not measured {side}")
    ways = [_measured_by(metric, side.results) for side in (sides.baseline, sides.candidate)]
    if ways[0] != ways[1]:
        return Compared(metric, before, after, reason=f"measured by other means: {ways[0]} and {ways[1]}")
    if metric.kind != SPEED:
        return Compared(metric, before, after)
    change = _estimate(metric, sides)
    return Compared(metric, before, after, change, "" if change else _ONE_RUN)


def _estimate(metric: GateMetric, sides: Sides) -> Change | None:
    before, after = sides.baseline.results, sides.candidate.results
    pairs = _pairs(metric, before, after)
    floor = _floor(metric, before)
    if len(pairs) > 1:
        return paired([first for first, _ in pairs], [second for _, second in pairs], floor)
    theirs, ours = _by_session(metric, before), _by_session(metric, after)
    if len(theirs) > 1 and len(ours) > 1:
        return welch(theirs, ours, floor)
    return with_known_spread(theirs, ours, [*_history(metric, sides), ours], floor)


def _pairs(
    metric: GateMetric, before: Sequence[BenchResult], after: Sequence[BenchResult]
) -> list[tuple[float, float]]:
    """What both sides measured in one round of one session."""
    first = {(r.session, r.round): metric.value(r) for r in before if r.session}
    second = {(r.session, r.round): metric.value(r) for r in after if r.session}
    found = [(first[turn], second[turn]) for turn in first if turn in second]
    return [(one, other) for one, other in found if one is not None and other is not None]


def _by_session(metric: GateMetric, results: Sequence[BenchResult]) -> list[float]:
    """One mean for each session: its rounds share the machine's mood, and so are no independent runs."""
    means = [_mean(metric, session) for session in sessions_of(results)]
    return [mean for mean in means if mean is not None]


def _history(metric: GateMetric, sides: Sides) -> list[list[float]]:
    engines: dict[str, list[BenchResult]] = {}
    for result in sides.history:
        engines.setdefault(result.engine.engine_id, []).append(result)
    return [_by_session(metric, results) for results in engines.values()]


def _mean(metric: GateMetric, results: Sequence[BenchResult]) -> float | None:
    values = [value for value in map(metric.value, results) if value is not None]
    return geometric_mean(values) if values else None


def _measured_by(metric: GateMetric, results: Sequence[BenchResult]) -> str:
    return " and ".join(sorted({metric.measured_by(r) for r in results if metric.value(r) is not None}))


def _floor(metric: GateMetric, results: Sequence[BenchResult]) -> float:
    """The error that rounding alone gives, on the logarithm: figures that look equal need not be."""
    mean = _mean(metric, results)
    return metric.step / mean / math.sqrt(12) if mean else 0.0
