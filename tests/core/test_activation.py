"""The rules of activation: what is written down, what is done next, and that it ends well whatever happens."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from edgekit.core.activation import (
    GIVE_A_START_S,
    MAX_STARTS,
    SURE_AFTER_S,
    TAKE_OVER_WITHIN_S,
    Journal,
    Observation,
    RunStatus,
    Step,
    Wanted,
    begin,
    begin_revert,
    commit,
    next_step,
    on_probation,
    reverted,
    wanted_current,
    watched,
)
from edgekit.core.probation import Probation, Watch
from edgekit.core.wire import from_wire, to_wire

OLD, NEW, OLDER = "a" * 16, "b" * 16, "c" * 16
RULE = Probation(frames=30, seconds=5.0, deadline_s=120.0)
SETTLED = Journal("street", good=(OLD, OLDER), floor=3)
INTENDED = begin(SETTLED, Wanted(NEW, 4, RULE, by="ana@desk"), 1.0)
TRYING = watched(on_probation(INTENDED, 2.0), 2.0)
UP = RunStatus(running=True)
DOWN = RunStatus(running=False)
GOOD_WATCH = Watch(began_s=0.0, now_s=7.0, first_s=1.0, first_frames=1, changed_s=6.5, frames=60, pid=7)
OTHER = Watch(now_s=1.0, other_reports=True)
IN_VAIN = RunStatus(running=False, failed=True, restarts=4)
LONG = SURE_AFTER_S + 0.1


def seen(current=NEW, run=UP, watch=None, **more):
    return Observation(current, run, watch or Watch(now_s=1.0), **more)


@pytest.mark.parametrize(
    ("journal", "observation", "step"),
    [
        pytest.param(SETTLED, seen(OLD), Step.DONE, id="settled: nothing to do"),
        pytest.param(SETTLED, seen(NEW), Step.PLACE, id="settled: the committed release is what is current"),
        pytest.param(Journal("street"), seen("", DOWN), Step.DONE, id="never deployed"),
        pytest.param(INTENDED, seen(OLD), Step.PLACE, id="killed before the swap"),
        pytest.param(INTENDED, seen(NEW), Step.BEGIN_PROBATION, id="killed after the swap"),
        pytest.param(TRYING, seen(), Step.WAIT, id="on probation, no frame yet"),
        pytest.param(TRYING, seen(watch=GOOD_WATCH), Step.COMMIT, id="has shown enough"),
        pytest.param(TRYING, seen(OLD), Step.PLACE, id="someone moved current"),
        pytest.param(TRYING, seen(watch=Watch(now_s=121.0)), Step.REVERT, id="no frame within the deadline"),
        pytest.param(TRYING, seen(run=replace(UP, restarts=3)), Step.REVERT, id="restarted three times"),
        pytest.param(TRYING, seen(run=replace(UP, restarts=2)), Step.WAIT, id="restarted twice"),
        pytest.param(TRYING, seen(run=replace(DOWN, failed=True), down_s=LONG), Step.REVERT, id="the unit failed"),
        pytest.param(TRYING, seen(run=replace(DOWN, failed=True)), Step.WAIT, id="failed, maybe the release before"),
        pytest.param(
            TRYING,
            seen(run=replace(DOWN, ended=True), down_s=LONG, watch=Watch(frames=9)),
            Step.COMMIT,
            id="ended well",
        ),
        pytest.param(TRYING, seen(run=replace(DOWN, ended=True), down_s=LONG), Step.REVERT, id="ended without a frame"),
        pytest.param(TRYING, seen(run=DOWN, down_s=GIVE_A_START_S + 1), Step.RESTART, id="nobody started it"),
        pytest.param(TRYING, seen(watch=Watch(other_reports=True)), Step.RESTART, id="the old one still runs"),
        pytest.param(TRYING, seen(watch=OTHER, takes_over=True), Step.RELOAD, id="the old one can take it over"),
        pytest.param(TRYING, seen(watch=OTHER, takes_over=True, asked_s=1.0), Step.WAIT, id="and was asked to"),
        pytest.param(
            TRYING, seen(watch=OTHER, takes_over=True, asked_s=TAKE_OVER_WITHIN_S), Step.RESTART, id="and has not"
        ),
        pytest.param(TRYING, seen(watch=GOOD_WATCH, asked_s=99.0), Step.COMMIT, id="it was taken over, and is good"),
        pytest.param(TRYING, seen(run=replace(DOWN, wanted=False)), Step.REVERT, id="a person stopped it"),
        pytest.param(
            replace(TRYING, starts=MAX_STARTS + 1), seen(watch=GOOD_WATCH), Step.REVERT, id="a third start of the watch"
        ),
        pytest.param(begin_revert(TRYING, "x", 3.0), seen(NEW), Step.PLACE, id="reverting: swap back"),
        pytest.param(begin_revert(TRYING, "x", 3.0), seen(OLD), Step.RESTART, id="reverting: restart"),
        pytest.param(begin_revert(TRYING, "x", 3.0), seen(OLD, restarted=True), Step.SETTLE, id="reverting: done"),
        pytest.param(
            begin_revert(TRYING, "", 3.0), seen(OLD, replace(DOWN, wanted=False)), Step.SETTLE, id="stopped stays down"
        ),
        pytest.param(SETTLED, seen(OLD, IN_VAIN), Step.REVERT, id="a committed release that fails"),
        pytest.param(SETTLED, seen(OLD, replace(IN_VAIN, restarts=0)), Step.DONE, id="it failed in being stopped"),
        pytest.param(replace(SETTLED, fell_back=True), seen(OLD, IN_VAIN), Step.DONE, id="and only once"),
        pytest.param(replace(SETTLED, good=(OLD,)), seen(OLD, IN_VAIN), Step.DONE, id="with nothing before it"),
    ],
)
def test_what_is_done_next(journal, observation, step):
    """The whole protocol as a table: each line is a state in which a device was left."""
    assert next_step(journal, observation).step is step


def test_a_commit_raises_the_floor_and_remembers_the_release_before():
    """Lost: the promise that a device never goes backwards by itself."""
    done = commit(TRYING, 9.0)
    assert (done.phase, done.good, done.floor, done.target, done.previous) == ("settled", (NEW, OLD, OLDER), 4, "", "")
    assert commit(replace(TRYING, target_counter=0), 9.0).floor == 3


def test_a_commit_clears_what_was_held_against_the_release():
    """Tried again with --retry, it worked: it must not be refused the next time."""
    again = watched(on_probation(begin(failed_once(), Wanted(NEW, 4, RULE), 6.0), 7.0), 7.0)
    assert commit(again, 9.0).failure_of(NEW) is None


def failed_once():
    return reverted(begin_revert(TRYING, "no good frame within 120 s", 5.0), 6.0)


def test_a_reverted_release_is_bad_with_its_reason_and_nothing_else_changed():
    """Lost: why a camera runs last week's release."""
    back = failed_once()
    assert (back.phase, back.good, back.floor) == ("settled", SETTLED.good, SETTLED.floor)
    failure = back.failure_of(NEW)
    assert failure is not None and failure.reason == "no good frame within 120 s"


