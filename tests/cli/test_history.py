"""`edgekit history`, as a person types it, on real files and a real server.

Most run within this process, for starting one takes longer than what they test; two are processes of their own.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.errors import ConfigError, NotFoundError, UsageError
from edgekit.report.history.project_files import save_evaluation
from tests.cli.test_eval import save_bright_model, write_pictures
from tests.command_line import run_verb
from tests.postgres import no_postgres, running_server
from tests.report.history.made_up_records import FP32, INT8, record, write_records
from tests.report.made_up import result, write_document, write_results
from tests.servers import needed

CASES = Path(__file__).resolve().parents[1] / "cases"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "devices.yaml").write_text("devices:\n  local:\n    kind: local\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def measured(project):
    first, second, third = (
        result("int8", fps=fps, created_utc=f"2001-01-0{day}T00:00:00Z", git_branch="main")
        for day, fps in ((1, 40.0), (2, 42.0), (3, 10.0))
    )
    throttled = replace(third, measurement=replace(third.measurement, disturbances=("throttled at 97 C",)))
    write_results(project / ".edgekit" / "results", first, second, throttled)
    return project


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(project: Path, *arguments: str, **environment: str) -> Done:
    told = {"EDGEKIT_PROJECT": str(project), "EDGEKIT_HISTORY": None, "NO_COLOR": "1", **environment}
    paths = [str(project / word) if word.endswith((".log", ".csv")) else word for word in arguments]
    done = CliRunner().invoke(app, ["history", *paths], env=told)
    return Done(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def recorded(measured):
    """Results, and what a deployment, a refresh and `edgekit eval` left behind."""
    write_records(measured / ".edgekit")
    save_evaluation(measured / ".edgekit", record("2001-01-02T12:00:00Z", kept=0.97))
    return measured


def lines_of(path: str, index: int) -> str:
    return "\n".join(json.loads((CASES / path).read_text("utf-8"))["cases"][index]["lines"]) + "\n"


def test_old_results_are_added_once_and_listed_newest_first(measured):
    """One looks here first to see whether the last change helped."""
    assert "3 added, 0 known, 0 refused, 0 could not be read" in run_verb(measured, "history", "add").stdout
    assert "0 added, 3 known" in run(measured, "add").stdout
    done = run_verb(measured, "history")
    assert done.returncode == 0, done.stderr
    ids = [line for line in done.stdout.splitlines() if line.startswith("2001-01-0")]
    assert [line[:10] for line in ids] == ["2001-01-03", "2001-01-02", "2001-01-01"]
    assert "int8-2001-01-03T00:00:00Z: disturbed, does not count: throttled at 97 C" in done.stdout
    assert "local roadscene int8 pipeline: 2 results, 1 disturbed left out, 2001-01-01 to 2001-01-03" in done.stdout
    assert "FPS       ▁█  now 42.0 (+5.0 %), median 41.0, 40.0 to 42.0" in done.stdout


def test_json_holds_all_that_the_list_shows(measured):
    """A CI reads this, and nobody parses a table twice."""
    run(measured, "add")
    document = json.loads(run(measured, "--json", "--limit", "2", "--branch", "main").stdout)
    assert document["total"] == 3
    assert [row["figures"]["fps"] for row in document["results"]] == [10.0, 42.0]
    assert document["results"][0]["disturbances"] == ["throttled at 97 C"]
    assert document["results"][0]["figures"]["watts"] is None
    assert document["series"][0]["left_out"] == 1
    assert document["database"] == str(measured / ".edgekit" / "history.db")


def test_a_dry_run_says_what_would_be_added_and_makes_nothing(measured):
    """Not even an empty file."""
    assert "3 would be added, 0 known" in run(measured, "add", "--dry-run").stdout
    assert not (measured / ".edgekit" / "history.db").exists()
    run(measured, "add")
    assert "0 would be added, 3 known" in run(measured, "add", "--dry-run").stdout


def test_one_result_is_shown_whole_with_what_its_fps_means(measured):
    """A figure without its definition is what started every argument."""
    run(measured, "add")
    done = run(measured, "show", "int8-2001-01-02")
    assert "42.0 FPS (41.2 to 42.8), stable" in done.stdout
    assert "not 1000 / inference ms" in done.stdout
    assert done.stdout.count("not measured") == 3  # power, energy, temperature
    document = json.loads(run(measured, "show", "int8-2001-01-02", "--json").stdout)
    assert document["measurement"]["pipeline_rate"]["fps"] == 42.0
    assert "3 results begin with 'int8'" in run(measured, "show", "int8").stderr


def test_a_changed_result_is_refused_and_the_exit_code_says_so(measured):
    """Whoever edits a result file to look better is found out by the next `add`."""
    run(measured, "add")
    path = next((measured / ".edgekit" / "results").glob("*01-02*"))
    document = json.loads(path.read_text("utf-8"))
    document["measurement"]["pipeline_rate"]["fps"] = 99.0
    write_document(path, document)
    (path.parent / "z.partial.json").write_text('{"partial": true, "done": 1, "total": 9}')
    done = run(measured, "add")
    assert done.returncode == ConfigError.exit_code
    assert "0 added, 2 known, 1 refused, 1 could not be read" in done.stdout
    assert "is in the history with another content" in done.stderr
    assert "z.partial.json: what a run that was stopped left behind, after 1 of 9 s" in done.stderr


@pytest.mark.parametrize("words", [("list",), (), ("show", "x"), ("export", "--out", "a.csv")])
def test_without_a_history_it_is_said_what_to_type(project, words):
    """The first thing that anybody sees of it."""
    done = run(project, *words)
    assert done.returncode == UsageError.exit_code
    assert "no history yet" in done.stderr
    assert "edgekit history add" in done.stderr


def test_an_empty_choice_says_so(measured):
    """An empty table looks like a failure of the terminal."""
    run(measured, "add")
    done = run(measured, "--device", "yard")
    assert done.returncode == 0
    assert "no such result in" in done.stdout


def test_what_other_tools_measured_stands_apart(project):
    """trtexec's 150 queries a second beside our 42 FPS in one column would be believed."""
    (project / "trtexec.log").write_text(lines_of("trtexec/logs.json", 2))
    (project / "benchmarks.log").write_text(lines_of("ultralytics/tables.json", 0), encoding="utf-8")
    done = run(project, "import", "--from", "trtexec", "trtexec.log", "--device", "yard", "--dry-run")
    assert "nothing was added" in done.stdout
    assert not (project / ".edgekit" / "history.db").exists()
    assert "2 added" in run(project, "import", "--from", "trtexec", "trtexec.log", "--device", "yard").stdout
    assert "0 added, 2 known" in run(project, "import", "--from", "trtexec", "trtexec.log", "--device", "yard").stdout
    assert "3 added" in run(project, "import", "--from", "ultralytics", "benchmarks.log").stdout
    done = run(project)
    assert "other tools, whose figures mean something else" in done.stdout
    assert "graph on, spin off, copies off" in done.stdout
    document = json.loads(run(project, "--json").stdout)
    assert document["results"] == []
    assert [one["tool"] for one in document["foreign"]] == ["trtexec"] * 2 + ["ultralytics"] * 3
    shown = run(project, "show", document["foreign"][2]["foreign_id"])
    assert "fps_from_inference: 1000 / inference ms" in shown.stdout


