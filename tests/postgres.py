"""A PostgreSQL server of Debian's package `postgresql` for tests: its own folder, port, user and password.

It keeps nothing on disk longer than the tests run, and is reached over loopback alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional

USER = "edgekit"
_START_S = 60.0


def _programs() -> Optional[Path]:
    """Debian keeps initdb and postgres out of the path, one folder for each release; the newest counts."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    named = shutil.which("postgres")
    return found[-1].parent if found else Path(named).parent if named else None


def no_postgres() -> str:
    """Why no server can be had here, "" if one can."""
    if not _programs():
        return "no postgres on this machine"
    return "" if importlib.util.find_spec("psycopg") else "no psycopg: pip install 'edgekit[postgres]'"


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `url` has the password in it; `url_without` leaves it to a password file."""

    port: int
    password: str
    folder: Path

    def url(self, database: str = "postgres", password: Optional[str] = None) -> str:
        return f"postgresql://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def url_without(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """An empty database of its own; gives its name."""
        import psycopg

        name = f"edgekit_{secrets.token_hex(4)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        return name

    def password_file(self) -> Path:
        """A file as ~/.pgpass, for PGPASSFILE; the driver takes none that others may read."""
        path = self.folder / "pgpass"
        path.write_text(f"127.0.0.1:{self.port}:*:{USER}:{self.password}\n")
        path.chmod(0o600)
        return path


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server for as long as the block runs. It will not run as root, so root starts it as the user postgres."""
    programs = _programs()
    assert programs is not None, no_postgres()
    folder = Path(tempfile.mkdtemp(prefix="edgekit-postgres-"))
    try:
        server = PostgresServer(_free_port(), secrets.token_hex(12), folder)
        _initialise(programs, server)
        with _process(programs, server) as process:
            _wait(server, process)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user() -> Optional[str]:
    return "postgres" if os.geteuid() == 0 else None


def _initialise(programs: Path, server: PostgresServer) -> None:
    password_file = server.folder / "password"
    password_file.write_text(server.password)
    if _as_user():
        shutil.chown(server.folder, "postgres", "postgres")
        shutil.chown(password_file, "postgres", "postgres")
    command = [programs / "initdb", "-D", server.folder / "data", "-U", USER, "--auth=scram-sha-256", "--no-sync"]
    done = subprocess.run(
        [*command, f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"],
        user=_as_user(),
        cwd=server.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def _process(programs: Path, server: PostgresServer) -> Iterator[subprocess.Popen[bytes]]:
    options = {"port": server.port, "listen_addresses": "127.0.0.1", "fsync": "off", "unix_socket_directories": ""}
    command: List[str] = [str(programs / "postgres"), "-D", str(server.folder / "data")]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (server.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, user=_as_user(), cwd=server.folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(3)  # SIGQUIT: at once, nothing of it is kept
            process.wait(30)


def _wait(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    until_s = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            log = (server.folder / "log").read_text(errors="replace")
            assert process.poll() is None, f"the server ended: {log}"
            assert time.monotonic() < until_s, f"{error}\n{log}"
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
