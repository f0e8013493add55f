"""The rule: a regression is worse by more than allowed, and by more than chance. Pure.

A figure that differs from run to run is worse if its estimate is beyond the limit and a one-sided test, corrected for
the number of figures, excludes "no change". It is the same if its interval lies within the limit, and no worse if its
interval excludes a change for the worse beyond it. Anything else cannot be told, and is not said to be the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.results import BenchResult
from edgekit.report.gate.change import Change, rounds_needed
from edgekit.report.gate.comparing import Compared, compare
from edgekit.report.gate.metrics import ACCURACY, GATE_METRICS, GateMetric
from edgekit.report.gate.multiple_tests import holm
from edgekit.report.gate.outcome import (
    CANNOT_TELL,
    IMPROVEMENT,
    NO_WORSE,
    REGRESSION,
    SAME,
    GateReport,
    Judged,
    Limits,
    SideSummary,
)
from edgekit.report.gate.sides import Side, Sides, sessions_of

_FIGURES = re.compile(r"\([^)]*\)|[0-9.]+")
BOOTSTRAP, FIXED = "paired over the pictures", "no test: the same in every run"


def judge(
    sides: Sides,
    limits: Limits,
    *,
    accuracy: Gate | None = None,
    metrics: Sequence[GateMetric] = GATE_METRICS,
) -> GateReport:
    """Compare the sides figure by figure.

    accuracy: how both engines did on the same labelled pictures, with its paired interval; None: nobody asked.
    """
    compared = [compare(metric, sides) for metric in metrics]
    p_values = _p_values(compared)
    rows = [
        _judge(item, limits, p_values.get(item.metric.key), len(p_values), accuracy)
        for item in compared
        if item.is_measured
    ]
    newest = sides.candidate.newest
    return GateReport(
        device=newest.device,
        detector=newest.engine.detector,
        scenario=newest.scenario_name or newest.conditions.scenario,
        baseline=_summary(sides.baseline),
        candidate=_summary(sides.candidate),
        limits=limits,
        rows=tuple(rows),
        not_measured=tuple(item.metric.name for item in compared if not item.is_measured),
        left_out=sides.left_out,
        notes=_notes(sides),
    )


def _p_values(compared: Sequence[Compared]) -> dict[str, tuple[float, float]]:
    """By metric: of "it got no worse" and of "it got no better", each corrected for all that were tested."""
    tested = [(item.metric, item.change) for item in compared if item.change is not None]
    higher = holm([change.p_above() for _, change in tested])
    lower = holm([change.p_below() for _, change in tested])
    return {
        metric.key: (down, up) if metric.higher_is_better else (up, down)
        for (metric, _), up, down in zip(tested, higher, lower)
    }


def _judge(
    item: Compared, limits: Limits, p_values: tuple[float, float] | None, tests: int, accuracy: Gate | None
) -> Judged:
    if item.reason:
        return _row(item, limits, CANNOT_TELL, reason=item.reason)
    if item.change is not None and p_values is not None:
        return _judge_tested(item, item.change, limits, p_values, tests)
    if item.metric.kind == ACCURACY and accuracy is not None:
        return _judge_accuracy(item, accuracy.overall, limits)
    return _judge_fixed(item, limits)


def _judge_tested(item: Compared, change: Change, limits: Limits, p_values: tuple[float, float], tests: int) -> Judged:
    metric, limit = item.metric, limits.of(item.metric)
    low_pct, high_pct = (100 * (end - 1) for end in change.interval(limits.alpha))
    worse_pct = _worse(metric, item.change_pct)
    worst_pct, best_pct = (_worse(metric, end) for end in _worst_first(metric, low_pct, high_pct))
    verdict, reason = SAME if best_pct >= -limit else NO_WORSE, ""
    if worse_pct > limit and p_values[0] < limits.alpha:
        verdict = REGRESSION
    elif worse_pct < -limit and p_values[1] < limits.alpha:
        verdict = IMPROVEMENT
    elif worst_pct > limit:
        verdict, reason = CANNOT_TELL, _doubt(change, worse_pct, worst_pct, limit, limits.alpha, tests)
    return _row(
        item,
        limits,
        verdict,
        reason=reason,
        test=f"{change.test}, {change.units} {change.counted}",
        low_pct=low_pct,
        high_pct=high_pct,
        p_value=p_values[0],
        units=change.units,
    )


def _doubt(change: Change, worse_pct: float, worst_pct: float, limit: float, alpha: float, tests: int) -> str:
    """What could not be told, and what would tell it from "no change", or from the limit where it lies below."""
    text = f"it may be {worst_pct:.1f} % worse"
    if not change.is_paired:
        return f"{text}; rounds in turns tell more: --measure"
    worse = math.log1p(max(worse_pct, -99.0) / 100)
    room, tail = (worse, alpha / tests) if worse_pct > limit else (math.log1p(limit / 100) - worse, alpha)
    count = rounds_needed(change, max(room, 1e-6), tail)
    return f"{text}; " + (f"about {count} rounds would tell" if count else "the machine is too restless for this limit")


def _judge_accuracy(item: Compared, kept: StratumKept, limits: Limits) -> Judged:
    limit = limits.of(item.metric)
    low_pct, high_pct = 100 * (kept.low - 1), 100 * (kept.high - 1)
    worse_pct = 100 * (1 - kept.kept)
    verdict, reason = SAME if high_pct <= limit else NO_WORSE, ""
    if worse_pct > limit and kept.high < 1:
        verdict = REGRESSION
    elif worse_pct < -limit and kept.low > 1:
        verdict = IMPROVEMENT
    elif -low_pct > limit:
        verdict, reason = CANNOT_TELL, f"it may be {-low_pct:.1f} % worse; more labelled pictures would tell"
    test = f"{BOOTSTRAP}, {kept.pictures} pictures"
    return _row(
        item, limits, verdict, reason=reason, test=test, low_pct=low_pct, high_pct=high_pct, units=kept.pictures
    )


def _judge_fixed(item: Compared, limits: Limits) -> Judged:
    limit, worse_pct = limits.of(item.metric), _worse(item.metric, item.change_pct)
    verdict = REGRESSION if worse_pct > limit else IMPROVEMENT if worse_pct < -limit else SAME
    return _row(item, limits, verdict, test=FIXED)


def _worst_first(metric: GateMetric, low_pct: float, high_pct: float) -> tuple[float, float]:
    return (low_pct, high_pct) if metric.higher_is_better else (high_pct, low_pct)


def _worse(metric: GateMetric, change_pct: float | None) -> float:
    change = change_pct or 0.0
    return -change if metric.higher_is_better else change


def _row(
    item: Compared,
    limits: Limits,
    verdict: str,
    *,
    reason: str = "",
    test: str = "",
    low_pct: float | None = None,
    high_pct: float | None = None,
    p_value: float | None = None,
    units: int = 0,
) -> Judged:
    metric = item.metric
    return Judged(
        key=metric.key,
        name=metric.name,
        unit=metric.metric.unit,
        digits=metric.metric.digits,
        higher_is_better=metric.higher_is_better,
        limit_pct=limits.of(metric),
        verdict=verdict,
        reason=reason,
        test=test,
        baseline=item.baseline,
        candidate=item.candidate,
        change_pct=_rounded(item.change_pct),
        low_pct=_rounded(low_pct),
        high_pct=_rounded(high_pct),
        p_value=None if p_value is None else float(f"{p_value:.4g}"),
        units=units,
    )


def _rounded(pct: float | None) -> float | None:
    return None if pct is None else round(pct, 4)


def _notes(sides: Sides) -> tuple[str, ...]:
    """What the device itself found wrong before or in the runs; it does not change the verdict."""
    runs = (*sides.baseline.results, *sides.candidate.results)
    rates = [result.measurement.pipeline_rate or result.measurement.engine_rate for result in runs]
    unstable = sum(rate is not None and not rate.stable for rate in rates)
    told = [f"{unstable} of {len(runs)} runs were not stable"] if unstable else []
    if sides.baseline.newest.engine.precision != sides.candidate.newest.engine.precision:
        told.append("the sides have different precisions")
    return (*told, *_findings(runs))


def _findings(runs: Sequence[BenchResult]) -> tuple[str, ...]:
    """What was found before the runs, alike sentences once: "other programs take 8 %" differs in every run."""
    alike: dict[str, list[str]] = {}
    for result in runs:
        for finding in result.preflight.findings if result.preflight else ():
            alike.setdefault(_FIGURES.sub("", finding), []).append(finding)
    return tuple(f"before {len(found)} of {len(runs)} runs: {found[-1]}" for found in alike.values())


def _summary(side: Side) -> SideSummary:
    newest = side.newest
    return SideSummary(
        name=side.name,
        engine_id=side.engine_id,
        precision=newest.engine.precision,
        git_commit=newest.git_commit,
        runs=len(side.results),
        sessions=len(sessions_of(side.results)),
        first_utc=side.results[0].created_utc,
        last_utc=newest.created_utc,
    )
