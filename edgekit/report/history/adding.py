"""Adding to the tables: the same once, never another under the same name, whoever else is adding at the moment."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from edgekit.core.results import BenchResult
from edgekit.core.wire import canonical_json, digest
from edgekit.errors import ConfigError
from edgekit.report.history.foreign import ForeignResult, foreign_of
from edgekit.report.history.rows import columns_of, document_of
from edgekit.report.history.schema import DOCUMENTS, FOREIGN, RESULTS

_INSERT_DOCUMENT = DOCUMENTS.insert()


@dataclass(frozen=True)
class Added:
    """What became of one result.

    "known": the very same is there. "refused": its id is there with another content, or it holds what no database
    takes; nothing was changed, and `reason` says why.
    """

    result_id: str
    outcome: Literal["added", "known", "refused"]
    reason: str = ""


def add_result(connection: Connection, result: BenchResult, *, live: bool) -> Added:
    """Keep a result unless it is there; refused also if it holds what no database takes. One transaction for many."""
    try:
        columns, document = columns_of(result), document_of(result)
    except ConfigError as error:
        return Added(result.result_id, "refused", " ".join(str(error).split()))
    columns["added_at"] = now()
    columns["live"] = live
    columns["clock_back_of"] = _recorded_later(connection, columns) if live else None
    sequence = insert_once(connection, RESULTS, "result_id", columns)
    if sequence is None:
        kept = select(RESULTS.c.content_sha256).where(RESULTS.c.result_id == result.result_id)
        return known_or_refused(result.result_id, connection.execute(kept).scalar(), columns["content_sha256"])
    connection.execute(_INSERT_DOCUMENT, {"sequence": sequence, "document": document})
    return Added(result.result_id, "added")


def preview_result(connection: Connection, result: BenchResult) -> Added:
    """What `add_result` would answer."""
    try:
        sha256 = columns_of(result)["content_sha256"]
    except ConfigError as error:
        return Added(result.result_id, "refused", " ".join(str(error).split()))
    kept = connection.execute(select(RESULTS.c.content_sha256).where(RESULTS.c.result_id == result.result_id)).scalar()
    return known_or_refused(result.result_id, kept, sha256) if kept else Added(result.result_id, "added")


def known_or_refused(result_id: str, kept_sha256: str | None, sha256: str, what: str = "a result") -> Added:
    """What became of one whose id is there already."""
    if kept_sha256 == sha256:
        return Added(result_id, "known")
    return Added(result_id, "refused", f"{result_id} is in the history with another content; {what} never changes")


def _recorded_later(connection: Connection, columns: dict[str, Any]) -> str | None:
    """The id of a result that this device recorded before and that says a later time than this one does."""
    later = (
        select(RESULTS.c.result_id)
        .where(RESULTS.c.device == columns["device"], RESULTS.c.live, RESULTS.c.created_at > columns["created_at"])
        .order_by(RESULTS.c.created_at.desc())
        .limit(1)
    )
    return connection.execute(later).scalar()


def add_foreign_result(connection: Connection, result: ForeignResult) -> Added:
    """Keep what another tool measured unless it is there."""
    values = {
        "foreign_id": result.foreign_id,
        "tool": result.tool,
        "device": result.device,
        "model": result.model,
        "added_at": now(),
        "document": canonical_json(result).decode("utf-8"),
    }
    if insert_once(connection, FOREIGN, "foreign_id", values) is not None:
        return Added(result.foreign_id, "added")
    kept = select(FOREIGN.c.document).where(FOREIGN.c.foreign_id == result.foreign_id)
    document = connection.execute(kept).scalar() or ""
    return known_or_refused(result.foreign_id, digest(foreign_of(document)), digest(result))


def insert_once(connection: Connection, table: Table, unique: str, values: dict[str, Any]) -> int | None:
    """The sequence of a new row, or None where the unique name is there already.

    That also holds if another process put it there a moment ago.
    """
    return connection.execute(_insert(connection.dialect.name, table, unique), values).scalar()


@functools.cache
def _insert(dialect: str, table: Table, unique: str) -> ReturningInsert[Any]:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing(index_elements=[unique]).returning(table.c.sequence)


def now() -> datetime:
    """This moment as the tables hold it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)
