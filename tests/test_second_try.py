"""The few tests that failed run once more by themselves; one that is wrong fails the run all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DISTURBED = """
from pathlib import Path

def test_disturbed():
    first = not Path("tried").exists()
    Path("tried").touch()
    assert not first

def test_sound():
    pass
"""
WRONG = "def test_wrong():\n    assert False\n"
MANY_WRONG = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_wrong(n):\n    assert False\n"


def _run(folder, tests):
    (folder / "test_some.py").write_text(tests)
    command = [sys.executable, str(ROOT / "tools" / "second_try.py"), "test_some.py"]
    return subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, universal_newlines=True, check=False)


def test_what_passes_only_by_itself_is_told(tmp_path):
    """A race would go unseen for ever, or a run of half an hour be lost to it."""
    done = _run(tmp_path, DISTURBED)
    assert done.returncode == 0
    assert "PASSED ALONE, to be looked into: test_some.py::test_disturbed" in done.stdout
    assert "1 passed" in done.stdout.split("[second try] by themselves")[1]


@pytest.mark.parametrize(("tests", "tries"), [(WRONG, 2), (MANY_WRONG, 1)])
def test_what_is_wrong_fails(tmp_path, tests, tries):
    """A second try would be a way around a test."""
    done = _run(tmp_path, tests)
    assert done.returncode == 1
    assert done.stdout.count("test session starts") == tries
    assert "PASSED ALONE" not in done.stdout


def test_what_cannot_be_read_is_not_tried_again(tmp_path):
    """A file with a syntax error holds no tests that could fail twice."""
    done = _run(tmp_path, "def")
    assert done.returncode == 2
    assert "second try" not in done.stdout
