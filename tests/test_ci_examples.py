"""The CI examples: valid YAML, commands that exist, and the job without a Jetson run as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import yaml
from typer.testing import CliRunner

from edgekit.cli.app import app
from tests.command_line import run_verb
from tests.onnx_models import save_yolov8

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "ci"
FILES = sorted(FOLDER.glob("*.yml"))
# Not ours: they install from a registry, or talk to a forge.
OTHERS = ("pip ", "gh ", "cat ")
DEVICES = """
devices:
  local:
    kind: local
    detector: tiny
    precision: fp32
    source: "scenes://?seed=3&width=320&height=192&fps=20&live=1"
    probation: {seconds: 0.5, frames: 5}
"""


def document(name: str) -> Dict[Any, Any]:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def jobs(name: str) -> Dict[str, Any]:
    content = document(name)
    return content.get("jobs") or {key: value for key, value in content.items() if "script" in (value or {})}


def scripts(job: Dict[str, Any]) -> List[str]:
    """The shell texts of a job, in order, in GitHub's form or GitLab's."""
    return [*job.get("script", []), *(step["run"] for step in job.get("steps", []) if "run" in step)]


def commands(text: str) -> Iterator[List[str]]:
    """The commands of a shell text that are edgekit's, as words."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        if words and words[0] == "edgekit":
            yield words[1:]


def test_there_is_an_example_for_each_kind_of_runner():
    assert [path.name for path in FILES] == ["github-jetson.yml", "github-local.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_command_and_option_exists(path):
    """An example with an option of last year fails in somebody else's pipeline."""
    found = [words for job in jobs(path.name).values() for text in scripts(job) for words in commands(text)]
    assert {"deploy", "gate"} <= {words[0] for words in found}
    for verb, *rest in found:
        shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert shown.exit_code == 0
        options = {word for word in rest if word.startswith("--")}
        assert {option for option in options if option not in shown.output} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_that_a_stranger_chooses_becomes_shell_text(path):
    """A branch name is the stranger's text: it may reach a script as a quoted variable alone."""
    for job in jobs(path.name).values():
        for text in scripts(job):
            assert "${{" not in text
            assert not re.findall(r'(?<!")\$\{?[A-Za-z_]\w*', text), text


def test_a_jetson_never_runs_what_a_fork_sends():
    """A runner of one's own runs whatever the pull request says."""
    gate = document("github-jetson.yml")["jobs"]["gate"]
    assert "head.repo.full_name == github.repository" in gate["if"]
    assert "jetson" in gate["runs-on"]
    assert document("github-jetson.yml")["concurrency"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A project with two commits: a model, and the same network with other weights."""
    root = tmp_path_factory.mktemp("ci") / "project"
    made = run_verb(tmp_path_factory.getbasetemp(), "init", str(root))
    assert made.returncode == 0, made.stderr
    detector = root / "detectors" / "tiny"
    detector.mkdir()
    (detector / "detector.yaml").write_text("labels: [car, person]\n")
    (root / "devices.yaml").write_text(DEVICES)
    git(root, "init", "-q", "-b", "main")
    for seed in (0, 1):
        save_yolov8(detector / "model.onnx", seed=seed)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", f"weights {seed}")
    yield root
    run_verb(root, "stop")


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def environment(repository, tmp_path):
    """What the forge sets, `edgekit` on the path, short turns, and the base checked out by nobody yet."""
    program = tmp_path / "edgekit"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edgekit "$@"\n')
    program.chmod(0o755)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("EDGEKIT_")}
    return {
        **inherited,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "BASE": git(repository, "rev-parse", "main~1"),
        "HEAD": git(repository, "rev-parse", "main"),
        "ROUNDS": "2",
        "TURN_S": "1",
    }


def test_both_forges_run_the_same_commands_without_a_jetson():
    """The one that is run here stands for the other."""
    github, gitlab = (
        [words for text in scripts(jobs(name)["local"]) for words in commands(text)]
        for name in ("github-local.yml", "gitlab-ci.yml")
    )
    assert github == gitlab and len(github) == 5


@pytest.mark.slow
def test_the_job_without_a_jetson_runs_as_it_stands(repository, environment):
    """What is copied into a pipeline has been run: both engines built, measured in turns, judged, and written down."""
    for text in scripts(jobs("github-local.yml")["local"]):
        if text.startswith(OTHERS):
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", text], cwd=repository, env=environment, capture_output=True, text=True, timeout=600
        )
        # The same network with other weights: two short rounds find either nothing, or noise that looks like something.
        allowed = (0, 10) if "edgekit gate" in text else (0,)
        assert done.returncode in allowed, f"{text}\n{done.stdout}\n{done.stderr}"
    suite = ET.parse(repository / "gate.xml").getroot()[0]
    assert {"pipeline FPS", "engine size"} <= {case.get("name") for case in suite.findall("testcase")}
    assert "paired t, 2 rounds" in (repository / "gate.md").read_text("utf-8")