def test_the_same_text_under_another_name_is_refused(project):
    """One log counted for two devices."""
    (project / "trtexec.log").write_text(lines_of("trtexec/logs.json", 1))
    assert run(project, "import", "--from", "trtexec", "trtexec.log", "--device", "yard").returncode == 0
    done = run(project, "import", "--from", "trtexec", "trtexec.log", "--device", "gate")
    assert done.returncode == ConfigError.exit_code
    assert "with another --device or --model" in done.stderr


def test_a_history_is_exported_as_a_table(measured):
    """Spreadsheets are where figures go to be argued about."""
    run(measured, "add")
    done = run(measured, "export", "--out", "a.csv", "--precision", "int8")
    assert f"3 results in {measured / 'a.csv'}" in done.stdout
    assert len((measured / "a.csv").read_text("utf-8").splitlines()) == 4


def test_a_page_is_drawn_of_it(measured):
    """What one shows to somebody else."""
    run(measured, "add")
    done = run(measured, "plot", "--limit", "2", "--lang", "zh")
    assert "2 of 3 results: --limit 3 takes all" in done.stderr
    page = (measured / ".edgekit" / "reports" / "history.html").read_text("utf-8")
    assert '<html lang="zh-CN">' in page
    assert "no such result" in run(measured, "plot", "--device", "yard").stderr


