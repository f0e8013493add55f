"""Which frames of live streams come in: the right part, spread evenly, each stream by itself."""

from __future__ import annotations

import random
import sys
import threading
import time

import numpy as np
import pytest

from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pace import Pace
from edgekit.runtime.pipeline import Pipeline
from tests.fakes import FakeEngine, Greys


def admitted(pace, count, fps, stream="", start_s=0.0, jitter_s=0.0, rng=None):
    """The numbers of those of `count` frames that come in."""
    rng = rng or random.Random(1)
    times_s = [start_s + number / fps + rng.uniform(0, jitter_s) for number in range(count)]
    return [number for number, captured_s in enumerate(times_s) if pace.admits(stream, captured_s)]


def gaps(numbers):
    return set(np.diff(numbers).tolist())


def test_without_a_limit_every_frame_comes_in():
    """The usual case must cost nothing."""
    pace = Pace()
    assert admitted(pace, 100, 30.0) == list(range(100))
    assert pace.refused == {}


@pytest.mark.parametrize("share", [0.75, 0.5625, 0.421875, 0.31640625, 0.25, 0.1, 1 / 3])
def test_a_share_is_kept_exactly_and_spread_evenly(share):
    """Five frames in a row and then a second of none would lose every object."""
    pace = Pace()
    pace.limit(share)
    numbers = admitted(pace, 1200, 30.0)
    assert abs(len(numbers) - 1200 * share) <= 1
    assert gaps(numbers) <= {int(1 / share), int(1 / share) + 1}
    assert pace.refused == {"": 1200 - len(numbers)}


def test_each_stream_keeps_the_share_of_its_own_rate():
    """A slow camera would pay for a fast one."""
    pace = Pace()
    pace.limit(0.5)
    rates = {"a": 5, "b": 10, "c": 20, "d": 30}
    order = sorted((number / fps, name) for name, fps in rates.items() for number in range(10 * fps))
    taken = dict.fromkeys(rates, 0)
    for captured_s, name in order:
        taken[name] += pace.admits(name, captured_s)
    for name, fps in rates.items():
        assert abs(taken[name] - 5 * fps) <= 1


def test_a_limit_that_is_lifted_lets_every_frame_in_again():
    """The device would stay slow after it cooled down."""
    pace = Pace()
    pace.limit(0.25)
    admitted(pace, 100, 30.0)
    pace.limit(1.0)
    assert len(admitted(pace, 100, 30.0, start_s=10.0)) == 100


@pytest.mark.parametrize(("fps", "most_fps"), [(30.0, 10.0), (30.0, 25.0), (10.0, 15.0), (60.0, 7.0)])
def test_a_rate_that_a_person_set_is_kept_at_any_rate_of_the_camera(fps, most_fps):
    """A camera that delivers more at night would cost more than was allowed."""
    pace = Pace({"gate": most_fps})
    seconds = 20
    numbers = admitted(pace, int(seconds * fps), fps, "gate", jitter_s=0.3 / fps)
    assert len(numbers) == pytest.approx(seconds * min(fps, most_fps), rel=0.02)
    assert len(admitted(pace, 100, fps, "other")) == 100


def test_a_pause_saves_no_frames_up():
    """A camera that comes back would bring a burst of what it missed."""
    pace = Pace({"": 10.0})
    admitted(pace, 30, 30.0)
    assert len(admitted(pace, 30, 30.0, start_s=100.0)) <= 11


def test_a_limit_and_a_rate_of_a_stream_multiply():
    """A stream that was slowed by hand would not be slowed for heat."""
    pace = Pace({"": 10.0})
    pace.limit(0.5)
    assert len(admitted(pace, 600, 30.0)) == pytest.approx(100, abs=2)


def test_the_share_is_of_what_an_overloaded_pipeline_took():
    """Leaving out frames that nobody had time for cools nothing: the engine would be as busy at half the frames."""
    pace, dropped = Pace(), 0
    taken = {True: 0, False: 0}
    waiting = False
    for number in range(3000):
        limited = number >= 1500
        if number == 1500:
            pace.limit(0.5)
        if pace.admits("", number / 30.0, dropped):
            dropped += waiting  # a newer frame replaces the one that waits
            waiting = True
        else:
            dropped += 1
        if number % 4 == 3 and waiting:  # the engine has time for one frame of four
            waiting = False
            taken[limited] += 1
    assert taken[False] == pytest.approx(1500 / 4, abs=2)
    assert taken[True] == pytest.approx(1500 / 8, rel=0.1)


def test_a_stream_of_which_nothing_came_through_is_let_in_now_and_then():
    """A camera that was starved while the device got hot would be blind until it is cool."""
    pace = Pace()
    for number in range(1000):
        pace.admits("", number / 30.0, number)
    pace.limit(0.25)
    assert len(admitted(pace, 3000, 30.0, start_s=100.0)) >= 30


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_that_is_none_is_our_own_mistake(share):
    """It would stop a camera for good."""
    with pytest.raises(ValueError, match="share"):
        Pace().limit(share)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan")])
def test_a_rate_of_nothing_is_our_own_mistake(fps):
    """It would stop a camera for good."""
    with pytest.raises(ValueError, match="rates"):
        Pace({"gate": fps})


def test_threads_share_it_without_losing_count():
    """Each camera has a thread; a lost count is a frame that nobody accounts for."""
    pace, frames = Pace(), 4000
    taken = {}

    def capture(name):
        taken[name] = sum(pace.admits(name, number / 30.0) for number in range(frames))

    threads = [threading.Thread(target=capture, args=(str(number),)) for number in range(8)]
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for number in range(200):
            pace.limit((0.25, 0.75, 1.0)[number % 3])
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)
    refused = pace.refused
    assert [taken[name] + refused.get(name, 0) for name in taken] == [frames] * 8


def live(count, pace):
    engine = FakeEngine()
    return Pipeline(Greys(count, live=True, fps=100.0), stages_for(engine.detector, engine), pace=pace)


def test_refused_frames_of_a_live_stream_count_as_dropped():
    """The figures would not add up, and nobody would know what a limit costs."""
    pace = Pace()
    pace.limit(0.5)
    with live(100, pace=pace) as pipeline:
        frames = list(pipeline)
    assert len(frames) + pipeline.dropped == 100
    assert pace.refused[""] in (49, 50)
    assert len(frames) >= 40
    assert {detected.frame.index % 2 for detected in frames} == {0}


def test_a_file_is_never_refused():
    """A video would lose half of its frames because it was hot."""
    pace = Pace()
    pace.limit(0.25)
    engine = FakeEngine()
    with Pipeline(Greys(50), stages_for(engine.detector, engine), pace=pace) as pipeline:
        assert sum(1 for _ in pipeline) == 50
    assert pipeline.dropped == 0


@pytest.mark.timed
def test_leaving_ends_a_thread_whose_frames_are_all_refused():
    """It would hold the camera for ever, as it hands nothing over."""
    pace = Pace({"": 1e-6})
    with live(None, pace=pace) as pipeline:
        next(iter(pipeline))
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 1.0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgekit-")]
