"""Tests that measure time have three tries; all others have one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import itertools

import pytest

tries = itertools.count(1)


@pytest.mark.timed
def test_that_is_disturbed_twice(tmp_path):
    (tmp_path / "mine").mkdir()
    assert next(tries) == 3


@pytest.mark.timed
def test_that_is_too_slow():
    assert False


def test_that_is_wrong(first=iter([False, True])):
    assert next(first)
"""


def test_a_test_that_measures_time_is_tried_again_and_that_is_told(tmp_path):
    """Other work on the machine would end a run of an hour; a test that is wrong must not get away with it."""
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), str(file)]
    done = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, universal_newlines=True, check=False)
    assert "2 failed, 1 passed" in done.stdout
    assert done.stdout.count("test_that_is_disturbed_twice: ") == 2
    assert done.stdout.count("test_that_is_too_slow: ") == 2
    assert "test_that_is_wrong: " not in done.stdout
