"""`edgekit sensitivity`, as a person types it: real processes, a real network, real engines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.command_line import run_verb
from tests.made_up_sets import make_outlier_project


@pytest.fixture
def project(tmp_path):
    return make_outlier_project(tmp_path).root


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "sensitivity", *arguments, timeout_s=300)


def test_a_dry_run_says_what_would_be_done_and_builds_nothing(project):
    """Builds take minutes on a Jetson; people ask first."""
    done = run(project, "--dry-run", "--json", "--most", "3")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["most_builds"] == 3 and "to be built" in plan["int8"]
    assert plan["labelled"] == "no: agreement with the model is measured"
    assert not list((project / ".edgekit").glob("devices/local/engines/*/engine.json"))


def test_the_layers_that_cost_int8_its_accuracy_are_found_and_may_be_written(project):
    """From a bad INT8 engine to one line in detector.yaml that mends every build from then on."""
    document = project / "detectors" / "tiny" / "detector.yaml"
    before = document.read_text()
    answer = json.loads(run(project, "--json", "--write").stdout)
    assert [attempt["keep_float"] for attempt in answer["search"]["attempts"]][:2] == [[], ["conv0", "conv3"]]
    assert answer["written"] == (answer["keep_float"] is not None)
    if answer["written"]:  # with so small a network INT8 may be no faster, and then nothing is recommended
        assert document.read_text().startswith(before) and "keep_float:\n" in document.read_text()
    else:
        assert "no faster" in answer["advice"] and document.read_text() == before

    document.write_text(before)
    shown = run(project)
    assert shown.returncode == 0, shown.stderr
    assert "conv3" in shown.stdout and "agreement with the model, not accuracy" in shown.stdout
    assert "2 layers in float: keeps 100.0 %; enough" in shown.stderr


def test_a_wrong_set_is_told_of_at_once(project):
    """Before a device is asked to build anything."""
    done = run(project, "--on", "fewer")
    assert done.returncode != 0
    assert "no calibration set named 'fewer'" in done.stderr
