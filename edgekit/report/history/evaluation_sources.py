"""What tells of an engine's accuracy, as records of evaluations: `edgekit eval`, a gate's file, a verification."""

from __future__ import annotations

import re
from datetime import datetime

from edgekit.core.evaluation import Evaluation
from edgekit.core.gate import Gate
from edgekit.core.verification import Verification
from edgekit.core.wire import digest
from edgekit.errors import ConfigError
from edgekit.report.history.evaluations import EvaluationRecord
from edgekit.report.history.rows import utc_text

_NAMED = re.compile(r"(FP32|FP16|INT8) engine (\S+)")


def of_evaluation(
    evaluation: Evaluation, created_utc: str, git_commit: str | None, git_branch: str | None
) -> EvaluationRecord:
    """The record of what `edgekit eval` found. The same figures give the same id, whenever they were asked for."""
    mine, theirs = evaluation.candidate, evaluation.baseline
    told = [evaluation.device, evaluation.detector, evaluation.dataset_sha256, mine, theirs, evaluation.gate]
    return EvaluationRecord(
        evaluation_id=f"eval-{digest(told)[:16]}",
        created_utc=created_utc,
        source="eval",
        device=evaluation.device,
        detector=evaluation.detector,
        precision=mine.precision,
        engine_id=mine.engine_id,
        dataset=evaluation.dataset,
        dataset_sha256=evaluation.dataset_sha256,
        labelled_by=evaluation.labelled_by,
        accuracy=mine.accuracy,
        reference=theirs.name if theirs else None,
        reference_engine_id=theirs.engine_id if theirs else None,
        reference_accuracy=theirs.accuracy if theirs else None,
        gate=evaluation.gate,
        inference_p50_ms=mine.inference.p50_ms if mine.inference else None,
        git_commit=git_commit,
        git_branch=git_branch,
    )


def of_gate(
    record_id: str, gate: Gate, device: str, detector: str, created: datetime, checked: Verification | None
) -> EvaluationRecord:
    """The record of a gate's file. checked: how the same engine was verified on the same set, if that is known.

    Raises ConfigError for a gate without rows, or one that does not name its engine.
    """
    named = _NAMED.fullmatch(gate.candidate)
    if named is None or not gate.rows:
        raise ConfigError(f"{record_id}: not a gate of an engine", why=f"it judges {gate.candidate!r}")
    against = _NAMED.fullmatch(gate.baseline)
    return EvaluationRecord(
        evaluation_id=record_id,
        created_utc=utc_text(created),
        source="judged",
        device=device,
        detector=detector,
        precision=named[1].lower(),
        engine_id=named[2],
        dataset=gate.dataset,
        dataset_sha256=gate.dataset_sha256,
        labelled_by=gate.labelled_by,
        accuracy=checked.accuracy if checked else None,
        reference=gate.baseline,
        reference_engine_id=against[2] if against else "",
        gate=gate,
        inference_p50_ms=checked.inference.p50_ms if checked else None,
    )


def of_verification(
    record_id: str, checked: Verification, device: str, detector: str, created: datetime
) -> EvaluationRecord | None:
    """The record of a build's accuracy, None where it was not measured: the frozen set has no labels, or is missing."""
    measured = checked.accuracy
    if measured is None:
        return None
    return EvaluationRecord(
        evaluation_id=record_id,
        created_utc=utc_text(created),
        source="verified",
        device=device,
        detector=detector,
        precision=checked.precision,
        engine_id=checked.engine_id,
        dataset=measured.dataset,
        dataset_sha256=measured.dataset_sha256,
        labelled_by="people",
        accuracy=measured,
        inference_p50_ms=checked.inference.p50_ms,
    )
