"""Interrupt deployments thousands of times and write down what came of it: `python bench/crash.py OUT.md`.

As root where power cuts are to be among it. Takes about a quarter of an hour on two cores.
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ["-m", "pytest", "-q", "tests/crash", "--soak"]

TEXT = """# Interrupted deployments

{date}, Linux {kernel}, Python {python}, {minutes:.0f} minutes on two shared cores.

    python {command}

{outcome}

| what was done | times |
|---|---|
{rows}

After each: the old release or the new was current and whole, the journal settled after a restart of the device, and one
rerun reached what was wanted. No acknowledged commit was missing. A single exception would have failed the run.

Kills before each call: strace ends the process just before a system call that changes the disk, for every one of them
in activation, commit, going back, rollback, deletion of old releases and placing of files. Power cuts: ext4 on a loop
device, whose image is copied at a random moment and mounted again; without fsync the same test loses releases within a
few cuts. A disk that reports data as written and loses it is beyond this, and so is a real board's storage.

What keeps services running is a stand-in there, except in the kills of real processes, where the supervisor, the
reconciler and the service are killed too. The same under a real systemd: `tests/lab/test_activation.py`.
"""


def main() -> int:
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        counts, started_s = Path(folder) / "counts.json", time.monotonic()
        done = subprocess.run([sys.executable, *COMMAND, f"--crash-counts={counts}"], cwd=ROOT, check=False)
        rows = "\n".join(f"| {what} | {times:,} |" for what, times in json.loads(counts.read_text()).items())
    if done.returncode:
        print("it failed: nothing is written", file=sys.stderr)
        return done.returncode
    now = datetime.now(timezone.utc)
    text = TEXT.format(
        date=f"{now:%Y-%m-%d}",
        kernel=platform.release(),
        python=platform.python_version(),
        minutes=(time.monotonic() - started_s) / 60,
        command=" ".join(COMMAND),
        outcome="All held.",
        rows=rows,
    )
    out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
