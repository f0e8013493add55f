"""What `edgekit eval` found out: an engine's accuracy, what it keeps of another's, and where it sees worst."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping, Optional, Tuple

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.results import Accuracy
from edgekit.core.stats import LatencySummary


@dataclass(frozen=True)
class EngineFigures:
    """name: "INT8 engine 0123456789abcdef", or "the FP32 model itself". engine_id: "" for the model.

    inference: one picture at a time on the device, as it timed it; None for the model, which this machine ran.
    """

    name: str
    engine_id: str
    precision: str
    accuracy: Accuracy
    inference: Optional[LatencySummary]


@dataclass(frozen=True)
class WorstFrame:
    """One picture, objects counted at the detector's own thresholds and IoU 0.5. baseline_*: None without a baseline.

    missed: labelled objects that were not found; invented: what was found and is not labelled. harm: what is invented,
    and what the overlap of each labelled object lacks of 1 (1 for a missed one); less the same of the baseline, if
    there is one. picture: file name of the drawing.
    """

    name: str
    strata: Tuple[str, ...]
    objects: int
    missed: int
    invented: int
    baseline_missed: Optional[int]
    baseline_invented: Optional[int]
    harm: float
    picture: str = ""


@dataclass(frozen=True)
class Evaluation:
    """labelled_by: "people", or "model": then every figure is agreement with the model, and texts say so.

    gate: the candidate against the baseline; both None where nothing was to be compared.
    """

    device: str
    detector: str
    dataset: str
    dataset_sha256: str
    labelled_by: str
    candidate: EngineFigures
    baseline: Optional[EngineFigures]
    gate: Optional[Gate]
    worst: Tuple[WorstFrame, ...] = ()
    schema: int = 1


@dataclass(frozen=True)
class EvaluationRow:
    """One line of the table. group: "all", "stratum", "size" or "class". baseline_map, kept: None without a baseline.

    low, high, verdict: of what the gate judges; None for sizes and classes, which are told without an interval.
    """

    group: str
    name: str
    pictures: Optional[int]
    objects: Optional[int]
    map50_95: float
    baseline_map: Optional[float] = None
    kept: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    verdict: Optional[str] = None


def rows_of(evaluation: Evaluation) -> Tuple[EvaluationRow, ...]:
    """All figures in the order in which they are shown: the whole, strata, sizes, classes."""
    mine = evaluation.candidate.accuracy
    theirs = evaluation.baseline.accuracy if evaluation.baseline else None
    sizes = _plain_rows("size", mine.per_size, theirs.per_size if theirs else None)
    classes = _plain_rows("class", mine.per_class, theirs.per_class if theirs else None)
    if evaluation.gate is not None:
        judged = tuple(_judged_row(row) for row in evaluation.gate.rows)
        return (*judged, *sizes, *classes)
    strata = {**mine.per_condition, **mine.per_stratum}
    whole = EvaluationRow("all", "all", mine.images, None, mine.map50_95)
    return (whole, *_plain_rows("stratum", strata, None), *sizes, *classes)


def _judged_row(row: StratumKept) -> EvaluationRow:
    group = "all" if row.stratum == "all" else "stratum"
    told = EvaluationRow(
        group, row.stratum, row.pictures, row.objects, row.map50_95, row.baseline_map, verdict=row.verdict
    )
    return told if row.verdict == "not judged" else replace(told, kept=row.kept, low=row.low, high=row.high)


def _plain_rows(
    group: str, mine: Mapping[str, float], theirs: Optional[Mapping[str, float]]
) -> Tuple[EvaluationRow, ...]:
    rows = []
    for name, value in mine.items():
        base = (theirs or {}).get(name)
        rows.append(EvaluationRow(group, name, None, None, value, base, value / base if base else None))
    return tuple(rows)
