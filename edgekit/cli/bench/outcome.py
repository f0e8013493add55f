"""What one device's bench comes to, for --json and for tables: results, the headline, ratios, limits not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.limits import Limits, Missed, fps, missed_limits
from edgekit.core.results import FPS_MEANS_OF, BenchResult
from edgekit.core.rounds import by_engine, comparable, median_of, range_of
from edgekit.core.stats import Rate
from edgekit.errors import TargetMissedError, error_to_dict
from edgekit.report.comparison.ratio import Ratio, rate_ratio


@dataclass(frozen=True)
class Headline:
    """One figure, what it is, and whether it may be leaned on.

    low and high: its 95 % interval, or with several rounds the lowest and the highest of them. rounds: that counted.
    disturbed: what happened, "" if nothing did. verdict: "stable", or the reason and the next step; in the scenario
    "camera" whether the device keeps up.
    """

    engine_id: str
    precision: str
    fps: float
    low_fps: float
    high_fps: float
    rounds: int
    means: str
    stable: bool
    verdict: str
    disturbed: str = ""


@dataclass(frozen=True)
class EngineRatio:
    """How many times the baseline's FPS an engine gives."""

    baseline_id: str
    engine_id: str
    ratio: Ratio


@dataclass(frozen=True)
class DeviceBench:
    """results: in the order in which they were measured; notes: what was said of runs before."""

    device: str
    scenario: str
    session: str
    headline: Headline
    results: tuple[BenchResult, ...]
    ratios: tuple[EngineRatio, ...]
    limits: Limits
    missed: tuple[Missed, ...]
    error: dict[str, str] | None = None


def outcome_of(results: Sequence[BenchResult], shipped_id: str, limits: Limits) -> DeviceBench:
    """All of it from the results of one device's session. The shipped engine, else the last, gives the headline and is
    held to the limits.
    """
    groups = by_engine(results)
    shipped = next((group for group in groups if group[0].engine.engine_id == shipped_id), groups[-1])
    missed = missed_limits(limits, shipped)
    error = missed_error(missed) if missed else None
    return DeviceBench(
        device=results[0].device,
        scenario=results[0].scenario_name,
        session=results[0].session,
        headline=_headline(shipped),
        results=tuple(results),
        ratios=_ratios(groups),
        limits=limits,
        missed=missed,
        error=error_to_dict(error) if error else None,
    )


def missed_error(missed: Sequence[Missed]) -> TargetMissedError:
    """The error for all limits that were not kept."""
    first, *others = (item.sentence for item in missed)
    hint = "edgekit report    (shows which stage takes the time)"
    return TargetMissedError(first, why="\n".join(others), hint=hint)


def shown_rounds(results: Sequence[BenchResult]) -> tuple[BenchResult, ...]:
    """The results of an engine that its figures are made of: the undisturbed ones, else the last one by itself."""
    return comparable(results) or tuple(results[-1:])


def _headline(results: Sequence[BenchResult]) -> Headline:
    counted = shown_rounds(results)
    rates = [result.measurement.rate for result in counted]
    low, high = _bounds(rates, counted)
    engine, unstable = counted[0].engine, next((rate for rate in rates if not rate.stable), None)
    disturbed = "" if counted[0].comparable else "; ".join(counted[0].measurement.disturbances)
    middle = median_of(counted, fps)
    return Headline(
        engine.engine_id,
        engine.precision,
        fps=rates[0].fps if middle is None else middle,
        low_fps=low,
        high_fps=high,
        rounds=len(counted),
        means=FPS_MEANS_OF[counted[0].conditions.scenario],
        stable=unstable is None,
        verdict=(unstable or rates[0]).verdict,
        disturbed=disturbed,
    )


def _bounds(rates: Sequence[Rate], counted: Sequence[BenchResult]) -> tuple[float, float]:
    found = range_of(counted, fps)
    if len(rates) == 1 or found is None:
        return rates[0].low_fps, rates[0].high_fps
    return found


def _ratios(groups: Sequence[Sequence[BenchResult]]) -> tuple[EngineRatio, ...]:
    baseline = groups[0]
    found = ((group, _ratio(baseline, group)) for group in groups[1:])
    ids = baseline[0].engine.engine_id
    return tuple(EngineRatio(ids, group[0].engine.engine_id, ratio) for group, ratio in found if ratio)


def _ratio(baseline: Sequence[BenchResult], group: Sequence[BenchResult]) -> Ratio | None:
    before, after = comparable(baseline), comparable(group)
    return rate_ratio(before, after, lambda result: result.measurement.rate) if before and after else None
