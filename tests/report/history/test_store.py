"""The history itself, on SQLite and on a real PostgreSQL server: added once, never changed, found again."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, select, text

from edgekit.core.results import SCHEMA, Energy
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError, NotFoundError, UsageError
from edgekit.report.history import migrate
from edgekit.report.history.address import parse_address
from edgekit.report.history.query import Query
from edgekit.report.history.schema import RESULTS
from edgekit.report.history.store import open_history
from tests.report.made_up import CONDITIONS, engine, result

ROOT = Path(__file__).resolve().parents[3]


def numbered(number: int, **changes):
    """A result of its own id, a minute after the one before."""
    moment = datetime(2001, 1, 1, number // 60 % 24, number % 60, tzinfo=timezone.utc)
    return result(result_id=f"r{number:05}", created_utc=moment.isoformat(), **changes)


def disturbed(number: int):
    made = numbered(number)
    return replace(made, measurement=replace(made.measurement, disturbances=("throttled at 97 C",)))


def test_a_result_comes_back_whole(address):
    """What the history loses nobody can measure again: the board is another one by then."""
    energy = Energy("module input", "INA3221", 80, 8.0, 0.1, 7.5, 9.0, 60.0, 0.5, 160, 3.0, {"VDD_IN": 7.5})
    given = numbered(1, git_branch="main", session="s", round=2)
    given = replace(given, measurement=replace(given.measurement, energy=energy, window_fps=(19.5, 20.5)))
    with open_history(address) as history:
        assert history.add(given).outcome == "added"
        assert history.results() == [given]
        listed, found = history.find("r00001")
    assert found == given
    assert listed.created_utc == "2001-01-01T00:01:00Z"
    assert listed.figures["joules_per_frame"] == pytest.approx(60 / 160)
    assert listed.figures["watts"] == 7.5
    assert (listed.git_branch, listed.session, listed.round) == ("main", "s", 2)


def test_what_was_not_measured_is_nothing_and_not_zero(address):
    """Zero watts would be the best result of all."""
    with open_history(address) as history:
        history.add(numbered(1))
        (listed,) = history.listed()
    assert listed.figures["watts"] is None
    assert listed.figures["joules_per_frame"] is None


def test_the_same_result_is_added_once_also_from_a_file_of_another_version(address):
    """`history add` runs again and again; a file of schema 1 is the same result after it was written as schema 2."""
    given = numbered(1, conditions=replace(CONDITIONS, duration_s=10))  # 10, where the file says 10.0
    document = to_wire(given)
    document["schema"] = 1
    for name in ("session", "round", "preflight", "scenario_name", "git_branch"):
        del document[name]
    of_schema_1 = from_wire(type(given), json.loads(json.dumps(document)))
    with open_history(address) as history:
        assert [history.add(one).outcome for one in (of_schema_1, given, of_schema_1)] == ["added", "known", "known"]
        assert history.count() == 1


def test_another_content_under_the_same_id_is_refused_and_the_first_stays(address):
    """A history whose entries change is no evidence."""
    first = numbered(1)
    with open_history(address) as history:
        added = history.add_all([first, replace(first, note="edited"), numbered(2)])
        assert [one.outcome for one in added] == ["added", "refused", "added"]
        assert "r00001" in added[1].reason
        assert history.find("r00001")[1].note == ""


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"created_utc": "yesterday"}, id="no time"),
        pytest.param({"note": "\ud800", "git_branch": "x"}, id="half a character"),
        pytest.param({"device": "a\0b"}, id="a NUL"),
        pytest.param({"git_branch": "\x1b[2J"}, id="an escape that clears the terminal"),
        pytest.param({"round": 2**40}, id="a round beyond the column"),
        pytest.param({"note": math.nan}, id="NaN"),
    ],
)
def test_what_a_database_would_choke_on_is_refused_by_name(address, odd):
    """One such result must not end the adding of a thousand others with a driver's riddle."""
    with open_history(address) as history:
        added = history.add_all([replace(numbered(1), **odd), numbered(2)])
        assert [one.outcome for one in added] == ["refused", "added"]
        assert "r00001" in added[0].reason
        assert [row.result_id for row in history.listed()] == ["r00002"]


