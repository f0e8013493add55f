"""`edgekit gate`, as CI runs it: real processes, result files, and engines of this machine's ONNX Runtime in turns."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from edgekit.cli.history.reading import HISTORY_VARIABLE
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.wire import to_wire
from edgekit.report.history import address
from edgekit.report.history.evaluation_sources import of_gate
from edgekit.report.history.store import open_history
from tests.command_line import run_verb
from tests.onnx_models import save_yolov8
from tests.report.gate.runs import disturbed, in_turns, run, sessions
from tests.report.made_up import write_document, write_results

NOW = datetime(2001, 1, 1)
DEVICES = """
devices:
  local:
    kind: local
    detector: tiny
    precision: fp32
    source: "scenes://?seed=3&width=320&height=192&fps=20&live=1"
    probation: {seconds: 0.5, frames: 5}
"""


def gate(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "gate", *arguments)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "devices.yaml").write_text("devices:\n  local:\n    kind: local\n", encoding="utf-8")
    return tmp_path


def recorded(project, *results):
    write_results(project / ".edgekit" / "results", *results)
    return project


def change(*results):
    return [replace(r, git_branch="change", git_commit="b" * 12, result_id=f"c-{r.result_id}") for r in results]


def test_a_regression_ends_with_10_and_is_named_everywhere(project):
    """Exit code, JSON, JUnit, Markdown and terminal are five readers of one outcome."""
    recorded(project, *in_turns(5.0, noise_pct=0.5))
    done = gate(project, "--baseline", "main", "--candidate", "change", "--junit", "g.xml", "--markdown", "g.md")
    assert done.returncode == 10, done.stderr
    assert "Failed: pipeline FPS" in done.stdout and "paired t, 5 rounds" in done.stdout
    assert "❌ **regression**" in (project / "g.md").read_text("utf-8")
    suite = ET.parse(project / "g.xml").getroot()[0]
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) > 0
    document = json.loads(gate(project, "--baseline", "main", "--candidate", "change", "--json").stdout)
    assert document["passed"] is False and document["candidate"]["name"] == "branch change"
    kept = sorted((project / ".edgekit" / "gate-reports").glob("*.json"))
    assert [json.loads(path.read_text())["passed"] for path in kept] == [False, False]


def test_a_clean_change_passes(project):
    recorded(project, *in_turns(0.0, noise_pct=0.3))
    done = gate(project, "--baseline", "main", "--candidate", "change")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed: no regression" in done.stdout


def test_without_a_name_the_last_run_is_judged_against_the_history_of_the_branch(project):
    """One bench a commit is what most projects have."""
    history = sessions([20.0, 20.1, 19.9, 20.05, 19.95])
    recorded(project, *history, *change(run(17.0, session="x", at=60, engine="fp32-2")))
    done = gate(project, "--baseline", "main")
    assert done.returncode == 10, done.stderr
    assert "last run" in done.stdout and "spread from history, 5 sessions" in done.stdout
    assert gate(project, "--baseline", "main", "--max-regression-pct", "30").returncode == 0


def test_what_was_never_measured_often_enough_is_no_pass(project):
    """One run against one run can neither pass nor fail."""
    recorded(project, run(20.0), *change(run(10.0, session="x", at=9, engine="fp32-2")))
    done = gate(project, "--baseline", "main")
    assert done.returncode == 2
    assert "Not judged: no figure was measured often enough" in done.stdout and "cannot tell" in done.stdout


@pytest.mark.parametrize(
    "results, arguments, message",
    [
        ([], ["--baseline", "main"], "no results in"),
        ([run()], ["--baseline", "trunk"], "no result, branch, commit, engine or file is called 'trunk'"),
        ([run()], ["--baseline", "main"], "no result to compare with"),
        ([run(), disturbed(run(session="x", at=5, branch="y"))], ["--baseline", "main"], "no result to compare with"),
        ([run()], ["--baseline", "main", "--seconds", "3"], "add --measure"),
        ([run()], ["--baseline", "main", "--alpha", "0.6"], "--alpha"),
        ([run()], ["--baseline", "main", "--measure", "--precision", "int8"], "--candidate ENGINE"),
    ],
)
def test_nothing_to_compare_ends_with_2_and_says_what_to_do(project, results, arguments, message):
    """An empty comparison must never look like a pass."""
    done = gate(recorded(project, *results), *arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr and "try:" in done.stderr


def test_other_conditions_end_with_2_and_are_listed(project):
    other = run(19.0, session="x", at=9, engine="fp32-2")
    recorded(project, run(), *change(replace(other, conditions=replace(other.conditions, batch=8, threads=1))))
    done = gate(project, "--baseline", "main", "--json")
    assert done.returncode == 2
    assert "conditions.batch: 1 and 8\nconditions.threads: 2 and 1" in json.loads(done.stdout)["error"]["why"]


def test_damaged_and_partial_files_are_named_and_never_compared(project):
    """A bench that was killed leaves a file behind."""
    recorded(project, *in_turns(0.0, noise_pct=0.3))
    folder = project / ".edgekit" / "results"
    write_document(folder / "x.partial.json", {"schema": 2, "partial": True, "done": 3, "total": 24})
    (folder / "y.json").write_text("{")
    done = gate(project, "--baseline", "main", "--candidate", "change")
    assert done.returncode == 0, done.stderr
    assert "x.partial.json" in done.stderr and "y.json" in done.stderr


def test_a_folder_or_a_file_of_results_is_a_baseline_too(project):
    """The artifact of the last release."""
    results = in_turns(5.0, noise_pct=0.5)
    write_results(project / "old", *results[::2])
    recorded(project, *results[1::2])
    assert gate(project, "--baseline", "old").returncode == 10
    one = next((project / "old").glob("*.json"))
    assert "files old" in gate(project, "--baseline", "old", "--dry-run").stdout
    assert gate(project, "--baseline", str(one)).returncode == 2


def test_a_dry_run_says_what_would_be_compared_and_judges_nothing(project):
    recorded(project, *in_turns(5.0, noise_pct=0.5))
    done = gate(project, "--baseline", "main", "--candidate", "change", "--dry-run", "--json")
    would = json.loads(done.stdout)
    assert (done.returncode, len(would["baseline"]["results"]), len(would["candidate"]["results"])) == (0, 5, 5)
    assert not (project / ".edgekit" / "gate-reports").exists()


def test_the_paired_interval_of_the_accuracy_gate_is_used(project):
    """`edgekit eval` and deploy leave what they judged; a loss that chance explains is no regression then."""
    before, after = in_turns(0.0, noise_pct=0.3)[::2], in_turns(0.0, noise_pct=0.3)[1::2]
    after = [replace(r, accuracy=replace(r.accuracy, map50_95=0.49)) for r in after]
    recorded(project, *before, *after)
    assert gate(project, "--baseline", "main", "--candidate", "change").returncode == 10
    names = [f"FP32 engine {side[0].engine.engine_id}" for side in (before, after)]
    row = StratumKept("all", 220, 900, 0.5, 0.49, 0.98, 0.955, 1.004, "kept")
    folder = project / ".edgekit" / "gates" / "local"
    judged = Gate(*names, "roadscene-frozen", "5" * 64, (row,), 400)
    write_document(folder / f"{after[0].engine.engine_id}-0123.json", to_wire(judged))
    done = gate(project, "--baseline", "main", "--candidate", "change")
    assert done.returncode == 0 and "paired over the pictures, 220 pictures" in done.stdout


def test_the_accuracy_gate_of_a_history_counts_where_results_are_from_there(project):
    """A CI runner has the database and not the files of the machine that judged."""
    before, after = in_turns(0.0, noise_pct=0.3)[::2], in_turns(0.0, noise_pct=0.3)[1::2]
    after = [replace(r, accuracy=replace(r.accuracy, map50_95=0.49)) for r in after]
    names = [f"FP32 engine {side[0].engine.engine_id}" for side in (before, after)]
    row = StratumKept("all", 220, 900, 0.5, 0.49, 0.98, 0.955, 1.004, "kept")
    judged = of_gate("judged-x", Gate(*names, "roadscene-frozen", "5" * 64, (row,), 400), "local", "", NOW, None)
    with open_history(str(project / "h.db")) as history:
        history.add_all([*before, *after])
        assert gate(project, "--baseline", "main", "--candidate", "change", "--db", "h.db").returncode == 10
        history.records.add_all([judged])
    done = gate(project, "--baseline", "main", "--candidate", "change", "--db", "h.db")
    assert done.returncode == 0 and "paired over the pictures, 220 pictures" in done.stdout


def test_a_device_that_a_history_does_not_hold_is_named_with_what_there_is(project):
    """A typo must not read as a database that lost its results."""
    with open_history(str(project / "h.db")) as history:
        history.add_all(in_turns(0.0, noise_pct=0.3))
    done = gate(project, "--baseline", "main", "--db", "h.db", "--device", "yrd")
    assert done.returncode == 2 and "no results for device 'yrd'" in done.stderr
    assert "measured so far: local with roadscene" in done.stderr


def test_results_of_a_history_are_judged_alike(project):
    recorded(project, *in_turns(5.0, noise_pct=0.5))
    added = run_verb(project, "history", "add", ".edgekit/results", "--db", "h.db")
    assert added.returncode == 0, added.stderr
    done = gate(project, "--baseline", "main", "--candidate", "change", "--db", "h.db")
    assert done.returncode == 10, done.stderr
    named = run_verb(
        project, "gate", "--baseline", "main", "--candidate", "change", EDGEKIT_HISTORY=str(project / "h.db")
    )
    assert named.returncode == 10 and "results of the history" in named.stderr
    assert address.HISTORY_VARIABLE == HISTORY_VARIABLE
    assert "no results in x" in gate(project, "--baseline", "main", "--db", "h.db", "--results", "x").stderr
    assert gate(project, "--baseline", "main", "--db", "none.db").returncode == 2


@pytest.fixture(scope="module")
def two_engines(tmp_path_factory):
    """A repository with an engine of the model on main deployed and measured, and then that of a retrained one."""
    root = tmp_path_factory.mktemp("two") / "project"
    detector = root / "detectors" / "tiny"
    detector.mkdir(parents=True)
    (root / "devices.yaml").write_text(DEVICES)
    (detector / "detector.yaml").write_text("labels: [car, person]\n")
    (root / ".gitignore").write_text("/.edgekit/\n")
    git(root, "init", "-q", "-b", "main")
    save_yolov8(detector / "model.onnx", seed=0)
    commit(root)
    succeed(root, "build", "tiny", "--precision", "fp32")
    succeed(root, "bench", "--precision", "fp32", "--seconds", "1")
    git(root, "checkout", "-q", "-b", "change")
    save_yolov8(detector / "model.onnx", seed=1)
    commit(root)
    succeed(root, "deploy")
    yield root
    run_verb(root, "stop")


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def commit(root):
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


def succeed(root, *arguments):
    done = run_verb(root, *arguments, timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_engines_are_measured_in_turns_and_the_service_runs_again(two_engines):
    """The model was trained anew, main's engine is still there, and the machine's drift is in both."""
    plan = json.loads(gate(two_engines, "--baseline", "main", "--measure", "--dry-run", "--json").stdout)
    assert len(set(plan["engines"])) == 2 and plan["stops_service"] is True
    options = ["--measure", "--rounds", "2", "--seconds", "1", "--max-regression-pct", "90"]
    done = gate(two_engines, "--baseline", "main", *options, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [document[side]["engine_id"] for side in ("baseline", "candidate")] == plan["engines"]
    assert document["baseline"]["runs"] == document["candidate"]["runs"] == 2
    assert {row["test"] for row in document["rows"] if row["p_value"] is not None} == {"paired t, 2 rounds"}
    status = json.loads(run_verb(two_engines, "status", "--json").stdout)
    assert "running" in json.dumps(status)


def test_the_deployed_engine_against_itself_is_nothing_to_measure(two_engines):
    """A change of the documentation must not cost five minutes of a board."""
    plan = json.loads(gate(two_engines, "--baseline", "main", "--measure", "--dry-run", "--json").stdout)
    done = gate(two_engines, "--baseline", plan["engines"][1], "--measure", "--markdown", "g.md", "--junit", "g.xml")
    assert done.returncode == 0, done.stderr
    assert "Passed: both sides are the same engine." in done.stdout
    assert "there was nothing to measure" in (two_engines / "g.md").read_text("utf-8")
    assert ET.parse(two_engines / "g.xml").getroot().get("tests") == "0"


def test_an_engine_that_is_gone_is_named(two_engines):
    """`edgekit gc` may have deleted it."""
    other = replace(run(session="x", branch="gone"), engine=replace(run().engine, detector="tiny"))
    write_results(two_engines / ".edgekit" / "results", other)
    done = gate(two_engines, "--baseline", "gone", "--measure")
    assert done.returncode == 2 and "is no longer on local" in done.stderr
