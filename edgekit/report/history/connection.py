"""A connection to the database, and what goes wrong with it said plainly. The differences of the two are settled here.

Reading transactions of SQLite begin as DEFERRED, writing ones as IMMEDIATE: two writers then wait for each other, where
two readers that both want to write would have to be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from edgekit.errors import ConfigError, UsageError
from edgekit.report.history.address import secrets_of, shown

_WAIT_S = 30.0  # for another writer of an SQLite file
_CONNECT_S = 5  # for a server's answer


def engine_of(url: URL) -> Engine:
    """An engine for an address that `parse_address` gave; nothing is opened yet. Raises UsageError without a driver."""
    if url.drivername.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": _WAIT_S})
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        return create_engine(
            url,
            # A named connection shows in pg_stat_activity; results are text in UTF-8, whatever the locale.
            connect_args={"connect_timeout": _CONNECT_S, "application_name": "edgekit", "client_encoding": "utf8"},
        )
    except ImportError as error:
        raise UsageError(
            "PostgreSQL's driver is not installed", why=str(error), hint="pip install 'edgekit[postgres]'"
        ) from None


def _own_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and never as IMMEDIATE


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("edgekit_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with database_errors(engine.url), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of it is there afterwards, or nothing."""
    with database_errors(engine.url), engine.connect() as connection:
        connection = connection.execution_options(edgekit_writes=True)
        with connection.begin():
            yield connection


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """What the driver says, as an error of ours that never holds the password."""
    try:
        yield
    except DBAPIError as error:
        why = _without_password(" ".join(str(error.orig).split()), url)
        place = shown(url)
        if url.drivername.startswith("sqlite"):
            raise _file_error(place, why, error) from None
        if isinstance(error, OperationalError):
            raise UsageError(
                f"the history {place} cannot be reached", why=why, hint="check the server, user and ~/.pgpass, or --db"
            ) from None
        raise ConfigError(
            f"the history {place} refused a command",
            why=why,
            hint="its user needs SELECT and INSERT on the tables, and USAGE on the sequences"
            if "permission denied" in why
            else "",
        ) from None


def _file_error(place: str, why: str, error: DBAPIError) -> Exception:
    if "not a database" in why or "malformed" in why:
        return ConfigError(
            f"{place} is not a whole SQLite file",
            why=why,
            hint=f"mv {place} {place}.broken && edgekit history add .edgekit/results",
        )
    if "locked" in why:
        return UsageError(f"{place} was kept busy by another program for {_WAIT_S:.0f} s", why=why, hint="try again")
    folder = Path(place).parent
    if not folder.is_dir():
        return UsageError(f"{place} cannot be opened", why=f"there is no folder {folder}", hint=f"mkdir -p {folder}")
    return UsageError(f"the history {place} cannot be used", why=why, hint="--db FILE    (another place)")


def _without_password(text: str, url: URL) -> str:
    for secret in secrets_of(url):
        text = text.replace(secret, "***")
    return text
