"""How many frames are kept, and of whom: simulated hours."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.core.field_budget import HOUR_S, Budget, WorkLimit


def budget_of(streams=("",), **settings):
    return Budget(CollectSettings(**settings), streams, np.random.default_rng(7), 0.0)


def simulate(budget, hours, wishes, step_s=0.5):
    """(stream, reason) -> times at which it was granted. wishes: time -> the (stream, reasons) that ask then."""
    granted = []
    for time_s in np.arange(0.0, hours * HOUR_S, step_s).tolist():
        for stream, reasons in wishes(time_s):
            if budget.take(stream, reasons, time_s):
                granted.append((time_s, stream, reasons))
    return granted


@pytest.mark.parametrize("per_hour", [1, 22, 60, 600])
def test_no_hour_has_more_frames_than_were_asked_for(per_hour):
    """It is a promise about wear of the disk and about privacy."""
    budget, times = budget_of(per_hour=per_hour), []
    for time_s in np.arange(0.0, 3 * HOUR_S, 0.5).tolist():
        times += [time_s] * budget.take_random("", time_s)
        times += [time_s] * budget.take("", ("uncertain",), time_s)
    at = np.array(times)
    assert max(((at >= start) & (at < start + HOUR_S)).sum() for start in at) <= per_hour
    assert len(at) >= 2.5 * per_hour, "and nearly all of them are used"


def test_they_are_spread_over_the_hour():
    """Sixty frames of the first minute show one scene."""
    times = np.array([time_s for time_s, *_ in simulate(budget_of(), 2, lambda time_s: [("", ("uncertain",))])])
    for begins_s in range(600, 7200, 600):
        assert 8 <= ((times >= begins_s) & (times < begins_s + 600)).sum() <= 10


def test_a_few_that_come_together_are_all_kept():
    """A bus that flickers in the fog is over in seconds."""
    budget = budget_of()
    assert [budget.take("", (reason,), 600.0) for reason in ("rare", "flicker", "far")] == [True] * 3
    assert not any(budget.take("", ("rare",), time_s) for time_s in np.arange(600.0, 630.0).tolist())


def test_a_service_that_starts_again_and_again_keeps_no_more_for_it():
    """A camera that makes it fail would fill the disk with the same picture."""
    assert [budget_of().take("", ("far",), 0.0) for _ in range(3)] == [True] * 3
    budget = budget_of()
    assert sum(budget.take("", (reason,), 0.1) for reason in ("far", "rare", "flicker")) == 1


def test_the_rare_find_something_left():
    """Every frame has something uncertain in it; the one bus of the day must not come too late."""

    def wishes(time_s):
        yield "", ("uncertain",)
        if time_s > 0 and time_s % 400 == 0:
            yield "", ("rare",)

    granted = simulate(budget_of(), 4, wishes)
    rare = [time_s for time_s, _, reasons in granted if reasons == ("rare",)]
    assert len(rare) == 35


def test_streams_and_reasons_get_equal_parts_of_what_both_want():
    """One camera under a tree would have all of it."""

    def wishes(time_s):
        yield "gate", ("uncertain",)
        yield "yard", ("uncertain",)
        yield "gate", ("far",)

    granted = simulate(budget_of(("gate", "yard", "quiet")), 6, wishes)
    streams, reasons = Counter(stream for _, stream, _ in granted), Counter(reasons for *_, reasons in granted)
    assert 0.8 < streams["gate"] / streams["yard"] < 1.25
    assert reasons[("far",)] > len(granted) / 4


def test_a_part_is_kept_by_chance_whatever_else_is_wanted():
    """Without it the kept frames tell what is hard, and never what is usual."""
    budget = budget_of(("gate", "yard"), per_hour=60, random_share=0.2)
    taken = Counter()
    for time_s in np.arange(0.0, 10 * HOUR_S, 0.5).tolist():
        for stream in ("gate", "yard"):
            taken[stream] += budget.take_random(stream, time_s)
    assert 115 <= sum(taken.values()) <= 120
    assert min(taken.values()) >= 40


def test_a_silent_stream_loses_its_random_turn():
    """A camera that is away must not end the honest share."""
    budget = budget_of(("gate", "gone"), per_hour=60, random_share=0.2)
    taken = sum(budget.take_random("gate", time_s) for time_s in np.arange(0.0, HOUR_S, 0.5).tolist())
    assert taken >= 11


def test_no_random_share_is_none():
    """Zero is a value that people choose."""
    budget = budget_of(random_share=0.0)
    assert not any(budget.take_random("", float(time_s)) for time_s in range(7200))


@pytest.mark.parametrize(("fps", "work_s", "share"), [(30, 1e-4, 1.0), (1000, 1e-4, 0.2), (100, 1e-3, 0.2)])
def test_work_on_frames_keeps_to_its_share_of_the_time(fps, work_s, share):
    """On a slow board, or with a fast engine, the rules would cost more frames than they may."""
    limit, done = WorkLimit(0.02, 0.01), 0
    for frame in range(20 * fps):
        if limit.allows(frame / fps):
            limit.spent(work_s)
            done += 1
    assert done / (20 * fps) == pytest.approx(share, abs=0.02)


def test_frames_of_many_cameras_at_the_same_moment_are_all_judged():
    """Else the first camera's would be, always, and the others' never."""
    limit = WorkLimit(0.02, 0.01)
    for tick in range(150):
        for _ in range(8):
            assert limit.allows(tick / 15)
            limit.spent(1e-4)
