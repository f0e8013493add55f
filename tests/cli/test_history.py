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
from edgekit.errors import ConfigError, UsageError
from tests.command_line import run_verb
from tests.postgres import no_postgres, running_server
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
