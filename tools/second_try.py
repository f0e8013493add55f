"""Run pytest; the few tests that failed run once more, by themselves, and whatever passes only then is told.

Thousands of tests with real processes, brokers and cameras share the cores of a machine with one another and with its
other work, and one that waited too short would fail a run of half an hour. A test that is wrong fails twice. More than
MOST failures are no accident: they have one try.
"""

import json
import subprocess
import sys
from pathlib import Path

MOST = 3
SOME_FAILED = 1  # pytest's exit code for that; the others mean that it could not run


def run_tests(python: str, arguments: list[str], cache: str = ".pytest_cache") -> int:
    """pytest's exit code, of the second run if there was one. cache: a folder that no other run uses meanwhile."""
    command = [python, "-m", "pytest", "-o", f"cache_dir={cache}"]
    code = subprocess.run([*command, "--cache-clear", *arguments]).returncode
    failed = _failed(Path(cache)) if code == SOME_FAILED else []
    if not 0 < len(failed) <= MOST:
        return code
    print(f"[second try] by themselves: {', '.join(failed)}", flush=True)
    code = subprocess.run([*command, "--last-failed", "--last-failed-no-failures=none", *arguments]).returncode
    if code == 0:
        print(f"[second try] FAILED BESIDE OTHERS, PASSED ALONE, to be looked into: {', '.join(failed)}", flush=True)
    return code


def _failed(cache: Path) -> list[str]:
    record = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(record.read_text())) if record.exists() else []


if __name__ == "__main__":
    sys.exit(run_tests(sys.executable, sys.argv[1:]))
