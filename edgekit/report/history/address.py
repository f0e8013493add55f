"""Where a history lies: a file of the project, or a PostgreSQL server. No address is ever shown with its password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from edgekit.errors import UsageError

HISTORY_VARIABLE = "EDGEKIT_HISTORY"
FILE_NAME = "history.db"
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_EXAMPLES = "--db history.db, or --db postgresql://user@host/database    (its password belongs into ~/.pgpass)"


def history_address(state_dir: Path, given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The address to use: the one given, else EDGEKIT_HISTORY, else history.db in the project's state folder."""
    return given or environ.get(HISTORY_VARIABLE) or str(state_dir / FILE_NAME)


def parse_address(address: str) -> URL:
    """A URL, or the path of an SQLite file, as SQLAlchemy takes it. Raises UsageError, which never holds a password."""
    if "://" not in address:
        return URL.create(_DRIVERS["sqlite"], database=str(Path(address).expanduser().absolute()))
    scheme = address.split("://", 1)[0].lower()
    if scheme not in _DRIVERS:
        raise UsageError(f"a history is kept in SQLite or PostgreSQL, not in {scheme}", hint=_EXAMPLES)
    try:
        url = make_url(address).set(drivername=_DRIVERS[scheme])
    except (ArgumentError, ValueError):
        raise UsageError(f"this is not an address of a database: {scheme}://...", hint=_EXAMPLES) from None
    if scheme.startswith("sqlite"):
        return _of_file(url)
    return _of_server(url)


def _of_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise UsageError("a history needs a file", why=f"{shown(url)} names none", hint=_EXAMPLES)
    return url.set(database=str(Path(url.database).expanduser().absolute()))


def _of_server(url: URL) -> URL:
    """Refuses a password with an @ in it: the driver would take what follows for the host, and print it."""
    if "@" in (url.host or "") or "@" in (url.database or ""):
        raise UsageError(
            "this address of a database cannot be taken apart safely",
            why="it has more than one @; in a password it is written %40",
            hint=_EXAMPLES,
        )
    if not url.database:
        raise UsageError(f"{shown(url)} names no database", hint=_EXAMPLES)
    return url


def shown(url: URL) -> str:
    """An address for people: a path, or a URL without its password, nor any other secret among its options."""
    if url.drivername.startswith("sqlite"):
        return str(url.database or url.render_as_string())
    host = url.host or url.query.get("host", "")
    port = f":{url.port}" if url.port else ""
    user = f"{quote(url.username)}@" if url.username else ""
    return f"postgresql://{user}{host}{port}/{url.database or ''}"


def names_password(address: str) -> bool:
    """Whether an address holds a password itself, instead of leaving it to ~/.pgpass."""
    return "://" in address and bool(secrets_of(parse_address(address)))


def secrets_of(url: URL) -> tuple[str, ...]:
    """The texts of an address that nobody is to see."""
    among_options = url.query.get("password", ())
    listed = (among_options,) if isinstance(among_options, str) else among_options
    return tuple(str(secret) for secret in (url.password, *listed) if secret)