def test_a_release_that_a_person_stopped_is_not_bad():
    """It showed nothing, neither good nor bad."""
    decision = next_step(TRYING, seen(run=replace(DOWN, wanted=False)))
    assert reverted(begin_revert(TRYING, decision.reason, 5.0), 6.0).failure_of(NEW) is None


def test_a_committed_release_that_fails_gives_way_once():
    """Two that fail in a row are no release's fault: a device must not wander through its history."""
    reason = next_step(SETTLED, seen(OLD, IN_VAIN)).reason
    back = reverted(begin_revert(SETTLED, reason, 5.0), 6.0)
    assert (back.good, back.fell_back) == ((OLDER,), True)
    assert back.failure_of(OLD) is not None
    assert next_step(back, seen(OLDER, IN_VAIN)).step is Step.DONE


def test_a_journal_survives_the_wire():
    """What is read after a power cut is what was written."""
    for journal in (SETTLED, INTENDED, TRYING, failed_once()):
        assert from_wire(Journal, json.loads(json.dumps(to_wire(journal)))) == journal


def test_an_unsettled_journal_takes_no_second_release():
    """Two releases on probation at once would have no way back."""
    with pytest.raises(ValueError, match="in phase intended"):
        begin(INTENDED, Wanted(OLDER, 5), 3.0)