def test_a_damaged_history_is_named_and_left_where_it_is(measured):
    """Only its owner may decide what to do with it."""
    run(measured, "add")
    path = measured / ".edgekit" / "history.db"
    path.write_bytes(b"x" * 5000)
    done = run(measured, "--json")
    assert done.returncode == ConfigError.exit_code
    assert "is not a whole SQLite file" in json.loads(done.stdout)["error"]["what"]
    assert path.read_bytes() == b"x" * 5000


def test_a_history_in_a_file_can_be_opened_by_other_programs(measured):
    """It is the user's data: plain tables and JSON."""
    run(measured, "add")
    with sqlite3.connect(measured / ".edgekit" / "history.db") as connection:
        rows = connection.execute(
            "SELECT fps, json_extract(document, '$.engine.precision') FROM results JOIN documents USING (sequence)"
        ).fetchall()
    connection.close()
    assert sorted(rows) == [(10.0, "int8"), (40.0, "int8"), (42.0, "int8")]


@needed(no_postgres())
def test_a_server_is_used_by_its_url_and_its_password_is_never_shown(measured):
    """The team's history; what CI prints everybody reads."""
    with running_server() as server:
        url = server.url(server.new_database())
        done = run(measured, "add", EDGEKIT_HISTORY=url)
        assert "3 added" in done.stdout, done.stderr
        listed = run(measured, "--json", "--db", url)
        assert json.loads(listed.stdout)["total"] == 3
        assert "--db holds a password" in listed.stderr
        wrong = run_verb(measured, "history", "--debug", EDGEKIT_HISTORY=server.url("nowhere"))
        assert wrong.returncode == UsageError.exit_code
        told = "".join(text for one in (done, listed, wrong) for text in (one.stdout, one.stderr))
        assert server.password not in told
    assert not (measured / ".edgekit" / "history.db").exists()


def listed_kinds(project: Path, *arguments: str) -> list[str]:
    """The second column of the list."""
    lines = run(project, *arguments).stdout.splitlines()
    return [line.split()[2] for line in lines if line.startswith("2001-")]


def test_results_evaluations_and_refreshes_stand_on_one_line_of_time(recorded):
    """Why the figures changed stands where they changed. Records of before the history knew them are taken in."""
    assert run(recorded, "add").returncode == 0
    assert listed_kinds(recorded) == ["eval", "eval", "pipeline", "eval", "pipeline", "pipeline", "refresh"]
    done = run(recorded)
    assert "99.0 % of FP32" in done.stdout and "not passed" in done.stdout
    assert "keeps 97.0 % (96.5 % to 97.5 %) of FP32 engine" in done.stdout and "least in day: 97.0 %" in done.stdout
    assert "promoted: better than the engine that serves" in done.stdout
    assert "mAP kept" in done.stdout  # drawn below, beside the FPS
    assert listed_kinds(recorded, "--kind", "eval") == ["eval"] * 3
    assert listed_kinds(recorded, "--kind", "refresh") == ["refresh"]
    assert listed_kinds(recorded, "--scenario", "pipeline") == ["pipeline"] * 3
    assert listed_kinds(recorded, "--limit", "3") == ["eval", "eval", "pipeline"]
    assert "3 of 7: --limit 7 shows all" in run(recorded, "--limit", "3").stdout


