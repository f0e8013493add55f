"""Evaluations and refreshes in the history, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, select, text, update

from edgekit.errors import ConfigError, NotFoundError
from edgekit.report.history.address import parse_address
from edgekit.report.history.evaluation_sources import of_gate
from edgekit.report.history.foreign import ForeignResult
from edgekit.report.history.query import Query
from edgekit.report.history.rows import document_of
from edgekit.report.history.schema import ABOUT, EVALUATIONS, RECORD_TABLES, REFRESHES, TABLES
from edgekit.report.history.store import open_history
from tests.report.history.made_up_records import INT8, gate, record, refresh, write_records
from tests.report.history.test_store import numbered

ROOT = Path(__file__).resolve().parents[3]
MOMENT = datetime(2001, 1, 1)


def outcomes(added):
    return [one.outcome for one in added]


def test_an_evaluation_comes_back_whole_with_what_is_kept_in_each_stratum(address):
    """The intervals are why a gate was passed; an average alone proves nothing a year later."""
    given = record()
    with open_history(address) as history:
        assert outcomes(history.records.add_all([given, given])) == ["added", "known"]
        listed, found = history.records.find_evaluation(given.evaluation_id[:10])
        assert history.records.evaluations() == (listed,)
    assert found == given
    assert (listed.map50_95, listed.map50) == (0.495, pytest.approx(0.693))
    assert (listed.kept, listed.kept_low, listed.kept_high, listed.passed) == (0.99, 0.985, 0.995, True)
    assert [(one.stratum, one.kept, one.low) for one in listed.strata] == [("day", 0.99, 0.98), ("night", 0.975, 0.96)]
    assert (listed.worst_stratum, listed.worst_kept) == ("night", 0.975)
    assert (listed.dataset, listed.dataset_sha256, listed.git_branch) == ("roadscene-frozen", "5" * 64, "main")


def test_the_same_figures_found_again_are_one_evaluation_and_edited_ones_are_refused(address):
    """`edgekit eval` in a nightly job must not make a trend of one measurement, nor an editor make a better one."""
    first = record()
    assert record("2001-02-01T00:00:00Z").evaluation_id == first.evaluation_id
    edited = replace(first, gate=gate(0.999))
    with open_history(address) as history:
        assert outcomes(history.records.add_all([first, record("2001-02-01T00:00:00Z")])) == ["added", "known"]
        assert outcomes(history.records.preview([edited])) == ["refused"]
        (refused,) = history.records.add_all([edited])
        assert "an evaluation never changes" in refused.reason
        assert history.records.find_evaluation(first.evaluation_id)[1] == first


def test_a_gate_that_an_evaluation_holds_already_is_not_told_twice(address):
    """One look of `edgekit eval` writes both files: two lines of it would count one judgement as two."""
    judged = of_gate("judged-local-x", gate(), "local", "roadscene", MOMENT, None)
    other = of_gate("judged-local-y", gate(0.97), "local", "roadscene", MOMENT, None)
    elsewhere = of_gate("judged-yard-x", gate(), "yard", "roadscene", MOMENT, None)
    with open_history(address) as history:
        assert outcomes(history.records.add_all([record(), judged, other, elsewhere])) == [
            "added",
            "known",
            "added",
            "added",
        ]
        assert outcomes(history.records.preview([judged])) == ["known"]
        listed = history.records.find_evaluation("judged-local-y")[0]
    assert (listed.map50, listed.map50_95, listed.passed) == (None, pytest.approx(0.485), False)


def test_a_refresh_grows_until_it_has_ended_and_never_after(address):
    """It is seen while it runs, by a look of somebody else; the end of it must not be lost for that."""
    begun = refresh("failed", why="not finished", evidence=None, steps=refresh().steps[:1], duration_s=1.0)
    ended = refresh()
    with open_history(address) as history:
        records = history.records
        assert outcomes(records.add_all([begun])) == ["added"]
        name = records.refreshes()[0].refresh_id
        assert records.refreshes()[0].unfinished and records.settled([name]) == frozenset()
        assert outcomes(records.preview([ended])) == ["added"]
        assert outcomes(records.add_all([ended, replace(ended, duration_s=72.6)])) == ["added", "known"]
        assert records.settled([name, "another"]) == {name}
        (refused,) = records.add_all([replace(ended, outcome="kept")])
        assert refused.outcome == "refused" and "never changes" in refused.reason
        listed, found = records.find_refresh(name)
        assert records.count() == (0, 1)
    assert found == ended
    assert (listed.outcome, listed.unfinished, listed.duration_s) == ("promoted", False, 72.5)
    assert (listed.set_before, listed.set_after, listed.new_strata) == (
        "roadscene-day",
        "roadscene-day-local-1",
        ("light:night",),
    )
    assert (listed.kept, listed.frozen_ratio, listed.holdout_ratio) == (0.99, 1.02, 1.02)
    assert (listed.drift_before, listed.set_before_sha256) == (0.31, "8" * 64)
    assert listed.set_strata == ("light:night 37", "day 263")
    assert (listed.frames_new, listed.frames_refused, listed.field_pictures) == (50, 10, 25)


def test_another_refresh_under_the_same_id_does_not_pass_for_its_end(address):
    """Its steps are not the first of the other's: it is another refresh, or an edited one."""
    begun = refresh("promoting")
    other = refresh(steps=refresh().steps[1:])
    with open_history(address) as history:
        assert outcomes(history.records.add_all([begun, other])) == ["added", "refused"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(record(device="a\0b"), id="a NUL in a name"),
        pytest.param(record(created_utc="yesterday"), id="no time"),
        pytest.param(record(precision="int2"), id="an unknown precision"),
        pytest.param(record(accuracy=None, gate=None), id="no figure"),
        pytest.param(record(accuracy=replace(record().accuracy, images=2**40)), id="more pictures than a column holds"),
        pytest.param(record(accuracy=replace(record().accuracy, map50=math.nan)), id="NaN"),
        pytest.param(record(gate=replace(gate(), rows=(replace(gate().rows[1], stratum="\x1b[2J"),))), id="an escape"),
        pytest.param(record(git_branch="\ud800"), id="half a character"),
        pytest.param(refresh("splendid"), id="an unknown outcome"),
        pytest.param(refresh(device="\x1b[2J"), id="an escape in a device"),
        pytest.param(refresh(duration_s=math.inf), id="infinity"),
    ],
)
def test_what_a_database_would_choke_on_is_refused_by_name_and_keeps_no_other_out(address, odd):
    """An export of another machine may hold anything."""
    good = record(kept=0.988)
    with open_history(address) as history:
        added = history.records.add_all([odd, good])
        assert outcomes(added) == ["refused", "added"]
        assert added[0].reason
        assert [row.evaluation_id for row in history.records.evaluations()] == [good.evaluation_id]
        assert history.records.refreshes() == ()


