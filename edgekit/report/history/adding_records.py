"""Adding evaluations, which never change, and refreshes, which grow until they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from edgekit.core.refresh import Refresh
from edgekit.errors import ConfigError
from edgekit.report.history.adding import Added, insert_once, known_or_refused, now
from edgekit.report.history.evaluations import EvaluationRecord, evaluation_columns, evaluation_document
from edgekit.report.history.refreshes import has_grown, refresh_columns, refresh_document, refresh_id, refresh_of
from edgekit.report.history.schema import EVALUATION_DOCUMENTS, EVALUATIONS, REFRESH_DOCUMENTS, REFRESHES

Record = EvaluationRecord | Refresh


def record_id(record: Record) -> str:
    """Its id in a history."""
    return record.evaluation_id if isinstance(record, EvaluationRecord) else refresh_id(record)


def add_record(connection: Connection, record: Record) -> Added:
    """Keep a record unless it is there; refused also if it holds what no database takes."""
    try:
        if isinstance(record, EvaluationRecord):
            return _add_evaluation(connection, record)
        return _add_refresh(connection, record)
    except ConfigError as error:
        return Added(record_id(record), "refused", " ".join(str(error).split()))


def preview_record(connection: Connection, record: Record) -> Added:
    """What `add_record` would answer."""
    name = record_id(record)
    try:
        if isinstance(record, EvaluationRecord):
            columns = evaluation_columns(record)
            found = _kept_evaluation(connection, name) or _same_gate(connection, columns)
            sha256 = columns["content_sha256"]
            return known_or_refused(name, found, sha256, "an evaluation") if found else Added(name, "added")
        return _of_kept_refresh(connection, record, refresh_columns(record)) or Added(name, "added")
    except ConfigError as error:
        return Added(name, "refused", " ".join(str(error).split()))


def _add_evaluation(connection: Connection, record: EvaluationRecord) -> Added:
    columns, document = {**evaluation_columns(record), "added_at": now()}, evaluation_document(record)
    name, sha256 = record.evaluation_id, columns["content_sha256"]
    if _same_gate(connection, columns) is not None:
        return Added(name, "known")
    sequence = insert_once(connection, EVALUATIONS, "evaluation_id", columns)
    if sequence is None:
        return known_or_refused(name, _kept_evaluation(connection, name), sha256, "an evaluation")
    connection.execute(EVALUATION_DOCUMENTS.insert(), {"sequence": sequence, "document": document})
    return Added(name, "added")


def _kept_evaluation(connection: Connection, name: str) -> str | None:
    kept = select(EVALUATIONS.c.content_sha256).where(EVALUATIONS.c.evaluation_id == name)
    return connection.execute(kept).scalar()


def _same_gate(connection: Connection, columns: Mapping[str, Any]) -> str | None:
    """The digest of a gate's own record, if an evaluation of `edgekit eval` holds just this gate: it says more."""
    if columns["source"] != "judged":
        return None
    told = select(EVALUATIONS.c.evaluation_id).where(
        EVALUATIONS.c.engine_id == columns["engine_id"],
        EVALUATIONS.c.device == columns["device"],
        EVALUATIONS.c.gate_sha256 == columns["gate_sha256"],
        EVALUATIONS.c.source == "eval",
    )
    return str(columns["content_sha256"]) if connection.execute(told).first() else None


def _add_refresh(connection: Connection, record: Refresh) -> Added:
    columns, document = {**refresh_columns(record), "added_at": now()}, refresh_document(record)
    name = columns["refresh_id"]
    sequence = insert_once(connection, REFRESHES, "refresh_id", columns)
    if sequence is not None:
        connection.execute(REFRESH_DOCUMENTS.insert(), {"sequence": sequence, "document": document})
        return Added(name, "added")
    found = _of_kept_refresh(connection, record, columns)
    assert found is not None
    if found.outcome == "added":
        _replace(connection, name, columns, document)
    return found


def _of_kept_refresh(connection: Connection, record: Refresh, columns: Mapping[str, Any]) -> Added | None:
    """What becomes of a refresh whose id is there, None if it is not."""
    name = columns["refresh_id"]
    wanted = select(REFRESHES.c.content_sha256, REFRESH_DOCUMENTS.c.document).join(REFRESH_DOCUMENTS)
    row = connection.execute(wanted.where(REFRESHES.c.refresh_id == name)).first()
    if row is None:
        return None
    if row.content_sha256 != columns["content_sha256"] and has_grown(refresh_of(row.document, name), record):
        return Added(name, "added")
    return known_or_refused(name, row.content_sha256, columns["content_sha256"], "a refresh that has ended")


def _replace(connection: Connection, name: str, columns: dict[str, object], document: str) -> None:
    sequence = connection.execute(select(REFRESHES.c.sequence).where(REFRESHES.c.refresh_id == name)).scalar()
    connection.execute(update(REFRESHES).where(REFRESHES.c.sequence == sequence).values(**columns))
    connection.execute(
        update(REFRESH_DOCUMENTS).where(REFRESH_DOCUMENTS.c.sequence == sequence).values(document=document)
    )
