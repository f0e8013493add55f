"""The command line as a person runs it: a process of its own in a project's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_verb(
    folder: Path, verb: str, *arguments: str, timeout_s: float = 120, **environment: str
) -> subprocess.CompletedProcess:
    """What `edgekit VERB ARGUMENTS...` gave. environment: beside this process's own, without its EDGEKIT_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EDGEKIT_")}
    return subprocess.run(
        [sys.executable, "-m", "edgekit", verb, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
        timeout=timeout_s,
    )