def test_queries_narrow_by_every_field_and_keep_the_newest(address):
    """A filter that is silently ignored compares a device with the whole fleet."""
    others = [
        numbered(1, device="yard"),
        numbered(2, engine=engine("int8")),
        numbered(3, engine=engine(detector="other")),
        numbered(4, conditions=replace(CONDITIONS, scenario="soak")),
        numbered(5, git_branch="main", git_commit="abc_1"),
        numbered(6, session="s"),
        numbered(7, engine=engine(engine_id="e7")),
        disturbed(8),
        numbered(9),
    ]
    wanted = {
        "r00001": Query(device="yard"),
        "r00002": Query(precision="int8"),
        "r00003": Query(detector="other"),
        "r00004": Query(scenario="soak"),
        "r00005": Query(branch="main", commit="abc_"),
        "r00006": Query(session="s"),
        "r00007": Query(engine_id="e7"),
        "r00008": Query(comparable=False),
        "r00009": Query(limit=1),
    }
    moment = datetime(2001, 1, 1, 0, 3, tzinfo=timezone.utc)
    with open_history(address) as history:
        history.add_all(reversed(others))
        for result_id, query in wanted.items():
            assert [row.result_id for row in history.listed(query)] == [result_id]
            assert [one.result_id for one in history.results(query)] == [result_id]
        assert history.count(Query(since=moment)) == 7
        assert history.count(Query(until=moment)) == 2
        assert history.count(Query(commit="ab%")) == 0
        assert [one.result_id for one in history.results(Query(limit=2))] == ["r00008", "r00009"]
        assert [row.result_id for row in history.listed(Query(limit=2))] == ["r00009", "r00008"]


@pytest.mark.parametrize(
    ("query", "index"),
    [(Query(limit=20), "results_by_time"), (Query(device="yard", detector="roadscene", limit=20), "results_by_device")],
)
def test_the_newest_of_many_are_found_by_an_index(tmp_path, query, index):
    """Without one, a list of twenty reads a hundred thousand rows, and slows down with every night of CI."""
    path = tmp_path / "history.db"
    open_history(str(path)).close()
    engine_ = create_engine(parse_address(str(path)))
    with engine_.connect() as connection:
        statement = query.newest_first(select(RESULTS)).compile(engine_, compile_kwargs={"literal_binds": True})
        plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    engine_.dispose()
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


def test_an_id_is_found_by_a_beginning_that_only_it_has(address):
    """Nobody types thirty characters, and nobody wants the wrong result for it."""
    with open_history(address) as history:
        history.add_all([numbered(1), numbered(2), replace(numbered(3), result_id="r0000")])
        assert history.find("r00002")[1].result_id == "r00002"
        assert history.find("r0000")[1].result_id == "r0000"
        with pytest.raises(NotFoundError, match="3 results begin with 'r000'"):
            history.find("r000")
        with pytest.raises(NotFoundError, match="no result 'x'"):
            history.find("x")


def test_a_clock_that_went_back_is_flagged_and_only_where_it_was_measured_live(address):
    """Order by time alone would call the older release the newer one; results added later from files prove nothing."""
    with open_history(address) as history:
        history.add(numbered(30), live=True)
        history.add(numbered(20), live=True)
        history.add(numbered(25, device="another"), live=True)
        history.add(numbered(10))
        history.add(numbered(40), live=True)
        assert {row.result_id: row.clock_back_of for row in history.listed() if row.clock_back_of} == {
            "r00020": "r00030"
        }
        assert [one.result_id for one in history.results(Query(device="local"))] == [
            "r00010",
            "r00020",
            "r00030",
            "r00040",
        ]


