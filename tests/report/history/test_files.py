"""Results out of files and into files: of every version, and never half."""

from __future__ import annotations

import csv
import json

import pytest

from edgekit.core.wire import to_wire
from edgekit.errors import NotFoundError, UsageError
from edgekit.report.history.exporting import export
from edgekit.report.history.files import read_all
from edgekit.report.history.query import Query, parse_moment
from edgekit.report.history.store import open_history
from tests.report.history.made_up_records import record, refresh
from tests.report.history.test_store import numbered
from tests.report.made_up import write_document, write_results

PARTIAL = {"schema": 2, "partial": True, "device": "local", "done": 3, "total": 24}


def test_a_folder_is_read_and_every_file_that_is_no_result_is_named(tmp_path):
    """A bench that was killed leaves a file that must neither be joined nor passed over in silence."""
    folder = write_results(tmp_path / "results", numbered(2), numbered(1))
    write_document(folder / "x.partial.json", PARTIAL)
    (folder / "y.json").write_text("{")
    readings = list(read_all([folder]))
    assert [one.result.result_id for one in readings if one.result] == ["r00001", "r00002"]
    assert [one.problem for one in readings if one.problem] == [
        "x.partial.json: what a run that was stopped left behind, after 3 of 24 s",
        "y.json: not readable as JSON Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ]


def test_a_result_of_the_first_version_is_read(tmp_path):
    """Results of half a year before are the history."""
    document = to_wire(numbered(1))
    document["schema"] = 1
    for name in ("session", "round", "preflight", "scenario_name", "git_branch"):
        del document[name]
    for name in ("scenario", "streams", "cuda_graph", "clocks_locked", "governor"):
        del document["conditions"][name]
    path = tmp_path / "old.json"
    write_document(path, document)
    (reading,) = read_all([path])
    assert reading.result is not None
    assert reading.result.conditions.scenario == "pipeline"
    assert reading.result.measurement.energy is None


def test_a_path_that_is_not_there_is_refused_before_anything_is_read(tmp_path):
    """Half of what was asked for looks like all of it."""
    with pytest.raises(NotFoundError, match="none.json does not exist"):
        list(read_all([write_results(tmp_path / "results", numbered(1)), tmp_path / "none.json"]))


def test_whole_results_move_from_one_history_to_another(tmp_path):
    """From a laptop's file to the team's server, with nothing lost and nothing twice."""
    given = [numbered(number, note="Küche, 夜") for number in range(1200)]
    with open_history(str(tmp_path / "a.db")) as history:
        history.add_all(given)
        assert export(history, Query(), tmp_path / "all.jsonl") == {"result": 1200, "eval": 0, "refresh": 0}
    readings = list(read_all([tmp_path / "all.jsonl"]))
    assert [one.result for one in readings] == given
    with open_history(str(tmp_path / "b.db")) as history:
        assert {one.outcome for one in history.add_all(one.result for one in readings)} == {"added"}


def test_evaluations_and_refreshes_move_too_and_old_lines_are_still_results(tmp_path):
    """The evidence of a refresh goes with the figures it explains."""
    records = [record(), record(kept=0.97), refresh()]
    with open_history(str(tmp_path / "a.db")) as history:
        history.add(numbered(1))
        history.records.add_all(records)
        assert export(history, Query(), tmp_path / "all.jsonl") == {"result": 1, "eval": 2, "refresh": 1}
        assert export(history, Query(), tmp_path / "one.jsonl", "refresh") == {"refresh": 1}
    readings = list(read_all([tmp_path / "all.jsonl"]))
    assert [one.problem for one in readings] == [""] * 4
    assert [one.record for one in readings if one.record] == records
    assert [one.result for one in readings if one.result] == [numbered(1)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"kind":"eval","record":{}}', "not a valid EvaluationRecord"),
        ('{"kind":"eval","record":[]}', "expected an object"),
        ('{"kind":"eval"}', "expected an object"),
        ('{"kind":"dream","record":{}}', "written by a newer edgekit (kind 'dream')"),
        ('{"kind":"refresh","record":{"schema":9}}', "newer edgekit (schema 9"),
        ('{"kind":', "not readable as JSON"),
    ],
)
def test_a_bad_record_in_an_export_is_named(tmp_path, line, told):
    """The next line may be the one that matters."""
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{line}\n{json.dumps(to_wire(numbered(1)))}\n")
    bad, good = read_all([path])
    assert bad.problem.startswith("bad.jsonl:1") and told in bad.problem
    assert good.result == numbered(1)


