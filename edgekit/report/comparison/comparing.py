"""Before and after: which results may be compared, and what changed between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.core.engine import PRECISIONS
from edgekit.core.results import BenchResult
from edgekit.core.rounds import median_of, range_of
from edgekit.core.wire import to_wire
from edgekit.errors import UsageError
from edgekit.report.comparison.metrics import METRICS, Metric
from edgekit.report.comparison.ratio import rate_ratio

__all__ = [
    "METRICS",
    "Change",
    "Comparison",
    "Difference",
    "Row",
    "change_between",
    "compare",
    "conditions_of",
    "differences",
    "kept_pct",
]


@dataclass(frozen=True)
class Change:
    """From the baseline, in % of it. verdict: better, worse, same, unclear (intervals overlap) or unknown."""

    pct: float | None
    verdict: str


@dataclass(frozen=True)
class Row:
    """One metric over all engines, baseline first. None: not measured. changes has one entry fewer than values.

    Of an engine that was measured in several rounds: their median, with the lowest and the highest as its interval.

    steady: False where the rate changed during the run, so that its figure is not to be trusted. plain: a figure
    whose change in % would say nothing, such as a temperature; its changes are empty.
    """

    key: str
    group: str  # one of compare_metrics.GROUPS
    unit: str
    digits: int
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    steady: tuple[bool, ...]
    changes: tuple[Change, ...]
    plain: bool = False


@dataclass(frozen=True)
class Comparison:
    """Results of one device, model and set of conditions, one for each engine; results[0] is the baseline.

    rounds: engine id -> all runs of an engine that was measured several times in turns, the one in `results` first.
    """

    results: tuple[BenchResult, ...]
    rows: tuple[Row, ...]
    rounds: Mapping[str, tuple[BenchResult, ...]] = field(default_factory=dict)

    @property
    def baseline(self) -> BenchResult:
        return self.results[0]

    def runs_of(self, result: BenchResult) -> tuple[BenchResult, ...]:
        """All runs of a result's engine, the result itself first."""
        return self.rounds.get(result.engine.engine_id, (result,))


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


@dataclass(frozen=True)
class Difference:
    """A condition in which two results differ: the path of its field, and both values as they are shown."""

    name: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.name}: {self.first} and {self.second}"


def differences(first: BenchResult, second: BenchResult) -> tuple[Difference, ...]:
    """Each condition in which two results differ; empty: they compare."""
    ours, theirs = conditions_of(first), conditions_of(second)
    if first.accuracy and second.accuracy:
        ours["accuracy.dataset_sha256"] = first.accuracy.dataset_sha256
        theirs["accuracy.dataset_sha256"] = second.accuracy.dataset_sha256
    return tuple(
        Difference(name, _short(ours[name]), _short(theirs[name])) for name in ours if ours[name] != theirs[name]
    )


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def compare(results: Sequence[BenchResult], rounds: Mapping[str, tuple[BenchResult, ...]] | None = None) -> Comparison:
    """Compare results of different engines; the baseline is the highest precision, the newest of it.

    rounds: as in Comparison. Raises UsageError naming every field in which two of the results differ.
    """
    if not results:
        raise ValueError("nothing to compare")
    ordered = tuple(sorted(sorted(results, key=lambda r: r.created_utc, reverse=True), key=_precision_order))
    for other in ordered[1:]:
        found = differences(ordered[0], other)
        if found:
            raise UsageError(
                f"results {ordered[0].result_id} and {other.result_id} were not measured under the same conditions",
                why="\n".join(map(str, found)),
                hint="run edgekit bench --fps for both with the same options",
            )
    runs = tuple((rounds or {}).get(result.engine.engine_id, (result,)) for result in ordered)
    return Comparison(ordered, tuple(_rows(ordered, runs)), dict(rounds or {}))


def _precision_order(result: BenchResult) -> int:
    return PRECISIONS.index(result.engine.precision) if result.engine.precision in PRECISIONS else len(PRECISIONS)


def _rows(results: Sequence[BenchResult], runs: Sequence[Sequence[BenchResult]]) -> Iterator[Row]:
    for metric in METRICS:
        row = _row(metric, results, runs)
        if any(value is not None for value in row.values) or any(metric.expected(result) for result in results):
            yield row
        if metric.key == "map50_95" and len(results) > 1:
            yield _kept_row(row)


def _row(metric: Metric, results: Sequence[BenchResult], runs: Sequence[Sequence[BenchResult]]) -> Row:
    values = tuple(_value(metric, of_engine) for of_engine in runs)
    intervals = tuple(_interval(metric, of_engine) for of_engine in runs)
    changes = tuple(_change(metric, values, intervals, runs, index) for index in range(1, len(results)))
    steady = tuple(metric.is_steady(result) for result in results)
    return Row(metric.key, metric.group, metric.unit, metric.digits, values, intervals, steady, changes, metric.plain)


def _value(metric: Metric, runs: Sequence[BenchResult]) -> float | None:
    """Of one run as it is, a disturbed one too: that stands alone, and is marked."""
    return metric.read(runs[0]) if len(runs) == 1 else median_of(runs, metric.read)


def _interval(metric: Metric, runs: Sequence[BenchResult]) -> tuple[float, float] | None:
    """Of one run its interval, of several rounds the lowest and the highest."""
    first = metric.interval_of(runs[0])
    return first if first is None or len(runs) == 1 else range_of(runs, metric.read)


def _kept_row(accuracy: Row) -> Row:
    """What each engine keeps of the baseline's accuracy, in %."""
    base, nothing = accuracy.values[0], (None,) * len(accuracy.values)
    kept = tuple(None if value is None or not base else kept_pct(base, value) for value in accuracy.values)
    changes = tuple(Change(None, "unknown") for _ in kept[1:])
    return Row("map_kept", accuracy.group, "%", 1, kept, nothing, accuracy.steady, changes, plain=True)


def kept_pct(before: float, after: float) -> float:
    """What is left of an accuracy above 0, in %, rounded down to a tenth: what misses a limit never reads as met."""
    return int(1000 * after / before + 1e-6) / 10


def _change(
    metric: Metric,
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    runs: Sequence[Sequence[BenchResult]],
    index: int,
) -> Change:
    """Of engine `index` against the baseline. Rates of engines that took turns change by the mean of their ratios."""
    if metric.plain:
        return Change(None, "unknown")
    ratio = rate_ratio(runs[0], runs[index], metric.rate) if metric.rate is not None else None
    before, after = values[0], values[index]
    if ratio is not None and before is not None:
        after = before * ratio.value if ratio.pairs else after  # the pairs know more than the two medians
        return change_between(metric, before, after, overlap=not ratio.told_apart)
    first, second = intervals[0], intervals[index]
    overlap = first is not None and second is not None and first[0] <= second[1] and second[0] <= first[1]
    return change_between(metric, before, after, overlap=overlap)


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
