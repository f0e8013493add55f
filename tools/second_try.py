"""Run pytest; the few tests that failed run once more, by themselves, and whatever passes only then is told.

Thousands of tests with real processes, brokers and cameras share the cores of a machine with one another and with its
other work, and one that waited too short would fail a run of half an hour. A test that is wrong fails twice. More than
MOST failures are no accident: they have one try.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOST = 3
SOME_FAILED = 1  # pytest's exit code for that; the others mean that it could not run

Call = Callable[[list[str]], int]


def call(command: list[str]) -> int:
    """The exit code of a command that writes where this process does."""
    return subprocess.run(command).returncode


@dataclass(frozen=True)
class Tests:
    """What one process of pytest runs."""

    start: list[str]  # the command, up to "-m pytest"
    arguments: list[str]
    cache: str = ".pytest_cache"  # a folder that no other run uses meanwhile

    def first_try(self, call: Call = call) -> int:
        """pytest's exit code."""
        # Not pytest's --cache-clear: what failed in an earlier run must not stand there if pytest does not even start.
        shutil.rmtree(self.cache, ignore_errors=True)
        return call([*self._command, *self.arguments])

    def second_try(self, failed: list[str], call: Call = call) -> int:
        """pytest's exit code for those alone that failed."""
        print(f"[second try] by themselves: {', '.join(failed)}", flush=True)
        code = call([*self._command, "--last-failed", "--last-failed-no-failures=none", *self.arguments])
        if code == 0:
            told = ", ".join(failed)
            print(f"[second try] FAILED BESIDE OTHERS, PASSED ALONE, to be looked into: {told}", flush=True)
        return code

    def failed_by_accident(self, code: int) -> list[str]:
        """The tests that are worth a second try. code: of the first."""
        record = Path(self.cache) / "v" / "cache" / "lastfailed"
        failed = sorted(json.loads(record.read_text())) if code == SOME_FAILED and record.exists() else []
        return failed if len(failed) <= MOST else []

    @property
    def _command(self) -> list[str]:
        return [*self.start, "-m", "pytest", "-o", f"cache_dir={self.cache}"]


def run(tests: Tests) -> int:
    """pytest's exit code, of the second try if there was one."""
    code = tests.first_try()
    failed = tests.failed_by_accident(code)
    return tests.second_try(failed) if failed else code


if __name__ == "__main__":
    sys.exit(run(Tests([sys.executable], sys.argv[1:])))