def test_a_table_of_evaluations_or_refreshes_has_their_columns(tmp_path):
    """What one averages in a spreadsheet: shares with their intervals, and empty cells for what was not judged."""
    with open_history(str(tmp_path / "a.db")) as history:
        history.records.add_all([record(git_branch="=1+1"), record(kept=0.97), refresh(evidence=None)])
        assert export(history, Query(), tmp_path / "e.csv", "eval") == {"eval": 2}
        assert export(history, Query(), tmp_path / "r.csv", "refresh") == {"refresh": 1}
    first, second = csv.DictReader((tmp_path / "e.csv").read_text("utf-8").splitlines())
    assert (first["kept"], first["kept_low"], first["map50_95"], first["passed"]) == ("0.99", "0.985", "0.495", "True")
    assert first["strata"] == "day 0.9900; night 0.9750"
    assert (second["passed"], first["git_branch"]) == ("False", "'=1+1")
    (refreshed,) = csv.DictReader((tmp_path / "r.csv").read_text("utf-8").splitlines())
    assert (refreshed["set_before"], refreshed["set_after"]) == ("roadscene-day", "roadscene-day-local-1")
    assert (refreshed["kept"], refreshed["holdout_ratio"], refreshed["duration_s"]) == ("", "", "72.5")


def test_bad_lines_of_an_export_are_named_by_their_number(tmp_path):
    """A file that was cut short while it was copied still gives what is whole."""
    path = tmp_path / "cut.jsonl"
    whole = json.dumps(to_wire(numbered(1)))
    newer = json.dumps({**to_wire(numbered(2)), "schema": 99})
    path.write_bytes(f"{whole}\n\n{newer}\n[]\n".encode() + b"\xff\n" + whole[:100].encode())
    readings = list(read_all([path]))
    assert [bool(one.result) for one in readings] == [True, False, False, False, False]
    assert [one.problem.split(": ")[0] for one in readings[1:]] == [f"cut.jsonl:{line}" for line in (3, 4, 5, 6)]


def test_a_table_has_a_row_for_each_result_and_empty_cells_for_what_was_not_measured(tmp_path):
    """Zero in a spreadsheet is averaged; nothing is not. And a branch may not become a formula."""
    with open_history(str(tmp_path / "a.db")) as history:
        history.add_all([numbered(2), numbered(1, git_branch='=cmd|" /C calc"!A0')])
        assert export(history, Query(), tmp_path / "a.csv") == {"result": 2}
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["result_id"] for row in rows] == ["r00001", "r00002"]
    assert rows[0]["fps"] == "20.0"
    assert rows[0]["watts"] == ""
    assert rows[0]["git_branch"].startswith("'=")


def test_an_export_that_cannot_be_written_is_refused_with_the_reason(tmp_path):
    """Nothing is left half written."""
    with open_history(str(tmp_path / "a.db")) as history:
        with pytest.raises(UsageError, match=r"expected a name that ends in \.csv or \.jsonl"):
            export(history, Query(), tmp_path / "a.xlsx")
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot be written"):
            export(history, Query(), tmp_path / "file" / "a.csv")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T08:30:00Z", "2026-11-20T08:30:00+00:00"),
        ("2026-11-20T08:30:00+01:00", "2026-11-20T08:30:00+01:00"),
    ],
)
def test_a_date_without_a_zone_is_utc(text, iso):
    """All times of results are."""
    assert parse_moment(text).isoformat() == iso


def test_what_is_no_date_is_refused():
    """`--since last week` would otherwise list everything."""
    with pytest.raises(UsageError, match="--since: expected a date such as"):
        parse_moment("last week")
