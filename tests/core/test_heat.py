"""The heat governor: rules by example, and what must hold for any course of temperatures."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edgekit.core.heat import HeatRules, HeatState, next_heat
from edgekit.core.machine import MachineReadings

RULES = HeatRules()
HOT, BETWEEN, COOL = 4.0, 6.5, 20.0


def at(headroom_c, *alerts):
    return MachineReadings(headroom_c=headroom_c, limiting_zone="tj-thermal", throttling=alerts)


def course(readings, every_s=1.0, state=None):
    """The shares after each of the readings, one every second."""
    state = state or HeatState()
    shares = []
    for number, reading in enumerate(readings):
        state = next_heat(state, reading, number * every_s)
        shares.append(state.limit.share)
    return shares


def random_course(rng, seconds=600):
    """A temperature that wanders, jumps and is sometimes lost."""
    headroom_c, courses = rng.uniform(-5, 30), []
    for _ in range(seconds):
        headroom_c += rng.choice((0.0, rng.gauss(0, 1), rng.gauss(0, 8) if rng.random() < 0.1 else 0.0))
        headroom_c += 0.05 * (8 - headroom_c)
        alerts = ("tj-throttle-alert",) if rng.random() < 0.01 else ()
        courses.append(at(None if rng.random() < 0.02 else headroom_c, *alerts))
    return courses


def changes(shares):
    """(second, share before, share after) of each change."""
    pairs = zip([1.0, *shares], shares)
    return [(second, before, after) for second, (before, after) in enumerate(pairs) if before != after]


def test_a_cool_device_is_not_limited():
    """Every frame counts until it is hot."""
    assert set(course([at(COOL)] * 100)) == {1.0}


def test_a_device_that_does_not_say_how_hot_it_is_is_not_limited():
    """A PC without zones would run at a quarter of its rate."""
    assert set(course([MachineReadings()] * 100)) == {1.0}


def test_near_its_limit_the_rate_goes_down_every_ten_seconds_to_a_quarter():
    """A device that trips loses all cameras; below a quarter a camera is of no use."""
    shares = course([at(HOT)] * 100)
    assert [(second, after) for second, _, after in changes(shares)] == [
        (0, 0.75), (10, 0.75**2), (20, 0.75**3), (30, 0.75**4), (40, 0.25),
    ]  # fmt: skip


def test_the_margin_itself_is_hot():
    """Five degrees below the limit is where it begins."""
    assert course([at(5.0)])[-1] == 0.75
    assert course([at(5.001)])[-1] == 1.0


def test_an_alert_counts_as_being_at_the_limit_however_cool_the_zones():
    """The chip throttles for a sensor that no zone shows."""
    assert course([at(COOL, "gpu-throttle-alert")])[-1] == 0.75
    assert course([MachineReadings(throttling=("cpu-throttle-alert",))])[-1] == 0.75


def test_the_rate_comes_back_step_by_step_once_it_has_been_cool_for_half_a_minute():
    """All at once it would be hot again at once."""
    shares = course([at(HOT)] * 11 + [at(COOL)] * 100)
    assert [(second, after) for second, _, after in changes(shares)] == [
        (0, 0.75), (10, 0.75**2), (41, 0.75), (71, 1.0),
    ]  # fmt: skip


def test_between_hot_and_cool_nothing_changes():
    """A rate that follows each degree would never rest."""
    assert set(course([at(HOT)] + [at(BETWEEN)] * 500)) == {0.75}


def test_one_warm_second_begins_the_half_minute_anew():
    """It is not cool yet."""
    shares = course([at(HOT)] + ([at(COOL)] * 29 + [at(BETWEEN)]) * 10)
    assert set(shares) == {0.75}


def test_sensors_that_vanish_give_the_rate_back_in_steps():
    """A failing bus must neither limit for ever nor let go at once."""
    shares = course([at(HOT)] * 11 + [MachineReadings()] * 100)
    assert [second for second, _, _ in changes(shares)] == [0, 10, 41, 71]


def test_the_reason_is_a_sentence_and_there_is_none_without_a_limit():
    """A camera that is slow without a word looks broken."""
    hot = next_heat(HeatState(), at(2.1), 0.0)
    assert hot.limit.reason == "only 75 % of the usual frames are taken: tj-thermal is 2.1 C below its limit"
    above = next_heat(hot, at(-1.5), 1.0)
    assert above.limit.reason.endswith("tj-thermal is 1.5 C above its limit")
    alert = next_heat(above, at(-1.5, "tj-throttle-alert"), 2.0)
    assert alert.limit.reason.endswith("the device slows itself down for heat (tj-throttle-alert)")
    waiting = next_heat(alert, at(COOL), 3.0)
    assert waiting.limit.reason.endswith("has been cooler for a while")
    gone = next_heat(alert, MachineReadings(), 3.0)
    assert gone.limit.reason.endswith("its temperature can no longer be read")
    assert next_heat(HeatState(), at(BETWEEN), 0.0).limit.reason == ""


@pytest.mark.parametrize("seed", range(40))
def test_the_share_stays_between_the_floor_and_one_and_moves_one_step_at_a_time(seed):
    """A share of 0 would stop a camera for good; one above 1 is none."""
    rng = random.Random(seed)
    shares = course(random_course(rng))
    steps = [RULES.share(number) for number in range(RULES.most_steps + 1)]
    assert set(shares) <= set(steps)
    assert min(steps) == RULES.floor
    for _, before, after in changes(shares):
        assert abs(steps.index(before) - steps.index(after)) == 1


@pytest.mark.parametrize("seed", range(40))
def test_the_share_never_moves_faster_than_its_times(seed):
    """Frames that come and go every second are worse than few."""
    rng = random.Random(seed)
    moved = changes(course(random_course(rng)))
    lowered = [second for second, before, after in moved if after < before]
    raised = [second for second, before, after in moved if after > before]
    assert np.all(np.diff(lowered) >= RULES.lower_every_s)
    assert np.all(np.diff(raised) >= RULES.raise_after_s)
    for second in raised:
        assert all(not second - RULES.raise_after_s < earlier < second for earlier in lowered)


@pytest.mark.parametrize("seed", range(40))
def test_a_hotter_device_never_gets_more(seed):
    """More heat would bring more frames, and more frames more heat."""
    rng = random.Random(seed)
    cooler = [reading for reading in random_course(rng) if reading.headroom_c is not None]
    hotter = []
    for reading in cooler:
        assert reading.headroom_c is not None
        alerts = ("cpu-throttle-alert",) if rng.random() < 0.005 else reading.throttling
        hotter.append(at(reading.headroom_c - rng.choice((0.0, rng.expovariate(0.5))), *alerts))
    assert all(more >= less for more, less in zip(course(cooler), course(hotter)))


def test_hypothesis_finds_no_course_that_breaks_the_bounds():
    """Where it is installed it looks further than the seeds."""
    hypothesis = pytest.importorskip("hypothesis")
    strategies = pytest.importorskip("hypothesis.strategies")
    reading = strategies.tuples(
        strategies.one_of(strategies.none(), strategies.floats(-1000, 1000)), strategies.booleans()
    )
    steps = strategies.lists(strategies.tuples(strategies.floats(0, 100), reading), max_size=60)

    @hypothesis.settings(max_examples=200, deadline=None, database=None)
    @hypothesis.given(steps)
    def holds(course_of_steps):
        state, now_s, lowered_s = HeatState(), 0.0, float("-inf")
        for elapsed_s, (headroom_c, alert) in course_of_steps:
            now_s += elapsed_s
            before = state.limit.share
            state = next_heat(state, at(headroom_c, *(["x-throttle-alert"] if alert else [])), now_s)
            assert RULES.floor <= state.limit.share <= 1.0
            assert (state.limit.reason == "") == (state.limit.share == 1.0)
            if state.limit.share < before:
                assert now_s - lowered_s >= RULES.lower_every_s
                lowered_s = now_s

    holds()
