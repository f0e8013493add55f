"""`edgekit report`, as a person types it: real processes on real files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edgekit.core.wire import to_wire
from edgekit.report.history.project_files import save_evaluation
from tests.command_line import run_verb
from tests.report.history.made_up_records import record
from tests.report.made_up import result, write_document, write_results

ROOT = Path(__file__).resolve().parents[2]
INT8 = result("int8", map50_95=0.494)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "devices.yaml").write_text("devices:\n  local:\n    kind: local\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def measured(project):
    write_results(project / ".edgekit" / "results", result(), INT8)
    record = {
        "precision": "int8",
        "decision": "INT8 keeps enough and is faster.",
        "detector": "roadscene",
        "engine_id": INT8.engine.engine_id,
        "release_id": "0123456789abcdef",
    }
    write_document(project / ".edgekit" / "devices" / "local" / "deploy.json", record)
    return project


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "report", *arguments, timeout_s=60)


def files_of(project: Path) -> list:
    return sorted(path.name for path in (project / ".edgekit" / "reports").iterdir())


def test_without_options_the_page_is_written_and_the_headline_said(measured):
    """Path, FPS and accuracy are what one looks for after the command."""
    done = run(measured)
    assert done.returncode == 0, done.stderr
    path = measured / ".edgekit" / "reports" / "local-roadscene.html"
    assert str(path) in done.stdout
    assert "40.0 FPS through the whole pipeline, 95 % interval 39.2 to 40.8" in done.stdout
    assert "0.494 mAP50-95" in done.stdout
    assert "98.8 % of FP32 kept" in done.stdout
    assert "INT8, deployed" in done.stdout
    assert "INT8 keeps enough and is faster." in path.read_text(encoding="utf-8")
    assert files_of(measured) == ["local-roadscene.html"]


def test_json_says_the_same_as_one_object(measured):
    """CI reads it."""
    done = run(measured, "--json")
    document = json.loads(done.stdout)
    assert document["pipeline_fps"] == 40.0
    assert document["map50_95"] == 0.494
    assert document["deployed"] is True
    assert Path(document["path"]).is_file()


@pytest.mark.parametrize(
    ("form", "start"), [("html", "<!doctype html>"), ("md", "# roadscene"), ("json", '{\n  "schema": 1')]
)
def test_each_form_lands_where_it_is_asked_for(measured, form, start):
    """A file of another form under the given name would be found out too late."""
    done = run(measured, "--format", form, "--out", f"new/folder/r.{form}", "--lang", "zh" if form == "html" else "en")
    assert done.returncode == 0, done.stderr
    written = (measured / "new" / "folder" / f"r.{form}").read_text(encoding="utf-8")
    assert written.startswith(start)
    assert ("前后对比" in written) == (form == "html")


def test_no_results_give_a_hint_and_exit_code_2(project):
    """The first run of a newcomer."""
    done = run(project)
    assert done.returncode == 2
    assert "no results in" in done.stderr
    assert "edgekit bench --fps" in done.stderr
    assert done.stdout == ""


def test_an_unknown_detector_is_named_with_what_there_is(measured):
    """A typo must not write an empty page."""
    done = run(measured, "--detector", "rodscene")
    assert done.returncode == 2
    assert "'rodscene'" in done.stderr
    assert "local with roadscene" in done.stderr
    assert not (measured / ".edgekit" / "reports").exists()


def test_a_broken_result_file_is_warned_of_and_does_not_stop_the_report(measured):
    """The warning goes to standard error, so that --json stays one object."""
    (measured / ".edgekit" / "results" / "half.json").write_text("{", encoding="utf-8")
    done = run(measured, "--json")
    assert done.returncode == 0
    assert "half.json" in done.stderr
    assert json.loads(done.stdout)["detector"] == "roadscene"


def test_results_of_another_folder_can_be_reported(project):
    """Results recorded elsewhere, such as those of the repository."""
    folder = write_results(project / "recorded", result(device="bench-pc"))
    done = run(project, "--results", str(folder))
    assert done.returncode == 0, done.stderr
    assert files_of(project) == ["bench-pc-roadscene.html"]


def test_a_name_from_a_result_file_cannot_leave_the_folder(project):
    """The file may come from anywhere; its device name becomes part of ours."""
    write_document(project / ".edgekit" / "results" / "r.json", to_wire(result(device="../../../evil")))
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert len(files_of(project)) == 1
    assert not list(project.parent.glob("evil*"))


def test_a_place_that_cannot_be_written_is_an_error_and_not_a_traceback(measured):
    """The folder in the way of the file."""
    (measured / "taken").mkdir()
    done = run(measured, "--out", "taken")
    assert done.returncode == 2
    assert "taken cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def kept(measured):
    """The same results in a database, and a project that has nothing but that."""
    assert run_verb(measured, "history", "add", "--db", "h.db").returncode == 0
    return measured / "h.db"


def test_a_report_from_a_history_says_what_the_files_say(measured, kept):
    """Same results, same choosing, same conditions: another figure would be another report."""
    from_files, from_history = (
        json.loads(run(measured, "--json", *source).stdout) for source in ((), ("--db", str(kept)))
    )
    assert from_history == from_files
    assert from_history["deployed"] is True  # this project's deployment is of one of these engines
    pages = [run(measured, "--format", "md", "--out", "r.md", *source) for source in ((), ("--db", str(kept)))]
    assert [done.returncode for done in pages] == [0, 0]


def test_elsewhere_a_history_alone_gives_the_report_without_what_it_does_not_hold(kept, tmp_path_factory):
    """Who has the address of the database and nothing else; another project's deployment must not be passed off."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "devices.yaml").write_text("devices:\n  local:\n    kind: local\n", encoding="utf-8")
    foreign = {"precision": "fp32", "decision": "d", "engine_id": "f" * 16, "release_id": "0", "detector": "roadscene"}
    write_document(elsewhere / ".edgekit" / "devices" / "local" / "deploy.json", foreign)
    done = run(elsewhere, "--json", "--db", str(kept))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["deployed"] is False
    assert "which engine is deployed is not in a history" in done.stderr
    assert run(elsewhere, "--db", str(kept), "--review", "--lang", "zh").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--coverage",), "--coverage looks at pictures, and a history holds none"),
        (("--results", "x"), "--results and --db: one at a time"),
        (("--device", "yard"), "local with roadscene"),
        (("--detector", "other"), "no results for detector 'other'"),
    ],
)
def test_what_a_history_does_not_hold_is_refused(measured, kept, arguments, told):
    """A report without it would look like one in which it was asked and found nothing."""
    done = run(measured, "--db", str(kept), *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (measured / ".edgekit" / "reports").exists()


@pytest.mark.parametrize("database", ["none.db", "postgresql://127.0.0.1:1/none", "mysql://x"])
def test_a_history_that_is_not_there_is_an_error_and_makes_nothing(measured, database):
    """A typo in an address must not leave an empty database behind."""
    done = run(measured, "--db", database)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert not (measured / "none.db").exists()


def test_engines_that_were_judged_after_they_were_measured_have_their_accuracy(project):
    """bench, then eval: a result never changes, and the history knows both."""
    write_results(project / ".edgekit" / "results", result(map50_95=None), result("int8", map50_95=None))
    save_evaluation(project / ".edgekit", record())
    assert run_verb(project, "history", "add").returncode == 0
    done = run(project, "--json", "--db", ".edgekit/history.db")
    assert json.loads(done.stdout)["map50_95"] == 0.495


def test_help_has_examples():
    """What to type is shown, not described."""
    done = run(ROOT, "--help")
    assert done.returncode == 0
    assert "edgekit report --lang zh --format md --out report.md" in " ".join(done.stdout.split())
