"""Which commit and branch of the project a result was measured with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What a pipeline checks out has no branch; where it tells the branch: GitHub (pull request, push), GitLab, Jenkins.
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME")
_LIMIT_S = 5.0


@dataclass(frozen=True)
class Checkout:
    """commit: 12 digits, with "-dirty" if files differ from it. None: no git, or nothing of it can be read."""

    commit: str | None
    branch: str | None


def read_checkout(folder: Path, environ: Mapping[str, str] = os.environ) -> Checkout:
    """The state of the repository that a folder lies in."""
    commit = _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*")
    if commit is None:
        return Checkout(None, None)
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    told = (environ.get(name, "") for name in _BRANCH_VARIABLES)
    return Checkout(commit, branch or next(filter(None, told), None))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