class World:
    """A device in miniature: what is durable, and a service that behaves as `draw` says."""

    def __init__(self, draw):
        self.draw = draw
        self.current, self.journal = OLD, SETTLED
        self.writes, self.floor = 0, SETTLED.floor

    def write(self, journal):
        self.journal = journal
        self.writes += 1
        assert self.writes < 60, "it goes in circles"

    def deploy(self, kills):
        """Verb activate, killed after so many of its steps."""
        steps = [
            lambda: self.write(begin(self.journal, Wanted(NEW, 4, RULE), 0.0)),
            lambda: setattr(self, "current", NEW),
            lambda: self.write(on_probation(self.journal, 0.0)),
        ]
        for step in steps[:kills]:
            step()
            self.check()

    def reconcile(self, life):
        """A reconciler that is killed after so many steps; True if it came to its end."""
        if self.journal.phase == "probation":
            self.write(watched(self.journal, 0.0))
        restarted, now_s, began_s = False, 1000.0, 1000.0
        for _ in range(life):
            decision = next_step(self.journal, self.look(now_s, began_s, restarted))
            now_s += self.draw(0, 60)
            if self.journal.phase == "probation" and self.journal.starts > MAX_STARTS:
                assert decision.step is Step.REVERT, "a third watch over a release that never showed itself"
            if decision.step is Step.DONE:
                return True
            if decision.step is Step.PLACE:
                self.current, restarted = wanted_current(self.journal), False
            elif decision.step is Step.BEGIN_PROBATION:
                self.write(watched(on_probation(self.journal, 0.0), 0.0))
                began_s = now_s
            elif decision.step is Step.RESTART:
                restarted = True
            elif decision.step is Step.COMMIT:
                self.write(commit(self.journal, 0.0))
            elif decision.step is Step.REVERT:
                self.write(begin_revert(self.journal, decision.reason, 0.0))
                restarted = False
            elif decision.step is Step.SETTLE:
                self.write(reverted(self.journal, 0.0))
            self.check()
        return False

    def look(self, now_s, began_s, restarted):
        """Anything at all may be seen."""
        draw = self.draw
        running = bool(draw(0, 3))
        run = RunStatus(
            running, draw(0, 9) > 0, not running and draw(0, 3) == 0, not running and draw(0, 3) == 0, draw(0, 3), 1
        )
        frames = draw(0, 60)
        first_s = began_s + 1.0 if frames else None
        watch = Watch(
            began_s,
            now_s,
            first_s,
            1,
            now_s - draw(0, 20) if frames else None,
            frames,
            1,
            other_reports=draw(0, 5) == 0,
        )
        asked_s = float(draw(0, 20)) if draw(0, 1) else None
        return Observation(self.current, run, watch, float(draw(0, 9)), restarted, draw(0, 1) == 0, asked_s)

    def check(self):
        """Nothing but the target and releases that were good is ever current."""
        assert self.current in (NEW, *SETTLED.good)
        assert self.journal.floor >= self.floor, "an acknowledged release is forgotten"
        self.floor = self.journal.floor


def live_through(draw):
    world = World(draw)
    world.deploy(draw(0, 3))
    for _ in range(12):
        if world.reconcile(draw(0, 12)):
            break
    assert world.reconcile(150), "it never settles"
    assert world.journal.settled
    assert world.current == world.journal.committed
    assert world.journal.committed == NEW or world.journal.failure_of(NEW) or world.journal.good[0] in SETTLED.good


@pytest.mark.parametrize("seed", range(300))
def test_whatever_is_seen_and_whenever_it_is_killed_it_settles_on_a_good_release(seed):
    """Kills between any two steps, services that do anything: never neither, never in circles."""
    live_through(random.Random(seed).randint)


def test_hypothesis_finds_no_way_to_leave_a_device_unsettled():
    """The same, steered towards trouble."""
    hypothesis = pytest.importorskip("hypothesis")
    strategies = pytest.importorskip("hypothesis.strategies")

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(strategies.data())
    def live(data):
        live_through(lambda low, high: data.draw(strategies.integers(low, high)))

    live()
