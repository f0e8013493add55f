from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.report.gate.naming import GATE_NOTE, clean_commit, find_named, names_known
from tests.report.gate.runs import run

COMMIT = "0123456789ab"
RESULTS = [
    run(session="monday", branch="main", commit=COMMIT, at=1),
    run(session="tuesday", branch="feature/x", commit="v1.2-3-gfedcba987654", at=2),
    run(session="tuesday", branch="feature/x", commit="fedcba987654-dirty", at=3, engine="int8"),
    run(session="", branch=None, commit=None, at=4),
]


@pytest.mark.parametrize(
    "name, kind, count",
    [
        ("main", "branch", 1),
        ("feature/x", "branch", 2),
        ("monday", "session", 1),
        ("tuesday", "session", 2),
        (RESULTS[0].result_id, "result", 1),
        (COMMIT, "commit", 1),
        (COMMIT[:7], "commit", 1),
        (COMMIT + "cdef" * 7, "commit", 1),
        ("fedcba987654", "commit", 1),
        ("fedcba987654-dirty", "commit", 1),
        (RESULTS[2].engine.engine_id, "engine", 1),
        (RESULTS[2].engine.engine_id[:8], "engine", 1),
    ],
)
def test_a_name_means_one_kind_of_thing(name, kind, count):
    """CI gives a full commit, people give a branch, and a report gives an id."""
    found = find_named(RESULTS, name)
    assert found is not None
    assert (found.kind, len(found.results)) == (kind, count)


@pytest.mark.parametrize(
    "name", ["", "mai", COMMIT[:6], "0123457", "fedcba987654-dirt", "trunk", RESULTS[2].engine.engine_id[:6]]
)
def test_what_nobody_is_called_finds_nothing(name):
    """A short or wrong name that finds something compares with anything."""
    assert find_named(RESULTS, name) is None


def test_a_commit_with_changed_files_is_not_that_commit():
    """Two runs of "-dirty" may have run any two programs."""
    assert [clean_commit(result) for result in RESULTS] == [COMMIT, "v1.2-3-gfedcba987654", None, None]


def test_the_baseline_that_a_gate_measured_on_a_branch_is_none_of_the_branch():
    """Or the change would be held against the baseline's engine under the name of the change."""
    measured = replace(RESULTS[0], note=GATE_NOTE + "release")
    assert find_named([measured], "main") is None and find_named([measured], COMMIT) is None
    assert find_named([measured], "monday") is not None


def test_an_error_can_say_what_there_is():
    text = names_known(RESULTS)
    assert "feature/x, main" in text and COMMIT in text
    assert names_known([]) == "no result records a branch or a commit"
