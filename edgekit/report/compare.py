"""Before and after: which results may be compared, and what changed between them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.core.engine import PRECISIONS
from edgekit.core.results import BenchResult
from edgekit.core.stats import LatencySummary, Rate
from edgekit.core.wire import to_wire
from edgekit.errors import UsageError

_MIB = 1 << 20


@dataclass(frozen=True)
class Metric:
    """One row of a comparison. A change smaller than `equal_below_pct` counts as none.

    rate: the FPS with its interval, for the metrics that have one; a change inside both intervals is not called one.
    """

    key: str
    unit: str
    digits: int
    higher_is_better: bool | None  # None: neither is; a fact to know
    equal_below_pct: float
    read: Callable[[BenchResult], float | None]
    rate: Callable[[BenchResult], Rate] | None = None


@dataclass(frozen=True)
class Change:
    """From the baseline, in % of it. verdict: better, worse, same, unclear (intervals overlap) or unknown."""

    pct: float | None
    verdict: str


@dataclass(frozen=True)
class Row:
    """One metric over all engines, baseline first. None: not measured. changes has one entry fewer than values.

    steady: False where the rate changed during the run, so that its figure is not to be trusted.
    """

    key: str
    unit: str
    digits: int
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    steady: tuple[bool, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Comparison:
    """Results of one device, model and set of conditions, one for each engine; results[0] is the baseline."""

    results: tuple[BenchResult, ...]
    rows: tuple[Row, ...]

    @property
    def baseline(self) -> BenchResult:
        return self.results[0]


def _percentile(stage: str, name: str) -> Callable[[BenchResult], float | None]:
    def read(result: BenchResult) -> float | None:
        summary: LatencySummary | None = result.measurement.stages.get(stage)
        return None if summary is None else getattr(summary, name)

    return read


METRICS: tuple[Metric, ...] = (
    Metric(
        "pipeline_fps",
        "FPS",
        1,
        True,
        0.0,
        lambda r: r.measurement.pipeline_rate.fps,
        lambda r: r.measurement.pipeline_rate,
    ),
    Metric(
        "engine_fps", "FPS", 1, True, 0.0, lambda r: r.measurement.engine_rate.fps, lambda r: r.measurement.engine_rate
    ),
    Metric("pipeline_share", "%", 1, True, 1.0, lambda r: 100 * r.measurement.pipeline_share),
    Metric("inference_p50", "ms", 2, False, 2.0, _percentile("inference", "p50_ms")),
    Metric("end_to_end_p50", "ms", 2, False, 2.0, _percentile("end_to_end", "p50_ms")),
    Metric("end_to_end_p95", "ms", 2, False, 2.0, _percentile("end_to_end", "p95_ms")),
    Metric("end_to_end_p99", "ms", 2, False, 2.0, _percentile("end_to_end", "p99_ms")),
    Metric("host_p50", "ms", 2, False, 2.0, _percentile("host", "p50_ms")),
    Metric("map50_95", "", 3, True, 0.1, lambda r: r.accuracy.map50_95 if r.accuracy else None),
    Metric("map50", "", 3, True, 0.1, lambda r: r.accuracy.map50 if r.accuracy else None),
    Metric("memory_peak", "MiB", 0, False, 1.0, lambda r: r.measurement.memory_peak_mib),
    Metric("cpu_utilisation", "%", 0, False, 2.0, lambda r: r.measurement.cpu_utilisation_pct),
    Metric("power_mean", "W", 1, False, 2.0, lambda r: r.measurement.power_mean_w),
    Metric("engine_size", "MiB", 2, False, 0.1, lambda r: r.engine.file_bytes / _MIB),
    Metric("build_time", "s", 1, None, 5.0, lambda r: r.engine.build_s),
    Metric("load_time", "s", 2, False, 5.0, lambda r: r.measurement.engine_load_s),
)


def conditions_of(result: BenchResult) -> dict[str, Any]:
    """What must be equal before two figures may be compared, by the path of the field in a result file."""
    return {
        "device": result.device,
        "profile.engine_key": result.profile.engine_key,
        "profile.power_mode": result.profile.power_mode,
        "engine.detector": result.engine.detector,
        "engine.model_sha256": result.engine.model_sha256,
        **{f"conditions.{name}": value for name, value in to_wire(result.conditions).items()},
    }


def differences(first: BenchResult, second: BenchResult) -> tuple[str, ...]:
    """One line "field: value and value" for each condition in which two results differ; empty: they compare."""
    ours, theirs = conditions_of(first), conditions_of(second)
    if first.accuracy and second.accuracy:
        ours["accuracy.dataset_sha256"] = first.accuracy.dataset_sha256
        theirs["accuracy.dataset_sha256"] = second.accuracy.dataset_sha256
    return tuple(
        f"{name}: {_short(ours[name])} and {_short(theirs[name])}" for name in ours if ours[name] != theirs[name]
    )


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def compare(results: Sequence[BenchResult]) -> Comparison:
    """Compare results of different engines; the baseline is the highest precision, the newest of it.

    Raises UsageError naming every field in which two of them differ.
    """
    if not results:
        raise ValueError("nothing to compare")
    ordered = tuple(sorted(sorted(results, key=lambda r: r.created_utc, reverse=True), key=_precision_order))
    for other in ordered[1:]:
        found = differences(ordered[0], other)
        if found:
            raise UsageError(
                f"results {ordered[0].result_id} and {other.result_id} were not measured under the same conditions",
                why="\n".join(found),
                hint="run edgekit bench --fps for both with the same options",
            )
    return Comparison(ordered, tuple(_row(metric, ordered) for metric in METRICS))


def _precision_order(result: BenchResult) -> int:
    return PRECISIONS.index(result.engine.precision) if result.engine.precision in PRECISIONS else len(PRECISIONS)


def _row(metric: Metric, results: Sequence[BenchResult]) -> Row:
    rates = [metric.rate(result) for result in results] if metric.rate else []
    values = tuple(metric.read(result) for result in results)
    intervals = tuple((rate.low_fps, rate.high_fps) for rate in rates) if rates else (None,) * len(results)
    changes = tuple(
        change_between(metric, values[0], value, overlap=bool(rates) and _overlap(intervals[0], intervals[index]))
        for index, value in enumerate(values[1:], start=1)
    )
    steady = tuple(rate.stable for rate in rates) or (True,) * len(results)
    return Row(metric.key, metric.unit, metric.digits, values, intervals, steady, changes)


def _overlap(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    return first is not None and second is not None and first[0] <= second[1] and second[0] <= first[1]


def change_between(metric: Metric, before: float | None, after: float | None, *, overlap: bool = False) -> Change:
    """How `after` differs from `before`; nothing is said where one was not measured or the first is zero."""
    if before is None or after is None or before == 0:
        return Change(None, "unknown")
    pct = 100 * (after - before) / before
    if overlap:
        return Change(pct, "unclear")
    if abs(pct) <= metric.equal_below_pct or metric.higher_is_better is None:
        return Change(pct, "same")
    return Change(pct, "better" if (pct > 0) == metric.higher_is_better else "worse")


@dataclass(frozen=True)
class Choice:
    """The results a report is about, and one line for each that was left out, with the reason."""

    results: tuple[BenchResult, ...]
    left_out: tuple[str, ...]


def choose(results: Sequence[BenchResult]) -> Choice:
    """From everything measured for one device and detector, the set that makes the most telling honest comparison.

    Only the newest result's model, device key and power mode are considered. Among sets of equal conditions the one
    with most engines wins, then the newest; within it the newest result of each engine counts. Accuracy belongs to the
    engine file, not to the run: a run that did not measure it takes it from the newest one of the same engine.
    """
    newest_first = [
        _with_accuracy(result, results) for result in sorted(results, key=lambda r: r.created_utc, reverse=True)
    ]
    groups: dict[str, list[BenchResult]] = {}
    for result in newest_first:
        if _subject(result) == _subject(newest_first[0]):
            groups.setdefault(str(conditions_of(result)), []).append(result)
    group = max(groups.values(), key=lambda members: len({member.engine.engine_id for member in members}))
    chosen: dict[str, BenchResult] = {}
    for result in group:
        if result.engine.engine_id not in chosen and not any(differences(result, other) for other in chosen.values()):
            chosen[result.engine.engine_id] = result
    kept = tuple(chosen.values())
    left_out = tuple(
        f"{result.result_id}: {'; '.join(differences(kept[0], result))}"
        for result in newest_first
        if differences(kept[0], result)
    )
    return Choice(kept, left_out)


def _with_accuracy(result: BenchResult, results: Sequence[BenchResult]) -> BenchResult:
    if result.accuracy is not None:
        return result
    judged = [other for other in results if other.accuracy and other.engine.engine_id == result.engine.engine_id]
    return replace(result, accuracy=max(judged, key=lambda r: r.created_utc).accuracy) if judged else result


def _subject(result: BenchResult) -> tuple[str, str, str | None]:
    return result.engine.model_sha256, result.profile.engine_key, result.profile.power_mode
