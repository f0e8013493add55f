"""What engines keep of their reference's accuracy, as a figure of the results that were measured with them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.core.engine import PRECISIONS
from edgekit.core.gate import short_name
from edgekit.core.results import Accuracy, BenchResult
from edgekit.report.history.evaluations import EvaluationRecord, ListedEvaluation
from edgekit.report.history.rows import Listed


@dataclass(frozen=True)
class Yardstick:
    """What shares are of, and on which pictures: shares of different ones stand in no one line."""

    dataset: str
    dataset_sha256: str
    labelled_by: str
    reference: str  # "FP32", "FP16"


_Subject = tuple[str, str, str]  # device, detector, precision


def yardstick_of(evaluation: ListedEvaluation) -> Yardstick | None:
    """None where nothing is kept of anything wider: not judged, or INT8 against the INT8 engine before it."""
    if evaluation.kept is None or evaluation.reference is None:
        return None
    reference = short_name(evaluation.reference)
    widths = [name.upper() for name in PRECISIONS]
    if reference not in widths or widths.index(reference) >= widths.index(evaluation.precision.upper()):
        return None
    return Yardstick(evaluation.dataset, evaluation.dataset_sha256, evaluation.labelled_by, reference)


def yardsticks(evaluations: Iterable[ListedEvaluation]) -> dict[_Subject, Yardstick]:
    """By device, detector and precision: what the newest evaluation measures by; people's labels before a model's."""
    chosen: dict[_Subject, Yardstick] = {}
    for one in evaluations:
        found, subject = yardstick_of(one), (one.device, one.detector, one.precision)
        if found is None:
            continue
        before = chosen.get(subject)
        if before is None or (before.labelled_by == "model" and found.labelled_by == "people"):
            chosen[subject] = found
    return chosen


def with_kept(rows: Sequence[Listed], evaluations: Sequence[ListedEvaluation]) -> tuple[Listed, ...]:
    """The results with what their engines keep, in percent, as map_kept_pct and the ends of its interval.

    evaluations: newest first; of an engine that was judged twice by one yardstick the newest counts. Accuracy belongs
    to the engine: every result of it says the same. None where it was not judged by the yardstick of its kind.
    """
    sticks = yardsticks(evaluations)
    kept: dict[tuple[_Subject, str], ListedEvaluation] = {}
    for one in evaluations:
        subject = (one.device, one.detector, one.precision)
        if subject in sticks and yardstick_of(one) == sticks[subject]:
            kept.setdefault((subject, one.engine_id), one)
    return tuple(_with(row, kept.get(((row.device, row.detector, row.precision), row.engine_id))) for row in rows)


def _with(row: Listed, found: ListedEvaluation | None) -> Listed:
    shares = (found.kept, found.kept_low, found.kept_high) if found else (None, None, None)
    names = ("map_kept_pct", "map_kept_low_pct", "map_kept_high_pct")
    told = {name: None if share is None else 100 * share for name, share in zip(names, shares, strict=True)}
    return replace(row, figures={**row.figures, **told})


def losses_of(evaluations: Sequence[ListedEvaluation]) -> dict[tuple[str, str], tuple[float, str]]:
    """(device, engine id) -> what it lost of mAP50-95 in %, and of which precision's; by people's labels, by the
    yardstick of its kind alone. evaluations: newest first."""
    sticks = yardsticks(evaluations)
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for one in evaluations:
        stick = sticks.get((one.device, one.detector, one.precision))
        if stick is None or stick != yardstick_of(one) or stick.labelled_by != "people" or one.kept is None:
            continue
        found.setdefault((one.device, one.engine_id), (100 * (1 - one.kept), stick.reference.lower()))
    return found


def with_accuracy(results: Sequence[BenchResult], evaluations: Sequence[EvaluationRecord]) -> tuple[BenchResult, ...]:
    """The results; those without an accuracy with the one that an evaluation by people's labels gave their engine.

    evaluations: newest first. Of several sets the one that the results were judged on already is taken, for only
    accuracies on one set compare; without it the newest.
    """
    used = {result.accuracy.dataset_sha256 for result in results if result.accuracy is not None}
    found = _accuracies(evaluations)

    def of(result: BenchResult) -> BenchResult:
        known = found.get((result.device, result.engine.engine_id), ())
        if result.accuracy is not None or not known:
            return result
        return replace(result, accuracy=next((one for one in known if one.dataset_sha256 in used), known[0]))

    return tuple(map(of, results))


def _accuracies(evaluations: Sequence[EvaluationRecord]) -> Mapping[tuple[str, str], Sequence[Accuracy]]:
    """By device and engine, newest first; also of engines that others were held against."""
    found: dict[tuple[str, str], list[Accuracy]] = {}
    for one in evaluations:
        if one.labelled_by != "people":
            continue
        for engine_id, accuracy in (
            (one.engine_id, one.accuracy),
            (one.reference_engine_id, one.reference_accuracy),
        ):
            if engine_id and accuracy is not None:
                found.setdefault((one.device, engine_id), []).append(accuracy)
    return found
