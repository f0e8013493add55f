"""Both databases: an SQLite file, and a real PostgreSQL server that all tests of a run share."""

from __future__ import annotations

import pytest

from tests.postgres import no_postgres, running_server
from tests.servers import needed


@pytest.fixture(scope="session")
def server():
    with running_server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needed(no_postgres()))])
def address(request, tmp_path):
    """Where an empty history may be made; of the server with its password in it."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    server = request.getfixturevalue("server")
    return server.url(server.new_database())
