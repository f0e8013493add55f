"""Parts of the tests run side by side; what is easily disturbed has the machine for itself when they are done."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"
# What is run is told by the files there are: each is a part, `alone` one that has the machine for itself.
PROGRAM = """
import signal, sys
from pathlib import Path
from all_tests import Processes, run_all
from second_try import Tests

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
names = sorted(path.stem for path in Path().glob("part_*.py"))
parts = {name: Tests([sys.executable], ["-q", f"{name}.py"], f".cache-{name}") for name in names}
alone = {"alone": parts.pop("part_alone")} if "part_alone" in parts else {}
processes = Processes()
try:
    print(run_all(parts, alone, 2, processes))
finally:
    processes.end()
"""
WAITS_FOR = """
import time
from pathlib import Path

def test_that_the_other_part_runs():
    Path({own!r}).touch()
    deadline_s = time.monotonic() + 60
    while not Path({other!r}).exists():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)
"""
FAILS_BESIDE_OTHERS = """
from pathlib import Path

def test_that_is_disturbed():
    assert Path("alone is done").exists()
"""
ALONE = """
from pathlib import Path

def test_that_measures():
    assert Path("a").exists() and Path("b").exists()
    Path("alone is done").touch()
"""
TAKES_LONG = """
import os, time
from pathlib import Path

def test_that_takes_long():
    Path(str(os.getpid())).touch()
    time.sleep(600)
"""
WRONG = "def test_wrong():\n    assert False\n"


@pytest.fixture
def program(tmp_path):
    """Starts it in a folder with these parts."""
    started = []

    def start(**parts: str) -> subprocess.Popen:
        for name, tests in parts.items():
            (tmp_path / f"part_{name}.py").write_text(tests)
        command = [sys.executable, "-c", PROGRAM]
        environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end_of(process):
    """What it printed, and the codes at its end."""
    printed, _ = process.communicate(timeout=120)
    return printed, ast.literal_eval(printed.splitlines()[-1])


def test_parts_run_at_the_same_time_and_what_failed_is_tried_again_after_all_else(program):
    """Lost: half the time of a run, or the silence that a test needs which other load has disturbed."""
    a, b = WAITS_FOR.format(own="a", other="b"), WAITS_FOR.format(own="b", other="a")
    printed, codes = end_of(program(a=a, b=b, c=FAILS_BESIDE_OTHERS, alone=ALONE))
    assert codes == {"part_a": 0, "part_b": 0, "part_c": 0, "alone": 0}
    assert "PASSED ALONE, to be looked into: part_c.py::test_that_is_disturbed" in printed
    assert printed.index("[tests] part_c: exit code 1") < printed.index("[second try]")


def test_one_part_that_is_wrong_fails_and_hides_nothing_of_the_others(program):
    """The one who pushed wants to see all that is red at once."""
    printed, codes = end_of(program(a=WRONG, b="def test_right():\n    pass\n", c=WRONG))
    assert codes == {"part_a": 1, "part_b": 0, "part_c": 1}
    assert printed.count("PASSED ALONE") == 0 and printed.count("part_c.py::test_wrong") >= 2


def test_a_part_that_does_not_even_start_is_not_saved_by_an_earlier_run(program, tmp_path):
    """A lab that cannot be entered ends with pytest's code for tests that failed."""
    failed = tmp_path / ".cache-part_a" / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text('{"part_a.py::test_right": true}')
    printed, codes = end_of(program(a="import os\nos._exit(1)\n"))
    assert codes == {"part_a": 1} and "[second try]" not in printed


def test_nothing_of_it_outlives_it(program, tmp_path):
    """A cancelled run would leave tests, brokers and virtual devices behind."""
    process = program(a=TAKES_LONG, b=TAKES_LONG, c=TAKES_LONG)
    wait_for(lambda: len(pids(tmp_path)) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids(tmp_path)))
    assert len(pids(tmp_path)) == 2, "the third never began"


def pids(folder):
    """Of the tests that began."""
    return [path.name for path in folder.iterdir() if path.name.isdigit()]


def wait_for(condition, limit_s=60.0):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)
