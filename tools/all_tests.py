"""Run all tests in parts, several of them at a time: all_tests.py [--jobs N] [--lab]

Most tests wait for something, so that two parts just keep two cores busy. A part is one process of pytest; what it
writes beside others is shown when it is done. What other load disturbs most has the machine for itself when all of
that is done: tests that measure time, and the second try of the few that failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from device_tests import tests_of_device_code
from second_try import Tests

ROOT = Path(__file__).resolve().parent.parent
# Folders of tests/ that take a minute or more; all others are one part.
FOLDERS = ("cli", "control", "runtime", "report", "browser")


def side_by_side(lab: bool) -> dict[str, Tests]:
    """The parts by name; those that take longest start first, so that all end at about the same time."""
    rest = ["tests", *(f"--ignore=tests/{name}" for name in ("lab", *FOLDERS))]
    parts = {
        "lab": _lab_tests() if lab else None,
        "python38": tests_of_device_code("not slow and not timed"),
        **{name: _unit_tests(name, "not timed", f"tests/{name}") for name in FOLDERS},
        "rest": _unit_tests("rest", "not timed", *rest),
    }
    return {name: tests for name, tests in parts.items() if tests is not None}


def alone() -> dict[str, Tests]:
    """The parts that run one after the other when the machine has nothing else to do."""
    parts = {
        "timed": _unit_tests("timed", "timed", "tests", "--ignore=tests/lab"),
        "python38-timed": tests_of_device_code("timed and not slow", ".pytest_cache38-timed"),
    }
    return {name: tests for name, tests in parts.items() if tests is not None}


def _unit_tests(name: str, marked: str, *paths: str) -> Tests:
    return Tests([sys.executable], ["-q", "-m", marked, *paths], f".pytest_cache-{name}")


def _lab_tests() -> Tests:
    # A session finds an empty lab, keeps others off it, and throws it away.
    start = ["env", "EDGEKIT_LAB=make", "EDGEKIT_REQUIRE_LAB=1", sys.executable, "-m", "tests.lab", "session"]
    return Tests([*start, sys.executable], ["-q", "-m", "lab", "tests/lab"], ".pytest_cache-lab")


class Processes:
    """What runs now."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def call(self, command: list[str], output: IO[bytes] | None = None) -> int:
        """The exit code of a command that writes to a file, or where this program does."""
        errors = subprocess.STDOUT if output else None
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        self._running.append(process)
        code = process.wait()
        self._running.remove(process)
        return code

    def end(self) -> None:
        """Ask all of it to end."""
        for process in tuple(self._running):
            process.terminate()


def first_tries(parts: dict[str, Tests], jobs: int, processes: Processes) -> dict[str, int]:
    """The exit codes of parts that run side by side, so many at a time."""

    def run(name: str) -> int:
        print(f"[tests] {name} ...", flush=True)
        if jobs == 1:
            return parts[name].first_try(processes.call)
        started_s = time.monotonic()
        with tempfile.TemporaryFile() as output:
            code = parts[name].first_try(lambda command: processes.call(command, output))
            output.seek(0)
            text = output.read().decode(errors="replace")
        took_s = time.monotonic() - started_s
        # One write: another part may be done at the same moment.
        print(f"[tests] {name}: exit code {code} after {took_s:.0f} s\n{text}", end="", flush=True)
        return code

    with ThreadPoolExecutor(jobs) as lanes:
        try:
            return dict(zip(parts, lanes.map(run, parts)))
        except BaseException:
            lanes.shutdown(wait=False, cancel_futures=True)
            processes.end()  # or the lanes would be waited for
            raise


def run_all(beside: dict[str, Tests], alone: dict[str, Tests], jobs: int, processes: Processes) -> dict[str, int]:
    """The exit code of each part, of its second try if there was one."""
    codes = {**first_tries(beside, jobs, processes), **first_tries(alone, 1, processes)}
    for name, tests in {**beside, **alone}.items():
        failed = tests.failed_by_accident(codes[name])
        if failed:
            codes[name] = tests.second_try(failed, processes.call)
    return codes


def main() -> int:
    parser = argparse.ArgumentParser(description="Run all tests in parts, several of them at a time.")
    parser.add_argument("--jobs", type=int, default=1, help="how many parts at a time (default: 1)")
    parser.add_argument("--lab", action="store_true", help="those on virtual Jetsons too; as root")
    options = parser.parse_args()
    os.chdir(ROOT)
    # Tests start thousands of processes of the same code; each would compile it for itself.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    processes = Processes()
    try:
        codes = run_all(side_by_side(options.lab), alone(), options.jobs, processes)
    finally:
        processes.end()
    told = ", ".join(f"{name} {'FAILED' if code else 'passed'}" for name, code in codes.items())
    print(f"[tests] {told}", flush=True)
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main())
