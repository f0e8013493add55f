"""`edgekit forecast`, as a person types it: real processes on real files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.report.history.store import open_history
from tests.command_line import run_verb
from tests.report.forecast.made_up_history import reference, release, releases
from tests.report.history.made_up_records import gate, record
from tests.report.made_up import write_results

RATES = [10 * 1.12 ** (number // 2) for number in range(10)]
DEVICES = """devices:
  local: {kind: local, detector: roadscene, targets: {fps: 25}}
  yard: {kind: jetson, address: yard.example, source: "csi://0", detector: yolo11n}
"""


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "devices.yaml").write_text(DEVICES, encoding="utf-8")
    write_results(tmp_path / ".edgekit" / "results", *releases(RATES, runs=2, noise=0.01))
    return tmp_path


def run(project: Path, *arguments: str):
    return run_verb(project, "forecast", *arguments, timeout_s=60)


def test_without_options_every_device_is_told_of(project):
    """The question is about the fleet; targets are those of devices.yaml."""
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert "roadscene on local: not met (10 releases)" in done.stdout
    assert "≥ 25.0 FPS" in done.stdout.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "yolo11n on yard: not measured (no release measured)" in done.stdout
    assert "try: edgekit bench --fps --device yard" in done.stdout
    assert "no history yet: reading the files in" in done.stderr


def test_json_is_one_document_and_the_same_every_time(project):
    """CI keeps it beside the build."""
    first, again = run(project, "--device", "local", "--json"), run(project, "--device", "local", "--json")
    assert first.stdout == again.stdout
    [found] = json.loads(first.stdout)["forecasts"]
    assert (found["device"], found["state"], len(found["releases"])) == ("local", "not met", 10)
    fps = next(one for one in found["metrics"] if one["key"] == "fps")
    assert (fps["target"], len(fps["ahead"]), fps["state"]) == (25.0, 5, "forecast")
    assert 0 <= fps["ahead"][0]["probability"] <= found["together"][0] + 1e-9


def test_the_history_is_read_where_there_is_one(project):
    """It holds what was measured on other machines too."""
    assert run_verb(project, "history", "add", ".edgekit/results").returncode == 0
    done = run(project, "--device", "local", "--json")
    assert "no history yet" not in done.stderr
    assert len(json.loads(done.stdout)["forecasts"][0]["releases"]) == 10


def test_targets_and_releases_are_as_typed(project):
    """ "What if it had to be 16, within two releases?" """
    done = run(project, "--device", "local", "--target", "fps=12", "--releases", "2", "--json")
    [found] = json.loads(done.stdout)["forecasts"]
    assert (found["state"], len(found["together"])) == ("ready", 2)


def test_the_page_lands_where_it_is_asked_for(project):
    """In Chinese too."""
    done = run(project, "--format", "html", "--lang", "zh", "--out", "new/ready.html")
    assert done.returncode == 0, done.stderr
    assert "后续版本能否达到目标" in (project / "new" / "ready.html").read_text(encoding="utf-8")
    assert run(project, "--format", "html").returncode == 0
    assert (project / ".edgekit" / "reports" / "readiness.html").is_file()


def test_a_project_without_results_is_no_error(project):
    """A new project asks too, and is told what to type."""
    done = run(project, "--results", "empty", "--device", "local")
    assert done.returncode == 0, done.stderr
    assert "roadscene on local: not measured (no release measured)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "fp=25"], "no figure is called 'fp'"),
        (["--target", "fps=0"], "expected fps=NUMBER"),
        (["--out", "x.html"], "--out and --open are about the page"),
        (["--results", ".", "--db", "x.db"], "one at a time"),
        (["--device", "nobody"], "nobody"),
        (["--db", "missing.db"], "missing.db"),
        (["--releases", "0"], "--releases"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_code_2(project, arguments, said):
    """A typing error must not become a forecast."""
    done = run(project, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_damaged_and_partial_files_are_named_and_left_out(project):
    """A killed bench leaves one behind; it is no release."""
    folder = project / ".edgekit" / "results"
    (folder / "killed.partial.json").write_text('{"schema": 2, "partial": true, "done": 3, "total": 24}', "utf-8")
    (folder / "broken.json").write_text("{", "utf-8")
    done = run(project, "--device", "local")
    assert "10 releases" in done.stdout
    assert "killed.partial.json" in done.stderr
    assert "broken.json" in done.stderr


def test_the_loss_of_a_release_that_was_judged_after_it_was_measured_comes_from_its_evaluation(project):
    """bench first, eval later: the figure is there, and a target on it must not read "not measured"."""
    measured = [made for number, rate in enumerate(RATES) for made in (reference(number, rate), release(number, rate))]
    bare = [replace(one, accuracy=None) for one in measured]
    records = [
        record(
            f"2001-01-{number + 1:02}T00:00:00Z",
            evaluation_id=f"e{number}",
            engine_id=f"int8-{number}",
            reference_engine_id=f"fp32-{number}",
        )
        for number in range(len(RATES))
    ]
    with open_history(str(project / "h.db")) as history:
        history.add_all(bare)
        assert map_losses(run(project, "--device", "local", "--json", "--db", "h.db")) is None
        history.records.add_all(records)
    found = map_losses(run(project, "--device", "local", "--json", "--db", "h.db"))
    assert found["values"] == [pytest.approx(1.0)] * len(RATES)  # 0.495 of 0.5


def map_losses(done) -> dict | None:
    """The figure of a forecast, None if it is not told."""
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["forecasts"][0]["metrics"]
    return next((one for one in metrics if one["key"] == "map_loss_pct"), None)


def test_the_loss_of_a_release_whose_reference_was_never_measured_comes_from_its_gate(project):
    """Most projects bench what they deploy, and FP32 never."""
    records = [
        record(
            f"2001-01-{number + 1:02}T00:00:00Z",
            evaluation_id=f"e{number}",
            engine_id=f"int8-{number}",
            gate=gate(0.98),
        )
        for number in range(len(RATES))
    ]
    with open_history(str(project / "h.db")) as history:
        history.add_all([replace(one, accuracy=None) for one in releases(RATES)])
        history.records.add_all(records)
    found = map_losses(run(project, "--device", "local", "--json", "--db", "h.db"))
    assert found["values"] == [pytest.approx(2.0)] * len(RATES)
