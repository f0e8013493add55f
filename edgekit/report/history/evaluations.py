"""What is known of an engine's accuracy: one record of an evaluation, from whichever file tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.core.engine import PRECISIONS
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.results import Accuracy
from edgekit.core.wire import digest, from_wire
from edgekit.errors import ConfigError
from edgekit.report.history.rows import created_at, odd_values, parsed, utc_text, whole_document

SCHEMA = 1
_KNOWN = {"source": ("eval", "judged", "verified"), "precision": PRECISIONS, "labelled_by": ("people", "model")}


@dataclass(frozen=True)
class EvaluationRecord:
    """An engine on a set of pictures, and what it keeps of another's accuracy if one was held against it.

    source: "eval" (edgekit eval), "judged" (held against another while deploying or refreshing) or "verified" (measured
    when it was checked after its build, and held against nothing). detector: "" where the file does not say. reference:
    "FP32 engine 0123...", or the model itself, whose id is "". accuracy: None of a gate whose verification is gone:
    then its mAP50 is not known.
    labelled_by: "people", or "model": then every figure is agreement with the model.
    """

    evaluation_id: str
    created_utc: str
    source: str
    device: str
    detector: str
    precision: str
    engine_id: str
    dataset: str
    dataset_sha256: str
    labelled_by: str
    accuracy: Accuracy | None
    reference: str | None = None
    reference_engine_id: str | None = None
    reference_accuracy: Accuracy | None = None
    gate: Gate | None = None
    inference_p50_ms: float | None = None
    git_commit: str | None = None
    git_branch: str | None = None
    schema: int = SCHEMA


@dataclass(frozen=True)
class KeptShare:
    """What is kept in one stratum that was judged; low, high: its 95 % interval."""

    stratum: str
    kept: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class ListedEvaluation:
    """An evaluation without its document: columns of the table, None for what was not measured or not compared."""

    sequence: int
    evaluation_id: str
    created_utc: str
    source: str
    device: str
    detector: str
    precision: str
    engine_id: str
    dataset: str
    dataset_sha256: str
    labelled_by: str
    pictures: int
    map50_95: float
    map50: float | None
    reference: str | None
    reference_engine_id: str | None
    reference_map50_95: float | None
    kept: float | None
    kept_low: float | None
    kept_high: float | None
    passed: bool | None
    worst_stratum: str | None
    worst_kept: float | None
    inference_p50_ms: float | None
    git_commit: str | None
    git_branch: str | None
    strata: tuple[KeptShare, ...]


def evaluation_columns(record: EvaluationRecord) -> dict[str, Any]:
    """What is derived from a record. Raises ConfigError where it holds what no database takes, or says no figure."""
    try:
        derived = {**_facts(record), **_kept(record.gate), "created_at": created_at(record.created_utc)}
        derived["content_sha256"] = _content_sha256(record)
        reasons = odd_values(derived, *(row.stratum for row in record.gate.rows) if record.gate else ())
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"evaluation {record.evaluation_id!r} cannot be kept", why=str(error)) from None
    if reasons:
        raise ConfigError(f"evaluation {record.evaluation_id!r} cannot be kept", why="; ".join(reasons))
    return derived


def _facts(record: EvaluationRecord) -> dict[str, Any]:
    mine, theirs, overall = record.accuracy, record.reference_accuracy, record.gate.overall if record.gate else None
    if mine is None and overall is None:
        raise ValueError("it holds no accuracy")
    for name, known in _KNOWN.items():
        if getattr(record, name) not in known:
            raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(record, name)!r}")
    names = ("evaluation_id", "source", "device", "detector", "precision", "engine_id", "dataset", "dataset_sha256")
    more = ("labelled_by", "reference", "reference_engine_id", "inference_p50_ms", "git_commit", "git_branch")
    return {
        **{name: getattr(record, name) for name in (*names, *more)},
        "pictures": mine.images if mine else overall.pictures if overall else 0,
        "map50_95": mine.map50_95 if mine else overall.map50_95 if overall else 0.0,
        "map50": mine.map50 if mine else None,
        "reference_map50_95": theirs.map50_95 if theirs else overall.baseline_map if overall else None,
        "gate_sha256": digest(record.gate) if record.gate else None,
    }


def _kept(gate: Gate | None) -> dict[str, Any]:
    """What a gate says of the whole and of the worst stratum; nothing of what was not judged."""
    judged = [row for row in gate.rows if row.verdict != "not judged"] if gate else []
    strata = [row for row in judged if row.stratum != "all"]
    overall = next((row for row in judged if row.stratum == "all"), None)
    worst: StratumKept | None = min(strata, key=lambda row: row.kept, default=None)
    shares = [[row.stratum, row.kept, row.low, row.high, row.verdict] for row in strata]
    return {
        "kept": overall.kept if overall else None,
        "kept_low": overall.low if overall else None,
        "kept_high": overall.high if overall else None,
        "passed": gate.passed if gate else None,
        "worst_stratum": worst.stratum if worst else None,
        "worst_kept": worst.kept if worst else None,
        "strata": json.dumps(shares, ensure_ascii=False, allow_nan=False),
    }


def _content_sha256(record: EvaluationRecord) -> str:
    """Digest of what was found. Not of when and on which branch, nor of what a later reading may add to a gate."""
    if record.source == "judged":
        return digest([record.device, record.gate])
    told = [record.device, record.engine_id, record.dataset_sha256, record.accuracy]
    return digest(told if record.source == "verified" else [*told, record.reference_accuracy, record.gate])


def evaluation_document(record: EvaluationRecord) -> str:
    """The whole record as one JSON text. Raises ConfigError for NaN and infinity."""
    return whole_document(record, record.evaluation_id)


def evaluation_of(document: str | Mapping[str, Any], name: str) -> EvaluationRecord:
    """The record of a document. Raises ConfigError if it is damaged or of a newer edgekit."""
    return from_wire(EvaluationRecord, parsed(document, name, SCHEMA), name)


_TAKEN = tuple(name for name in ListedEvaluation.__dataclass_fields__ if name not in ("created_utc", "strata"))


def listed_evaluation(row: Mapping[Any, Any]) -> ListedEvaluation:
    """A row of the table of evaluations."""
    return ListedEvaluation(
        created_utc=utc_text(row["created_at"]),
        strata=tuple(KeptShare(*share) for share in json.loads(row["strata"] or "[]")),
        **{name: row[name] for name in _TAKEN},
    )