def test_results_of_one_second_keep_the_order_in_which_they_were_added(address):
    """Two engines measured within a second would change places from one query to the next."""
    same = [replace(numbered(1), result_id=name) for name in ("c", "a", "b")]
    with open_history(address) as history:
        history.add_all(same)
        assert [one.result_id for one in history.results()] == ["c", "a", "b"]


_WRITER = """
import sys
from tests.report.history.test_store import numbered
from edgekit.report.history.store import open_history
first, last = int(sys.argv[1]), int(sys.argv[2])
sys.stdin.readline()
with open_history(sys.stdin.readline().strip()) as history:
    for number in range(first, last):
        assert history.add(numbered(number)).outcome in ("added", "known")
"""


def test_two_processes_make_one_history_and_write_to_it_at_once(address):
    """Two terminals, or two runners of a CI: neither may be refused, and nothing may be there twice or be lost."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(first), str(first + 60)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 30)
    ]
    for writer in writers:
        writer.stdin.write("\n")  # both have imported everything by the time they read on
        writer.stdin.flush()
    errors = [writer.communicate(address + "\n", timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    with open_history(address) as history:
        assert [row.result_id for row in reversed(history.listed())] == [f"r{number:05}" for number in range(90)]
        assert len(history.results()) == 90


_KILLED = """
import itertools, sys
from tests.report.history.test_store import numbered
from edgekit.report.history.store import open_history
with open_history(sys.stdin.readline().strip()) as history:
    history.add_all(map(numbered, itertools.count()), on_progress=lambda what, done, total: print(done, flush=True))
"""


def test_a_writer_that_is_killed_leaves_whole_results_and_the_next_goes_on(address):
    """A CI job runs out of time in the middle: half a result, or a lock for ever, would end the history."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with writer:
        writer.stdin.write(address + "\n")
        writer.stdin.flush()
        kept = int(writer.stdout.readline())
        writer.kill()
    with open_history(address) as history:
        found = history.read()
        assert len(found.results) >= kept and len(found.results) == history.count()
        assert found.problems == ()
        assert history.add(replace(numbered(1), result_id="after")).outcome == "added"


_ROW_OF_VERSION_1 = (
    "INSERT INTO results (result_id, content_sha256, created_at, added_at, live, device, detector, scenario, "
    "precision, engine_id, model_sha256, conditions_sha256, session, round, comparable, stable, fps) VALUES ('r00001', "
    "'x', '2001-01-01 00:01:00.000000', '2001-01-01 00:02:00.000000', :no, 'local', 'roadscene', 'pipeline', "
    "'fp32', 'e', 'm', 'c', '', 0, :yes, :yes, 20)"
)


def _as_version_1(address: str, document: str) -> None:
    """The tables of version 1 with one result, as that version made them."""
    serial = "BIGSERIAL" if address.startswith("postgresql") else "INTEGER"
    auto = "" if address.startswith("postgresql") else " AUTOINCREMENT"
    statements = [
        "CREATE TABLE edgekit_history (version INTEGER NOT NULL)",
        "INSERT INTO edgekit_history VALUES (1)",
        f"CREATE TABLE results (sequence {serial} NOT NULL PRIMARY KEY{auto}, result_id VARCHAR NOT NULL UNIQUE, "
        "content_sha256 VARCHAR(64) NOT NULL, created_at TIMESTAMP NOT NULL, added_at TIMESTAMP NOT NULL, "
        "live BOOLEAN NOT NULL, device VARCHAR NOT NULL, detector VARCHAR NOT NULL, scenario VARCHAR NOT NULL, "
        "precision VARCHAR NOT NULL, engine_id VARCHAR NOT NULL, model_sha256 VARCHAR NOT NULL, "
        "conditions_sha256 VARCHAR(64) NOT NULL, git_commit VARCHAR, git_branch VARCHAR, session VARCHAR NOT NULL, "
        "round INTEGER NOT NULL, comparable BOOLEAN NOT NULL, stable BOOLEAN NOT NULL, fps FLOAT, p50_ms FLOAT, "
        "p99_ms FLOAT)",
        "CREATE TABLE documents (sequence BIGINT NOT NULL PRIMARY KEY REFERENCES results (sequence), "
        "document TEXT NOT NULL)",
    ]
    engine_ = create_engine(parse_address(address))
    with engine_.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(text(_ROW_OF_VERSION_1), {"no": False, "yes": True})
        connection.execute(text("INSERT INTO documents VALUES (1, :document)"), {"document": document})
    engine_.dispose()


