"""What a name on the command line means: a result, a session, a branch, a commit or an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgekit.core.results import BenchResult

RESULT, SESSION, BRANCH, COMMIT, ENGINE, FILES = "result", "session", "branch", "commit", "engine", "files"
# A gate that measures in turns measures the baseline's engine on the branch of the change: its results say so in their
# note, and do not say what the branch itself ran.
GATE_NOTE = "gate against "
_SHORTEST = 7  # digits of a shortened commit or engine
_COMMIT = re.compile(rf"[0-9a-f]{{{_SHORTEST},64}}")
_LISTED = 6


@dataclass(frozen=True)
class Named:
    """What is called so, oldest first. kind: one of the words above."""

    kind: str
    name: str
    results: tuple[BenchResult, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def find_named(results: Sequence[BenchResult], name: str) -> Named | None:
    """The results that a name means, in the order of the kinds above; None: nothing is called so.

    Commits and engines may be shortened to 7 digits. A commit with changed files is not that commit.
    """
    for kind, matches in _KINDS:
        found = tuple(result for result in results if matches(result, name))
        if found:
            return Named(kind, name, found)
    return None


def names_known(results: Iterable[BenchResult]) -> str:
    """Branches and commits that results were measured on, for an error."""
    newest_first = sorted(results, key=lambda result: result.created_utc, reverse=True)
    branches = dict.fromkeys(result.git_branch for result in newest_first if result.git_branch)
    commits = dict.fromkeys(result.git_commit for result in newest_first if result.git_commit)
    found = [
        f"{kind}, newest first: {', '.join([*names][:_LISTED])}"
        for kind, names in (("branches", branches), ("commits", commits))
        if names
    ]
    return "\n".join(found) or "no result records a branch or a commit"


def clean_commit(result: BenchResult) -> str | None:
    """The commit that was measured, None if it is unknown or files differed from it."""
    commit = result.git_commit
    return commit if commit and not commit.endswith("-dirty") else None


def _is_branch(result: BenchResult, name: str) -> bool:
    return bool(name) and result.git_branch == name and not result.note.startswith(GATE_NOTE)


def _is_commit(result: BenchResult, name: str) -> bool:
    """`git describe` gives "0123456789ab" or, above a tag, "v1.2-3-g0123456789ab"."""
    if result.note.startswith(GATE_NOTE):
        return False
    commit = clean_commit(result)
    if commit is None or not _COMMIT.fullmatch(name):
        return result.git_commit == name
    digits = commit.rsplit("-g", 1)[-1]
    return len(digits) >= _SHORTEST and (digits.startswith(name) or name.startswith(digits))


_KINDS: tuple[tuple[str, Callable[[BenchResult, str], bool]], ...] = (
    (RESULT, lambda result, name: result.result_id == name),
    (SESSION, lambda result, name: bool(name) and result.session == name),
    (BRANCH, _is_branch),
    (COMMIT, _is_commit),
    (ENGINE, lambda result, name: len(name) >= _SHORTEST and result.engine.engine_id.startswith(name)),
)
