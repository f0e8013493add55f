"""`edgekit refresh`, as a person and a timer type it: real processes on real files."""

from __future__ import annotations

import dataclasses
import json
import subprocess

import pytest

from edgekit.cli.verbs.refresh import exit_code
from edgekit.control.project import Project
from edgekit.control.refresh.history import save
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import OUTCOMES, Evidence, FrameCounts, Refresh, RefreshStep
from edgekit.report.refresh.markdown import refresh_markdown
from tests.command_line import run_verb
from tests.made_up_sets import make_project


def gate(baseline="INT8 engine 7978e906d794cb8f", labelled_by="people"):
    rows = (
        StratumKept("all", 40, 300, 0.70, 0.77, 1.1, 1.05, 1.15, "kept"),
        StratumKept("night", 20, 150, 0.60, 0.72, 1.2, 1.10, 1.30, "kept"),
        StratumKept("fog|wet", 20, 150, 0.80, 0.78, 0.975, 0.96, 0.99, "kept"),
        StratumKept("snow", 3, 9, 0.50, 0.90, 1.8, 1.20, 2.40, "not judged"),
    )
    return Gate(baseline, "INT8 engine 22db2faac35d405a", "field-gate-holdout", "ab" * 32, rows, 400, labelled_by)


def record(outcome="promoted", **changes):
    return Refresh(
        device="local",
        service="tiny",
        detector="tiny",
        created_utc=changes.pop("created_utc", "2026-11-20T10:00:00.000Z"),
        outcome=outcome,
        why="better *by far*",
        steps=(RefreshStep("fetch", "3 new frames", 1.5),),
        frames=FrameCounts(60, 50, {"dark": 10}, 40, 10, 25),
        set_name="base-local-1",
        set_pictures=32,
        evidence=Evidence(gate("FP32 engine 00"), gate(), gate(labelled_by="model"), "int8", 20.0, 10.0),
        **changes,
    )


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path)


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project.root, "refresh", *arguments, XDG_CONFIG_HOME=str(project.root / "config"))


def test_the_history_shows_every_refresh_the_newest_first(project):
    """Also those that changed nothing: they are why a device is as it is."""
    save(project, record())
    save(project, record("refused", created_utc="2026-11-21T10:00:00.000Z", cause=""))
    (project.state_dir / "refreshes/local/broken.json").write_text("{")
    told = json.loads(run(project, "--history", "--json").stdout)["refreshes"]
    assert [one["outcome"] for one in told] == ["refused", "promoted"]
    lines = run(project, "--history").stdout.splitlines()
    assert lines[1].startswith("2026-11-21 10:00 UTC  local   refused")
    assert "0.700 -> 0.770" in lines[2]


def test_a_refresh_is_written_as_markdown_with_what_was_before_and_after(project, tmp_path):
    """What is shown to others must not pass agreement off as accuracy, nor break its tables."""
    save(project, record())
    assert run(project, "--history", "--out", "refresh.md").returncode == 0
    text = (tmp_path / "refresh.md").read_text("utf-8")
    assert text == refresh_markdown(record())
    assert "| night | 20 | 0.600 | 0.720 | 120.0 % | 110.0 to 130.0 % | better |" in text
    assert "| fog\\|wet | 20 | 0.800 | 0.780 | 97.5 % | 96.0 to 99.0 % | worse |" in text
    assert "| snow | 3 | 0.500 | 0.900 |  |  | not judged |" in text
    held_out = text[text.index("## Held-out") : text.index("## Frozen")]
    assert "agreement with the FP32 model" in held_out and "mAP50-95" not in held_out
    assert "better \\*by far\\*" in text


def test_a_refresh_is_written_as_a_page_that_fetches_nothing(project, tmp_path):
    """Names of sets and cameras come from devices: none may become markup."""
    save(project, record(notes=("<script>alert(1)</script>",)))
    assert run(project, "--history", "--out", "refresh.html").returncode == 0
    page = (tmp_path / "refresh.html").read_text("utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count('class="figure better"') == 4 and page.count('class="figure worse"') == 2
    assert page.count('class="figure kept"') == 3
    assert "agreement with the FP32 model" in page


def test_the_exit_code_tells_a_timer_when_somebody_should_look():
    """systemd shows a failed unit; nobody reads logs of what went well."""
    codes = {outcome: exit_code(record(outcome)) for outcome in OUTCOMES}
    assert {outcome for outcome, code in codes.items() if code} == {"refused", "reverted"}
    assert (codes["refused"], codes["reverted"]) == (5, 8)
    assert exit_code(dataclasses.replace(record("kept"), cause="loses")) == 7
    assert exit_code(dataclasses.replace(record("kept"), cause="no better")) == 0


def test_a_schedule_is_shown_before_it_is_written_and_passes_options_on(project):
    """A timer that runs something else than what was tried by hand."""
    done = run(project, "--schedule", "weekly", "--size", "64", "--accept-equal", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    (planned,) = json.loads(done.stdout)["planned"]
    service = next(text for path, text in planned["units"].items() if path.endswith(".service"))
    assert '"--device" "local" "--yes" "--size" "64" "--accept-equal"' in service
    assert not (project.root / "config").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--out", "x.md"), ("--history", "--schedule", "daily"), ("--history", "--dry-run"), ("--device", "nobody")],
)
def test_options_that_make_no_sense_together_are_refused(project, arguments):
    """--out without --history would be taken for the place of something else, and ignored."""
    assert run(project, *arguments).returncode == 2
