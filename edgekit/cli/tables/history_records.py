"""What `edgekit history` shows of an evaluation and of a refresh: as a line of the list, and whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.cli.console import facts, table
from edgekit.core.gate import caveat_text, refusal_text, share_text, short_name, unsure_text
from edgekit.core.refresh import Refresh
from edgekit.report.history.evaluations import EvaluationRecord, ListedEvaluation
from edgekit.report.history.refreshes import ListedRefresh

_SOURCES = {
    "eval": "edgekit eval",
    "judged": "held against another engine while deploying, refreshing or evaluating",
    "verified": "checked after its build",
}
_NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Cells:
    """A line of the list. figures: by the name of a result's figure. remarks: what is told below the table."""

    record_id: str
    what: str
    figures: dict[str, str]
    kept: str | None
    branch: str | None
    marks: str
    remarks: tuple[str, ...] = ()


def evaluation_cells(row: ListedEvaluation) -> Cells:
    """Agreement with a model is no accuracy, and does not stand among the mAP50-95."""
    by_people = row.labelled_by == "people"
    verdict = "" if row.passed is None else "passed" if row.passed else "not passed"
    marks = ("" if by_people else "agreement", verdict)
    return Cells(
        row.evaluation_id,
        "eval",
        {"map50_95": f"{row.map50_95:.3f}"} if by_people else {},
        _kept_of(row),
        row.git_branch,
        ", ".join(mark for mark in marks if mark),
        tuple(_evaluation_remarks(row)),
    )


def _kept_of(row: ListedEvaluation | ListedRefresh) -> str | None:
    if row.kept is None or row.reference is None:
        return None
    return f"{share_text(row.kept)} of {short_name(row.reference)}"


def _evaluation_remarks(row: ListedEvaluation) -> Iterator[str]:
    if row.passed is False and row.kept is not None:
        worst = f"; least in {row.worst_stratum}: {share_text(row.worst_kept)}" if row.worst_kept is not None else ""
        interval = f"{share_text(row.kept_low or 0)} to {share_text(row.kept_high or 0)}"
        yield f"keeps {share_text(row.kept)} ({interval}) of {row.reference} on {row.dataset}{worst}"


def refresh_cells(row: ListedRefresh) -> Cells:
    """What is kept is of the engine that was never quantised."""
    mark = f"{row.outcome}, not finished" if row.unfinished else row.outcome
    return Cells(row.refresh_id, "refresh", {}, _kept_of(row), None, mark, (f"{row.outcome}: {row.why}",))


def evaluation_facts(row: ListedEvaluation, record: EvaluationRecord) -> Iterator[Any]:
    """An evaluation for people: what was judged on what, what it keeps, and in which strata."""
    measure = "mAP50-95" if record.labelled_by == "people" else "agreement with the FP32 model, not accuracy"
    yield facts(
        (
            ("id", row.evaluation_id),
            ("found", f"{row.created_utc}, {_SOURCES[row.source]}"),
            ("device", row.device),
            ("detector", row.detector or _NOT_KNOWN),
            ("engine", f"{row.precision.upper()} {row.engine_id}"),
            ("set", f"{row.dataset}, {row.pictures} pictures, digest {row.dataset_sha256[:12]}"),
            (measure, f"{row.map50_95:.3f}"),
            ("mAP50", _NOT_KNOWN if row.map50 is None else f"{row.map50:.3f}"),
            ("held against", row.reference or "nothing"),
            ("commit", " ".join(part for part in (row.git_commit, row.git_branch) if part) or "not recorded"),
            ("as JSON", f"edgekit history show {row.evaluation_id} --json"),
        )
    )
    gate = record.gate
    if gate is None:
        return
    rows = [
        (one.stratum, one.pictures, f"{one.baseline_map:.3f}", f"{one.map50_95:.3f}", *_shares(one), one.verdict)
        for one in gate.rows
    ]
    columns = ("stratum", "pictures", "baseline", "mAP50-95", "kept", "95 % interval", "verdict")
    yield ""
    yield table(columns, rows, right=columns[1:6])
    verdict = (
        f"the gate lets it pass{unsure_text(gate)}" if gate.passed else f"the gate refuses it: {refusal_text(gate)}"
    )
    yield from ("", verdict, *([caveat_text(gate)] if caveat_text(gate) else []))


def _shares(one: Any) -> tuple[str | None, str | None]:
    if one.verdict == "not judged":
        return None, None
    return share_text(one.kept), f"{share_text(one.low)} to {share_text(one.high)}"


def refresh_facts(row: ListedRefresh, record: Refresh) -> Iterator[Any]:
    """A refresh for people: what went in, each comparison, what came of it."""
    from edgekit.cli.tables.refresh import record_items

    after = f"{row.set_after}, {row.set_pictures} pictures, {row.field_pictures} from the field, "
    yield facts(
        (
            ("id", row.refresh_id),
            ("begun", f"{row.created_utc}, took {row.duration_s:.0f} s" + (", not finished" if row.unfinished else "")),
            ("detector", row.detector),
            ("set before", row.set_before or "not come so far"),
            ("set after", f"{after}digest {row.set_after_sha256[:12]}" if row.set_after else "not come so far"),
            ("drift before", _NOT_KNOWN if row.drift_before is None else f"{100 * row.drift_before:.0f} %"),
            ("its strata", ", ".join(row.set_strata) or "not come so far"),
            ("new scenes", ", ".join(row.new_strata) or "none"),
            ("served before", row.serving_engine_id or _NOT_KNOWN),
            ("candidate", row.candidate_engine_id or "none"),
            ("as JSON", f"edgekit history show {row.refresh_id} --json"),
        )
    )
    yield ""
    yield from record_items(record)
