"""The tables brought to this edgekit's version. A step never loses a document; columns are derived from documents anew.

1   results and their documents
2   figures beside the frames per second and latency; results of other tools; a clock that went back
3   evaluations and refreshes, in tables of their own; the results stay as they are
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, inspect, select, text, update

from edgekit.errors import ConfigError, NotFoundError
from edgekit.report.history.address import shown
from edgekit.report.history.connection import reading, writing
from edgekit.report.history.rows import columns_of, result_of
from edgekit.report.history.schema import ABOUT, DOCUMENTS, FOREIGN, RECORD_TABLES, RESULTS, TABLES, VERSION

_LOCK = 0x65646765  # one number for one purpose among a server's advisory locks: "edge"
_PART = 500


def prepare(engine: Engine) -> None:
    """Make the tables, or bring older ones up to date; processes that start together wait for each other.

    Raises ConfigError for tables of a newer edgekit.
    """
    if _version_of(engine) == VERSION:
        return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        version = _version(connection)
        _refuse_newer(engine, version)
        if version == 0:
            TABLES.create_all(connection)
            connection.execute(ABOUT.insert().values(version=VERSION))
            return
        for step in range(version, VERSION):
            _STEPS[step](connection)
        connection.execute(update(ABOUT).values(version=VERSION))


def require(engine: Engine) -> None:
    """Raise NotFoundError where there is no history yet; older tables are brought up to date as `prepare` does."""
    place = shown(engine.url)
    if (engine.dialect.name == "sqlite" and not _is_file(engine)) or _version_of(engine) == 0:
        raise NotFoundError(
            f"no history yet: {place}", hint="edgekit bench --fps, or: edgekit history add .edgekit/results"
        )
    prepare(engine)


def _is_file(engine: Engine) -> bool:
    return Path(engine.url.database or "").is_file()


def _version_of(engine: Engine) -> int:
    with reading(engine) as connection:
        version = _version(connection)
    _refuse_newer(engine, version)
    return version


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(ABOUT.name):
        return 0
    return connection.execute(select(ABOUT.c.version)).scalar() or 0


def _refuse_newer(engine: Engine, version: int) -> None:
    if version > VERSION:
        raise ConfigError(
            f"the history {shown(engine.url)} is of a newer edgekit (version {version}, this one knows {VERSION})",
            hint="upgrade edgekit on this machine, or use another history: --db FILE",
        )


def _from_1_to_2(connection: Connection) -> None:
    """Columns of version 2, filled from the documents. No result of before was recorded live, as far as is known."""
    known = {column["name"] for column in inspect(connection).get_columns(RESULTS.name)}
    for column in RESULTS.columns:
        if column.name not in known:
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {RESULTS.name} ADD COLUMN {column.name} {kind}"))
    FOREIGN.create(connection, checkfirst=True)
    _derive_again(connection)


def _derive_again(connection: Connection) -> None:
    statement = update(RESULTS).where(RESULTS.c.sequence == bindparam("of_sequence"))
    last = -1
    while True:
        chosen = (
            select(DOCUMENTS.c.sequence, DOCUMENTS.c.document)
            .where(DOCUMENTS.c.sequence > last)
            .order_by(DOCUMENTS.c.sequence)
            .limit(_PART)
        )
        rows = connection.execute(chosen).all()
        if not rows:
            return
        derived = [columns_of(result_of(row.document, str(row.sequence))) for row in rows]
        connection.execute(statement, [{**new, "of_sequence": row.sequence} for new, row in zip(derived, rows)])
        last = rows[-1].sequence


def _from_2_to_3(connection: Connection) -> None:
    for table in RECORD_TABLES:
        table.create(connection, checkfirst=True)


_STEPS: dict[int, Callable[[Connection], None]] = {1: _from_1_to_2, 2: _from_2_to_3}