def test_words_of_a_device_reach_no_terminal_as_commands(address):
    """Why a refresh failed may be a device's own text: it is kept, and shown without its control characters."""
    with open_history(address) as history:
        assert outcomes(history.records.add_all([refresh("failed", why="no \x1b[2J camera")])) == ["added"]
        (listed,) = history.records.refreshes()
        assert listed.why == "no  [2J camera"
        assert history.records.find_refresh(listed.refresh_id)[1].why == "no \x1b[2J camera"


def test_queries_narrow_each_kind_and_leave_out_the_kinds_that_cannot_answer(address):
    """A filter that is silently ignored shows the evaluations of another branch."""
    others = [
        record("2001-01-02T00:00:00Z", evaluation_id="e1", device="yard"),
        record("2001-01-03T00:00:00Z", evaluation_id="e2", git_branch="topic"),
        record("2001-01-04T00:00:00Z", evaluation_id="e3", precision="fp16"),
        refresh(created_utc="2001-01-05T00:00:00.000Z"),
    ]

    def found(query: Query) -> list:
        kept = history.records
        return [
            *(row.evaluation_id for row in kept.evaluations(query)),
            *(row.outcome for row in kept.refreshes(query)),
        ]

    with open_history(address) as history:
        history.records.add_all(reversed(others))
        assert found(Query()) == ["e3", "e2", "e1", "promoted"]
        assert found(Query(device="yard")) == ["e1"]
        assert found(Query(branch="topic")) == ["e2"]
        assert found(Query(precision="fp16")) == ["e3"]
        assert found(Query(precision="int8")) == ["e2", "e1", "promoted"]
        assert found(Query(scenario="pipeline")) == []
        assert found(Query(since=datetime(2001, 1, 3, tzinfo=timezone.utc), limit=1)) == ["e3", "promoted"]
        assert history.records.count(Query(scenario="soak")) == (0, 0)
        assert history.records.count(Query(branch="main")) == (2, 0)
        assert [name for name, _ in history.records.evaluation_documents()] == ["e1", "e2", "e3"]
        with pytest.raises(NotFoundError, match="3 evaluations begin with 'e'"):
            history.records.find_evaluation("e")
        with pytest.raises(NotFoundError, match="no refresh 'x'"):
            history.records.find_refresh("x")


