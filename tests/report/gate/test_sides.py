from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.errors import NotFoundError, UsageError
from edgekit.report.gate.naming import FILES, Named, find_named
from edgekit.report.gate.sides import condition_differences, select_sides, sessions_of, sides_in_turns
from tests.report import made_up
from tests.report.gate.runs import disturbed, in_turns, run, sessions


def against(results, name="main", **options):
    named = find_named(results, name)
    assert named is not None
    return select_sides(results, named, **options)


def ids(side):
    return [result.result_id for result in side.results]


def test_what_was_measured_last_is_judged_by_the_newest_commit_of_the_branch():
    """Everything older than that only says how much runs differ."""
    old = sessions([19.0, 19.1], commit="0" * 12)
    new = sessions([20.0, 20.1], at=10, commit="1" * 12)
    change = sessions([18.0], at=20, branch="change", commit="2" * 12, engine="fp32-2")
    sides = against([*old, *new, *change])
    assert ids(sides.baseline) == [result.result_id for result in new]
    assert ids(sides.candidate) == [change[0].result_id]
    assert {result.result_id for result in sides.history} == {result.result_id for result in (*old, *new)}


def test_on_its_own_branch_a_commit_is_held_against_those_before():
    """A gate on main must not find that main equals itself."""
    before = sessions([20.0], commit="0" * 12)
    after = sessions([18.0, 18.1], at=5, commit="1" * 12)
    sides = against([*before, *after])
    assert (ids(sides.baseline), ids(sides.candidate)) == ([before[0].result_id], [after[1].result_id])


def test_nothing_that_changed_is_said_instead_of_passed():
    """The run of the change was forgotten: main against main would pass every time."""
    only = sessions([20.0, 20.1, 20.2])
    with pytest.raises(NotFoundError, match="no result to compare with"):
        against(only)
    other_branch = [*only, run(branch="change", session="x", at=9)]
    with pytest.raises(UsageError, match="nothing changed"):
        against(other_branch)
    assert against(other_branch, candidate="change").candidate.name == "branch change"


def test_a_new_model_may_be_judged_but_not_under_other_conditions():
    """A gate is for new models; another clock, source or input size makes another measurement."""
    base, change = run(session="a"), run(session="b", at=1, branch="change", commit="b" * 12, engine="fp32-2")
    retrained = replace(change, engine=replace(change.engine, model_sha256="9" * 64))
    assert against([base, retrained]).candidate.newest == retrained
    throttled = replace(retrained, conditions=replace(retrained.conditions, governor="powersave", batch=4))
    with pytest.raises(UsageError, match="other conditions") as caught:
        against([base, throttled])
    assert "conditions.governor: None and powersave" in caught.value.why
    assert "conditions.batch: 1 and 4" in caught.value.why
    assert caught.value.exit_code == 2


def test_mixed_devices_are_named():
    """A folder of another board's results is a common slip."""
    theirs = tuple(sessions([20.0]))
    mine = replace(run(session="b", at=1), device="yard", profile=replace(made_up.PROFILE, cpu_features=("neon",)))
    with pytest.raises(UsageError, match="other conditions") as caught:
        select_sides([mine], Named(FILES, "old/", theirs))
    assert "device: local and yard" in caught.value.why and "engine_key" in caught.value.why


def test_a_disturbed_run_is_left_out_and_named():
    """A throttled run says nothing about the change."""
    base, change = sessions([20.0, 20.1]), run(session="b", at=5, branch="change", commit="b" * 12)
    broken = disturbed(run(session="c", at=6, branch="change", commit="b" * 12))
    sides = against([*base, change, broken])
    assert ids(sides.candidate) == [change.result_id]
    assert sides.left_out == (f"{broken.result_id}: disturbed: throttled: soctherm",)
    with pytest.raises(UsageError, match="nothing to judge"):
        select_sides([disturbed(change)], find_named([base[0]], base[0].result_id))


def test_of_several_engines_the_deployed_one_is_judged():
    """`bench --precision all` measures three in one session."""
    base = sessions([20.0])
    session = [run(session="x", at=5, branch="change", commit="b" * 12, engine=e) for e in ("fp32-2", "int8")]
    deployed = session[1].engine.engine_id
    assert against([*base, *session], deployed_engine_id=deployed).candidate.engine_id == deployed
    assert against([*base, *session], precision="fp32").candidate.newest == session[0]
    with pytest.raises(UsageError, match="which is to be judged"):
        against([*base, *session])


def test_the_same_precision_of_the_baseline_is_preferred():
    """INT8 against main's FP32 would hide any slowdown of INT8."""
    base = [run(session="m", engine=e) for e in ("int8", "fp32")]
    change = run(session="x", at=5, branch="change", commit="b" * 12, engine="int8-2")
    assert against([*base, change]).baseline.newest.engine.precision == "int8"


def test_results_in_turns_find_each_other():
    results = in_turns(5.0)
    sides = against(results, "a" * 12)
    assert len(sides.baseline.results) == len(sides.candidate.results) == 5
    assert len(sessions_of(results)) == 1


def test_a_clock_that_went_back_mixes_up_no_sides():
    """Order is by time, and a board without a battery starts in 1970: sides stay apart, whatever the order."""
    base = sessions([20.0, 20.1])
    change = replace(run(session="x", branch="change", commit="b" * 12), created_utc="1970-01-01T00:00:10Z")
    sides = against([*base, change], candidate="change")
    assert sides.candidate.newest == change
    assert {result.git_branch for result in sides.baseline.results} == {"main"}


def test_accuracy_belongs_to_the_engine():
    """Only the verified run of an engine has its mAP; the others would say "not measured"."""
    base, change = sessions([20.0]), run(session="x", at=5, branch="change", commit="b" * 12, engine="fp32-2")
    bare = replace(change, accuracy=None, result_id="later", created_utc="2001-02-02T00:00:00Z")
    assert against([*base, change, bare], candidate="change").candidate.newest.accuracy == change.accuracy


def test_an_empty_history_says_so():
    with pytest.raises(UsageError, match="nothing to judge"):
        select_sides([], Named(FILES, "old/", ()))
    one = run()
    with pytest.raises(NotFoundError, match="no result to compare with"):
        select_sides([one], Named(FILES, "old/", ()))


def test_engines_in_turns_are_taken_by_their_ids():
    results = in_turns(3.0, rounds=3)
    first, second = results[0].engine.engine_id, results[1].engine.engine_id
    sides = sides_in_turns([disturbed(results[0]), *results[1:]], first, second, "main, now")
    assert (len(sides.baseline.results), len(sides.candidate.results), len(sides.left_out)) == (2, 3, 1)
    with pytest.raises(UsageError, match="every run of engine"):
        sides_in_turns([disturbed(result) for result in results], first, second, "main, now")


def test_conditions_that_agree_differ_in_nothing():
    assert condition_differences(run(), run(at=9, branch="x", engine="int8")) == ()
