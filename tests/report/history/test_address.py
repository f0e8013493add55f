"""Where a history lies, and that no message ever tells its password."""

from __future__ import annotations

import pytest

from edgekit.errors import EdgekitError, UsageError
from edgekit.report.history.address import history_address, names_password, parse_address, shown
from edgekit.report.history.recording import record
from edgekit.report.history.store import open_history
from tests.postgres import no_postgres
from tests.report.made_up import result
from tests.servers import needed

SECRET = "s3cr3t-Pa55"


@pytest.mark.parametrize(
    ("address", "shows"),
    [
        (f"postgresql://ci:{SECRET}@db.example:5433/edgekit", "postgresql://ci@db.example:5433/edgekit"),
        (f"postgres://ci:{SECRET}@db.example/edgekit?sslmode=require", "postgresql://ci@db.example/edgekit"),
        (f"postgresql://ci@/edgekit?host=/run/postgresql&password={SECRET}", "postgresql://ci@/run/postgresql/edgekit"),
        ("sqlite:////srv/history.db", "/srv/history.db"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shows):
    """It is printed into terminals, logs of a CI and reports."""
    assert shown(parse_address(address)) == shows
    assert names_password(address) == (SECRET in address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(f"postgresql://ci:{SECRET}@x@db.example/edgekit", id="an @ in it, as it is"),
        pytest.param(f"postgresql://ci:{SECRET}/x@127.0.0.1:1/edgekit", id="a slash in it, as it is"),
        pytest.param(f"postgresql://ci:{SECRET}@db.example:port/edgekit", id="a port that is no number"),
        pytest.param(f"postgresql://ci:{SECRET}@db.example", id="no database"),
        pytest.param(f"mysql://ci:{SECRET}@db.example/edgekit", id="another database"),
        pytest.param("sqlite://", id="a file without a name"),
        pytest.param("sqlite:///:memory:", id="a file that is none"),
        pytest.param(f"postgresql+psycopg2://ci:{SECRET}@db.example/edgekit", id="another driver"),
        pytest.param(f"postgresql://ci:{SECRET}@127.0.0.1:1/edgekit", id="nobody listens"),
    ],
)
def test_a_wrong_address_is_refused_without_telling_any_of_the_password(address):
    """A password with an @ in it makes drivers take half of it for the host, and print it."""
    with pytest.raises(EdgekitError) as caught:
        open_history(address)
    told = str(caught.value)
    assert isinstance(caught.value, UsageError)
    assert SECRET not in told
    assert "s3cr3t" not in told
    # --debug would print the driver's own words.
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_option_goes_before_the_variable_and_that_before_the_project(tmp_path):
    """One job of a CI writes elsewhere without a change of the project."""
    variable = {"EDGEKIT_HISTORY": "/elsewhere.db"}
    assert history_address(tmp_path, "given.db", variable) == "given.db"
    assert history_address(tmp_path, None, variable) == "/elsewhere.db"
    assert history_address(tmp_path, None, {}) == str(tmp_path / "history.db")


@needed(no_postgres())
def test_the_password_may_come_from_a_file_instead(server, monkeypatch):
    """The only way that keeps it out of the command line and of the environment."""
    database = server.new_database()
    with pytest.raises(UsageError, match="cannot be reached"):
        open_history(server.url_without(database))
    monkeypatch.setenv("PGPASSFILE", str(server.password_file()))
    with open_history(server.url_without(database)) as history:
        assert history.add(result()).outcome == "added"


@needed(no_postgres())
def test_a_wrong_password_is_not_repeated(server):
    """What was nearly right is a secret as well."""
    with pytest.raises(UsageError) as caught:
        open_history(server.url(password="wr0ng-one"))
    assert "password authentication failed" in str(caught.value)
    assert "wr0ng-one" not in str(caught.value)


def test_recording_warns_instead_of_losing_a_measurement(tmp_path):
    """An hour of measuring must not end in a traceback because a server is down."""
    assert record(tmp_path, [result()], environ={}) == ()
    (told,) = record(tmp_path, [result()], db=f"postgresql://ci:{SECRET}@127.0.0.1:1/edgekit")
    assert "cannot be reached" in told and "edgekit history add" in told and SECRET not in told
    (changed,) = record(tmp_path, [result(note="edited", map50_95=0.1)], environ={})
    assert "another content" in changed
    with open_history(str(tmp_path / "history.db")) as history:
        assert history.count() == 1
