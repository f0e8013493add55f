"""`edgekit calib`, as a person types it: real processes on real files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.command_line import run_verb
from tests.made_up_sets import make_project, save_scenes


@pytest.fixture
def project(tmp_path):
    make_project(tmp_path)
    save_scenes(tmp_path / "pictures", {"day": 5, "night": 2})
    (tmp_path / "pictures/bad.jpg").write_bytes(b"no picture")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "calib", *arguments)


def answer(project: Path, *arguments: str) -> dict:
    done = run(project, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_a_folder_to_a_checked_set_in_five_commands(project):
    """The way that docs/sets.md tells."""
    added = answer(project, "add", "yard", "pictures")
    assert (added["pictures"], added["conditions"]) == (7, {"day": 5, "night": 2})
    assert "bad.jpg: not a picture" in added["skipped"][0]
    seen = answer(project, "inspect", "yard")
    assert "weather:fog" in seen["missing"]
    assert "light:night" in seen["thin"]
    assert Path(seen["page"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    chosen = answer(project, "select", "yard", "--size", "4", "--as", "few")
    assert (chosen["pictures"], chosen["pool"], chosen["written"]) == (4, 7, True)
    parted = answer(project, "split", "yard", "--frozen", "0.3")
    assert parted["calib_pictures"] + parted["frozen_pictures"] == 7
    checked = answer(project, "check", "few")
    assert (checked["sha256"], checked["problems"]) == (chosen["sha256"], [])


def test_people_read_tables(project):
    assert "left out:" in run(project, "add", "yard", "pictures").stdout
    done = run(project, "inspect", "yard", "--no-page", "--detector", "none")
    assert "light:night" in done.stdout
    assert "missing: light:dusk" in done.stdout
    assert "class:car" not in done.stdout
    assert not (project / ".edgekit/reports").exists()
    done = run(project, "select", "yard", "--size", "3", "--method", "random", "--dry-run")
    assert "3 at random" in done.stdout
    assert "nothing was written" in done.stderr
    assert not (project / "calib_sets/yard-3").exists()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_goes_where_it_is_wanted(project, lang):
    run(project, "add", "yard", "pictures")
    page = project / "out" / "page.html"
    done = run(project, "inspect", "yard", "--out", str(page), "--lang", lang)
    assert done.returncode == 0, done.stderr
    assert ("缺失" in page.read_text("utf-8")) == (lang == "zh")
    assert f"page: {page}" in done.stdout


def test_a_changed_set_fails_its_check_with_what_changed(project):
    run(project, "add", "yard", "pictures")
    (project / "pictures/night/1.jpg").unlink()
    done = run(project, "check", "yard")
    assert done.returncode == 5
    assert "1 missing: pictures__night__1.jpg" in done.stderr
    assert "edgekit calib check yard --pin" in done.stderr
    assert run(project, "check", "yard", "--pin").returncode == 0
    assert run(project, "check", "yard").returncode == 0


def test_an_unfit_set_is_an_exit_code_for_scripts(project):
    run(project, "add", "yard", "pictures")
    path = project / "calib_sets/yard/set.yaml"
    path.write_text(path.read_text() + "tags: {'nowhere/*': fog}\n")
    done = run(project, "check", "yard")
    assert done.returncode == 5
    assert "no picture is named like 'nowhere/*'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("inspect", "nowhere"), 2, "no calibration set named 'nowhere'"),
        (("add", "yard"), 2, "SOURCE"),
        (("add", "yard", "nowhere"), 2, "nowhere does not exist"),
        (("select", "yard", "--size", "0"), 2, "'--size'"),
        (("split", "yard", "--frozen", "1.5"), 2, "'--frozen'"),
        (("frobnicate",), 2, "frobnicate"),
        ((), 2, "Commands"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(project, arguments, code, said):
    done = run(project, *arguments)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("word", ["add", "inspect", "select", "split", "check"])
def test_every_command_explains_itself_with_examples(project, word):
    done = run(project, word, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert f"edgekit calib {word}" in done.stdout
    assert "--json" in done.stdout
