"""`edgekit calib export` and `import`, as a person types them: real processes on real files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.command_line import run_verb
from tests.made_up_labels import Tool, labelled_project


@pytest.fixture
def project(tmp_path):
    labelled_project(tmp_path)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "calib", *arguments)


def test_labels_go_out_and_come_back(project):
    """The way that docs/labels.md tells."""
    done = run(project, "export", "yard", "--format", "cvat", "--out", "yard-cvat")
    assert done.returncode == 0, done.stderr
    assert "4 with their labels" in done.stdout
    assert f"next: {project}/yard-cvat/README.txt" in done.stderr
    assert "cvat_labels.json" in (project / "yard-cvat/README.txt").read_text("utf-8")
    tool = Tool("cvat", project / "yard-cvat")
    tool.boxes["turned.jpg"][0][1] = [60.0, 100.0, 150.0, 310.0]
    path = str(tool.save(project / "back"))
    dry = run(project, "import", "yard", path, "--dry-run")
    assert "would be written" in dry.stdout
    assert "nothing was written" in dry.stderr
    done = run(project, "import", "yard", path)
    assert done.returncode == 0, done.stderr
    assert f"compared with the export in {project}/yard-cvat" in done.stdout
    assert "labels changed: 1 (turned.jpg)" in done.stdout
    assert "4 of 4 pictures of yard have labels, 4 before; written:" in done.stdout
    assert "nothing changed" in run(project, "import", "yard", path).stdout


def test_programs_read_json(project):
    done = run(project, "export", "yard", "--format", "coco", "--out", "out", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] is False
    assert not (project / "out").exists()
    run(project, "export", "yard", "--format", "label-studio", "--out", "out")
    done = run(project, "import", "yard", "out", "--json")
    answer = json.loads(done.stdout)
    assert (answer["format"], answer["same"], answer["labels_after"]) == ("label-studio", 4, 4)


def test_what_does_not_fit_is_an_error_of_usage(project):
    run(project, "export", "yard", "--format", "coco", "--out", "out")
    tool = Tool("coco", project / "out")
    tool.boxes["turned.jpg"].append(["persn", [1.0, 1.0, 60.0, 60.0]])
    done = run(project, "import", "yard", str(tool.save(project / "back")))
    assert done.returncode == 2
    assert "did you mean 'person'?" in done.stderr