@pytest.mark.parametrize(
    ("table", "query", "index"),
    [
        (EVALUATIONS, Query(limit=20), "evaluations_by_time"),
        (EVALUATIONS, Query(device="yard", detector="roadscene", limit=20), "evaluations_by_device"),
        (EVALUATIONS, Query(branch="main", limit=20), "evaluations_by_branch"),
        (REFRESHES, Query(limit=20), "refreshes_by_time"),
        (REFRESHES, Query(device="yard", detector="roadscene", limit=20), "refreshes_by_device"),
    ],
)
def test_the_newest_of_many_are_found_by_an_index(tmp_path, table, query, index):
    """Without one, the list of twenty reads a hundred thousand rows of each kind."""
    path = tmp_path / "history.db"
    open_history(str(path)).close()
    engine_ = create_engine(parse_address(str(path)))
    with engine_.connect() as connection:
        statement = query.newest_first(select(table), table).compile(engine_, compile_kwargs={"literal_binds": True})
        plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    engine_.dispose()
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


def _as_version_2(address: str) -> None:
    """The tables as version 2 made them, with what it kept: a result and another tool's."""
    with open_history(address) as history:
        history.add(numbered(1))
        history.add_foreign([ForeignResult("trtexec-1", "trtexec", "10.3", None, None, None, None, {"qps": 150.0})])
    engine_ = create_engine(parse_address(address))
    with engine_.begin() as connection:
        TABLES.drop_all(connection, tables=list(RECORD_TABLES))
        connection.execute(update(ABOUT).values(version=2))
    engine_.dispose()


def _tables(address: str) -> dict:
    engine_ = create_engine(parse_address(address))
    with engine_.connect() as connection:
        seen = inspect(connection)
        found = {
            name: (
                sorted(c["name"] for c in seen.get_columns(name)),
                sorted(i["name"] for i in seen.get_indexes(name) if "_by_" in i["name"]),
            )
            for name in seen.get_table_names()
            if not name.startswith("sqlite")
        }
        version = connection.execute(select(ABOUT.c.version)).scalar()
    engine_.dispose()
    return {**found, "version": version}


def test_a_history_of_version_2_gets_the_new_tables_and_keeps_every_result(address, tmp_path):
    """An upgrade on a Monday must not cost the results of two years, nor end half way."""
    _as_version_2(address)
    assert "evaluations" not in _tables(address)
    with open_history(address, create=False) as history:
        assert history.results() == [numbered(1)]
        assert document_of(history.results()[0]) == document_of(numbered(1))
        assert [one.foreign_id for one in history.foreign()] == ["trtexec-1"]
        assert history.records.count() == (0, 0)
        assert outcomes(history.records.add_all([record(), refresh()])) == ["added", "added"]
        assert history.add(numbered(1)).outcome == "known"
    with open_history(str(tmp_path / "fresh.db")):
        pass
    assert _tables(address).keys() == _tables(str(tmp_path / "fresh.db")).keys()
    for name in ("evaluations", "evaluation_documents", "refreshes", "refresh_documents", "results", "version"):
        assert _tables(address)[name] == _tables(str(tmp_path / "fresh.db"))[name]


_CATCHING_UP = """
import sys
from pathlib import Path
from edgekit.report.history.project_files import catch_up
from edgekit.report.history.store import open_history
sys.stdin.readline()
with open_history(sys.stdin.readline().strip()) as history:
    done = catch_up(Path(sys.argv[1]), history.records)
    assert {one.outcome for one in done.added} <= {"added", "known"}, done
"""


def test_two_processes_that_catch_up_at_once_make_one_history(address, tmp_path):
    """A timer's refresh ends while somebody looks: nothing is there twice, and neither of the two fails."""
    state_dir = tmp_path / "state"
    write_records(state_dir)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _CATCHING_UP, str(state_dir)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for writer in writers:
        writer.stdin.write("\n")  # both have imported everything by the time they read on
        writer.stdin.flush()
    errors = [writer.communicate(address + "\n", timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    with open_history(address) as history:
        assert history.records.count() == (2, 1)


def test_records_of_a_newer_edgekit_are_left_out_and_named_when_asked_for(address):
    """One machine of a team is upgraded first; the others go on reading what they can."""
    with open_history(address) as history:
        history.records.add_all([record(), record(kept=0.98), refresh()])
    engine_ = create_engine(parse_address(address))
    with engine_.begin() as connection:
        for name, after in (("evaluation_documents", "source"), ("refresh_documents", "service")):
            newer = text(f"UPDATE {name} SET document = replace(document, :now, :newer) WHERE sequence = 1")
            connection.execute(newer, {"now": f'"schema":1,"{after}"', "newer": f'"schema":9,"{after}"'})
    engine_.dispose()
    with open_history(address) as history:
        assert len(history.records.evaluations_of({INT8})) == 1
        assert history.records.whole_refreshes() == ()
        with pytest.raises(ConfigError, match="written by a newer edgekit"):
            history.records.find_refresh("refresh-local")
