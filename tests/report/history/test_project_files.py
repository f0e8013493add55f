"""The records of a project's files in its history: found once, whole, and named where they are damaged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.wire import to_wire
from edgekit.files import write_json
from edgekit.report.history import project_files
from edgekit.report.history.project_files import catch_up, read_new, record_files, save_evaluation
from edgekit.report.history.store import open_history
from tests.report.history.made_up_records import FP32, INT8, gate, record, refresh, verification, write_records
from tests.report.made_up import result


@pytest.fixture
def state_dir(tmp_path):
    folder = tmp_path / ".edgekit"
    write_records(folder)
    return folder


@pytest.fixture
def history(tmp_path):
    with open_history(str(tmp_path / "history.db")) as opened:
        yield opened


def test_what_a_deployment_and_a_refresh_left_behind_is_taken_in(state_dir, history):
    """Years of work from before the history knew of it: each with its time, detector and figures."""
    done = catch_up(state_dir, history.records)
    assert ({one.outcome for one in done.added}, done.problems) == ({"added"}, ())
    judged, verified = sorted(history.records.evaluations(), key=lambda row: row.source)
    assert judged.created_utc == "2001-09-09T01:46:40Z"
    assert (judged.engine_id, judged.precision, judged.detector) == (INT8, "int8", "roadscene")
    assert (judged.reference_engine_id, judged.kept, judged.passed) == (FP32, 0.99, True)
    assert judged.map50 == pytest.approx(0.495 * 1.4)  # of its verification on the same set
    assert (verified.engine_id, verified.map50_95, verified.kept) == (FP32, 0.5, None)
    assert [row.outcome for row in history.records.refreshes()] == ["promoted"]


def test_what_is_there_is_not_even_opened_again(state_dir, history, monkeypatch):
    """`edgekit history` looks each time: a thousand files read for each list would be seconds."""
    catch_up(state_dir, history.records)
    monkeypatch.setattr(project_files, "read_object", lambda path: pytest.fail(f"{path} was read again"))
    assert catch_up(state_dir, history.records) == project_files.CaughtUp()


def test_a_refresh_under_way_is_read_again_until_it_has_ended(state_dir, history):
    """The first look must not be the last that is known of it."""
    path = state_dir / "refreshes" / "local" / "2001-01-02T000000.000Z.json"
    begun = refresh("promoting", "2001-01-02T00:00:00.000Z", duration_s=60.0)
    write_json(path, to_wire(begun))
    catch_up(state_dir, history.records)
    assert [row.outcome for row in history.records.refreshes()] == ["promoting", "promoted"]
    write_json(path, to_wire(replace(begun, outcome="reverted", duration_s=61.0)))
    catch_up(state_dir, history.records)
    assert [row.outcome for row in history.records.refreshes()] == ["reverted", "promoted"]


def test_damaged_files_are_named_and_hide_no_other(state_dir, history):
    """A disk that was full, or a file of a newer edgekit."""
    gates = state_dir / "gates" / "local"
    (gates / "aaaaaaaaaaaaaaaa-0.json").write_text("{")
    write_json(gates / "bbbbbbbbbbbbbbbb-0.json", to_wire(replace(gate(), rows=())))
    write_json(gates / "cccccccccccccccc-0.json", {**to_wire(gate()), "new": 1})
    write_json(state_dir / "evaluations" / "local" / "eval-9.json", {**to_wire(record()), "schema": 9})
    (gates / ".eval-half.part.json").write_text("{")
    done = catch_up(state_dir, history.records)
    assert len(done.added) == 3
    assert [problem.split(":")[0] for problem in done.problems] == [
        "evaluations/local/eval-9.json",
        "gates/local/aaaaaaaaaaaaaaaa-0.json",
        "gates/local/bbbbbbbbbbbbbbbb-0.json",
        "gates/local/cccccccccccccccc-0.json",
    ]
    assert "newer edgekit (schema 9" in done.problems[0]


def test_an_evaluation_is_kept_once_and_a_changed_file_is_found_out_when_all_is_asked_for(state_dir, history):
    """`edgekit history add` is what an auditor runs."""
    path = save_evaluation(state_dir, record())
    before = path.stat().st_mtime_ns
    assert save_evaluation(state_dir, record("2001-02-01T00:00:00Z")) == path
    assert path.stat().st_mtime_ns == before
    catch_up(state_dir, history.records)
    document = json.loads(path.read_text("utf-8"))
    document["accuracy"]["map50_95"] = 0.9
    write_json(path, document)
    found, _ = read_new(state_dir, history.records, everything=True)
    added = history.records.add_all(found)
    assert [one.outcome for one in added if one.result_id.startswith("eval-")] == ["refused"]
    assert {one.outcome for one in added if not one.result_id.startswith("eval-")} == {"known"}


def test_the_detector_of_a_gate_is_told_by_whatever_knows_its_engine(state_dir, history):
    """A filter by detector would lose every gate; and a guess would show another detector's."""
    (state_dir / "devices" / "local" / "deploy.json").unlink()
    (state_dir / "refreshes" / "local" / "2001-01-01T000000.000Z.json").unlink()
    found, _ = read_new(state_dir, None)
    assert {one.detector for one in found} == {""}
    history.add(result("int8"))
    found, _ = read_new(state_dir, history.records)
    assert {one.engine_id: one.detector for one in found} == {INT8: "roadscene", FP32: ""}


def test_a_verification_stands_alone_only_where_no_gate_tells_of_its_engine(state_dir):
    """One deployment is two lines of the list, not three."""
    assert [file.record_id for file in record_files(state_dir)] == [
        "refresh-local-2001-01-01T000000.000Z",
        f"judged-local-{INT8[:8]}-01234567",
        f"verified-local-{FP32[:8]}-01234567",
    ]


def test_a_check_without_an_accuracy_is_no_evaluation(tmp_path, history):
    """A detector without a frozen set: its golden frames compare an engine with its model, and measure nothing."""
    path = tmp_path / "state" / "verified" / "local" / f"{FP32}-0.json"
    write_json(path, to_wire(replace(verification("fp32"), accuracy=None)))
    assert catch_up(tmp_path / "state", history.records).problems == ()
    assert history.records.count() == (0, 0)