@pytest.mark.parametrize(
    ("kind", "option"), [("eval", "--scenario"), ("refresh", "--scenario"), ("refresh", "--branch")]
)
def test_a_filter_that_the_kind_asked_for_lacks_is_refused(recorded, kind, option):
    """An empty list would be taken for "there was none"."""
    done = run(recorded, "--kind", kind, option, "pipeline")
    assert done.returncode == UsageError.exit_code
    assert f"{option} pipeline: {'evaluations' if kind == 'eval' else 'refreshes'} have none" in done.stderr


def test_without_a_single_result_evaluations_and_refreshes_make_the_history(project):
    """A device that is refreshed by a timer may never be benched."""
    write_records(project / ".edgekit")
    document = json.loads(run(project, "--json").stdout)
    assert (project / ".edgekit" / "history.db").exists()
    assert document["totals"] == {"result": 0, "eval": 2, "refresh": 1}
    assert (document["total"], document["results"]) == (0, [])
    assert {row["source"] for row in document["evaluations"]} == {"judged", "verified"}
    judged = next(row for row in document["evaluations"] if row["source"] == "judged")
    assert (judged["engine_id"], judged["reference_engine_id"], judged["kept_low"]) == (INT8, FP32, 0.985)
    assert judged["strata"][1] == {"stratum": "night", "kept": 0.975, "low": 0.96, "high": 0.99, "verdict": "kept"}
    assert document["refreshes"][0]["new_strata"] == ["light:night"]


def test_an_evaluation_and_a_refresh_are_shown_whole(recorded):
    """The evidence, a year later."""
    shown = run(recorded, "show", "judged").stdout
    assert "held against  FP32 engine" in shown and "98.0 % to 100.0 %" in shown and "the gate lets it pass" in shown
    assert "the gate refuses it: it keeps 97.0 %" in run(recorded, "show", "eval-").stdout
    shown = run(recorded, "show", "refresh-local").stdout
    assert "roadscene-day-local-1, 300 pictures, 25 from the field" in shown
    assert "light:night" in shown and "Held-out field frames" in shown
    assert json.loads(run(recorded, "show", "refresh", "--json").stdout)["duration_s"] == 72.5
    assert json.loads(run(recorded, "show", "verified", "--json").stdout)["accuracy"]["map50_95"] == 0.5
    done = run(recorded, "show", "eval-none")
    assert done.returncode == NotFoundError.exit_code and "no evaluation 'eval-none'" in done.stderr


def test_add_takes_in_all_that_the_project_holds_and_finds_out_what_was_edited(recorded):
    """A figure that was made better by hand must not become the history."""
    assert "7 would be added" in run(recorded, "add", "--dry-run").stdout
    assert not (recorded / ".edgekit" / "history.db").exists()
    assert "7 added, 0 known, 0 refused, 0 could not be read" in run(recorded, "add").stdout
    assert "0 added, 7 known" in run(recorded, "add").stdout
    path = next((recorded / ".edgekit" / "evaluations" / "local").glob("*.json"))
    path.write_text(path.read_text("utf-8").replace("0.97", "0.99"), encoding="utf-8")
    done = run(recorded, "add", "--dry-run")
    assert done.returncode == ConfigError.exit_code and "an evaluation never changes" in done.stderr


def test_another_history_is_only_read(recorded):
    """Looking at the team's, or a colleague's, must not put this project's records into it."""
    other = recorded / "other.db"
    run(recorded, "add", "--db", str(other), str(recorded / ".edgekit" / "results"))
    assert json.loads(run(recorded, "--db", str(other), "--json").stdout)["totals"]["eval"] == 0
    assert "0 results, 3 evaluations, 1 refresh in" in run(recorded, "plot").stdout