def _columns(address: str) -> dict:
    engine_ = create_engine(parse_address(address))
    with engine_.connect() as connection:
        tables = inspect(connection)
        found = {
            name: sorted(column["name"] for column in tables.get_columns(name)) for name in tables.get_table_names()
        }
    engine_.dispose()
    return found


def test_a_history_of_version_1_is_brought_up_to_date_with_its_figures(address, tmp_path):
    """An upgrade must neither lose the results of two years nor leave the new columns empty."""
    from edgekit.report.history.rows import document_of

    given = numbered(1)
    _as_version_1(address, document_of(given))
    with open_history(address) as history:
        assert history.results() == [given]
        (listed,) = history.listed()
        assert listed.figures["map50_95"] == 0.5
        assert listed.figures["engine_mib"] == pytest.approx(given.engine.file_bytes / (1 << 20))
        assert history.add(given).outcome == "known"
        assert history.foreign() == ()
    with open_history(str(tmp_path / "fresh.db")):
        pass
    fresh = {name: columns for name, columns in _columns(str(tmp_path / "fresh.db")).items() if "sqlite" not in name}
    assert _columns(address) == fresh


def test_tables_of_a_newer_edgekit_are_refused_and_left_alone(address, monkeypatch):
    """Writing into tables that one does not understand destroys what the other side knows."""
    with monkeypatch.context() as newer:
        newer.setattr(migrate, "VERSION", migrate.VERSION + 1)
        open_history(address).close()
    with pytest.raises(ConfigError, match=r"newer edgekit \(version 4, this one knows 3\)"):
        open_history(address)


def test_a_result_of_a_newer_edgekit_is_named_and_hides_no_other(address):
    """One machine of a team is upgraded first; the others must go on reading."""
    with open_history(address) as history:
        history.add_all([numbered(1), numbered(2)])
    engine_ = create_engine(parse_address(address))
    with engine_.begin() as connection:
        changed = text("UPDATE documents SET document = replace(document, :now, :newer) WHERE sequence = 1")
        connection.execute(changed, {"now": f'"schema":{SCHEMA},', "newer": '"schema":99,'})
    engine_.dispose()
    with open_history(address) as history:
        read = history.read()
        assert [one.result_id for one in read.results] == ["r00002"]
        assert read.problems[0].startswith("r00001: written by a newer edgekit (schema 99")
        with pytest.raises(ConfigError, match="newer edgekit"):
            history.find("r00001")


def test_reading_makes_no_history_where_there_is_none(address, tmp_path):
    """`edgekit forecast` in the wrong folder should say so, and leave no empty file behind."""
    with pytest.raises(NotFoundError, match="no history yet"):
        open_history(address, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    """A project's history.db that was cut short must not look like an empty one."""
    path = tmp_path / "history.db"
    path.write_bytes(b"not a database, but long enough to be looked at by SQLite" * 100)
    with pytest.raises(ConfigError, match=r"history.db is not a whole SQLite file"):
        open_history(str(path))
    with pytest.raises(UsageError, match="cannot be opened"):
        open_history(str(tmp_path / "no" / "folder" / "history.db"))


def test_a_file_kept_busy_by_another_program_is_named(tmp_path, monkeypatch):
    """Waiting for ever is worse than a sentence."""
    from edgekit.report.history import connection

    monkeypatch.setattr(connection, "_WAIT_S", 0.1)
    path = tmp_path / "history.db"
    open_history(str(path)).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(UsageError, match="kept busy by another program"):
            open_history(str(path))
    finally:
        other.close()