def test_a_damaged_record_is_named_and_hides_nothing(recorded):
    """Half a file of a full disk."""
    (recorded / ".edgekit" / "gates" / "local" / "eeeeeeeeeeeeeeee-0.json").write_text("{")
    done = run(recorded, "--kind", "eval", "--json")
    assert json.loads(done.stdout)["totals"] == {"eval": 3}
    assert "records left out: gates/local/eeeeeeeeeeeeeeee-0.json" in done.stderr


def test_exports_hold_all_kinds_and_another_history_takes_them_in(recorded):
    """One file moves a project's past to the team's server."""
    run(recorded, "add")
    told = run(recorded, "export", "--out", str(recorded / "all.jsonl")).stdout
    assert "3 results, 3 evaluations, 1 refresh in" in told
    done = run(recorded, "add", str(recorded / "all.jsonl"), "--db", str(recorded / "team.db"))
    assert "7 added" in done.stdout
    shown = json.loads(run(recorded, "--db", str(recorded / "team.db"), "--json").stdout)
    assert shown["totals"] == {"result": 3, "eval": 3, "refresh": 1}
    assert "3 evaluations in" in run(recorded, "export", "--out", "e.csv", "--kind", "eval").stdout


def test_edgekit_eval_keeps_what_it_found_though_its_history_cannot_be_reached(tmp_path):
    """A real engine is judged; a server that is down costs a warning, and the next look catches up."""
    (tmp_path / "detectors" / "tiny").mkdir(parents=True)
    save_bright_model(tmp_path / "detectors" / "tiny" / "model.onnx")
    (tmp_path / "devices.yaml").write_text(
        "devices:\n  local: {kind: local, detector: tiny, source: 'scenes://?seed=3'}\n"
    )
    told = "labels: [car, person]\nfrozen: plain\n"
    (tmp_path / "detectors" / "tiny" / "detector.yaml").write_text(told)
    write_pictures(tmp_path / "calib_sets" / "plain" / "images", 4, {"day": 255})
    (tmp_path / "calib_sets" / "plain" / "set.yaml").write_text("images: {folder: images}\n")
    nowhere = "sqlite:////nowhere/at/all.db"
    done = run_verb(tmp_path, "eval", "--against", "model", EDGEKIT_HISTORY=nowhere)
    assert done.returncode == 0, done.stderr
    assert "not added to the history" in done.stderr and "edgekit history add" in done.stderr
    assert len(list((tmp_path / ".edgekit" / "evaluations" / "local").glob("eval-*.json"))) == 1
    assert run_verb(tmp_path, "eval", "--against", "model").returncode == 0
    document = json.loads(run(tmp_path, "--json").stdout)
    (row,) = document["evaluations"]
    assert (row["source"], row["detector"], row["labelled_by"]) == ("eval", "tiny", "model")
    assert (row["reference"], row["passed"]) == ("FP32 model itself", True)


@needed(no_postgres())
def test_who_may_only_read_a_teams_history_reads_it(recorded):
    """A reader's records cannot be added: said once, and the list is there."""
    import psycopg

    with running_server() as server:
        database = server.new_database()
        assert run(recorded, "add", EDGEKIT_HISTORY=server.url(database)).returncode == 0
        with psycopg.connect(server.url(database), autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        save_evaluation(recorded / ".edgekit", record("2001-01-05T00:00:00Z", kept=0.9))
        done = run(recorded, "--json", EDGEKIT_HISTORY=f"postgresql://reader:x@127.0.0.1:{server.port}/{database}")
        assert json.loads(done.stdout)["totals"] == {"result": 3, "eval": 3, "refresh": 1}, done.stderr
        assert "were not added to postgresql://reader@127.0.0.1" in done.stderr
        assert run(recorded, EDGEKIT_HISTORY=server.url(database)).stderr == ""
