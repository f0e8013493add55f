"""Live cameras of different rates into an engine that is too slow for them: real sources, threads and times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from edgekit.core.overload import LoadWindow
from edgekit.core.service import StreamSettings
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.lanes import Lanes
from edgekit.runtime.pace import Pace
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.stream_group import open_streams
from tests.fakes import FakeEngine

RATES = {"slow": 5, "usual": 10, "fast": 20, "fastest": 30}
ENGINE_S = 0.04  # 25 frames a second of 65


def sources():
    uri = "scenes://?seed={}&width=64&height=64&fps={}&live=1"
    return open_streams([StreamSettings(uri.format(fps, fps), name) for name, fps in RATES.items()])


def test_the_stream_that_was_served_longest_ago_is_next():
    """In the order of arrival, a camera whose frame comes a moment after its turn gets a fifth less than its share."""
    lanes = Lanes()
    usual, fast, fastest = (lanes.add(name, latest=True) for name in ("usual", "fast", "fastest"))
    for lane in (usual, fast, fastest):
        lane.put(lane.name)
    assert [lanes.get() for _ in range(3)] == ["usual", "fast", "fastest"]
    for lane in (fastest, fast, usual):
        lane.put(lane.name)
    assert lanes.get() == "usual"
    usual.put("usual")
    assert [lanes.get() for _ in range(3)] == ["fast", "fastest", "usual"]


@dataclass
class Run:
    """What came of the streams: frames, dropped ones, the highest number of a frame, and the last seconds' load."""

    frames: Counter
    dropped: dict
    highest: Counter
    window: LoadWindow
    seconds: float


def run(seconds, pace=None):
    """So many seconds from the slowest stream's first frame on."""
    engine, window = FakeEngine(delay_s=ENGINE_S), LoadWindow()
    frames, highest, started_s, counted_s = Counter(), Counter(), 0.0, 0.0
    with sources() as source, Pipeline(source, stages_for(engine.detector, engine), pace=pace) as pipeline:
        for detected in pipeline:
            name, now_s = detected.frame.stream, detected.finished_s
            started_s = started_s or (now_s if name == "slow" else 0.0)
            frames[name] += 1
            highest[name] = detected.frame.index
            window.took(now_s, detected.stages)
            if now_s - counted_s > 0.2:
                counted_s = now_s
                dropped, refused = pipeline.dropped_by_stream, pace.refused if pace else {}
                window.count(now_s, {name: (frames[name], dropped[name] - refused.get(name, 0)) for name in RATES})
            if started_s and now_s - started_s > seconds:
                pipeline.stop()
        return Run(frames, pipeline.dropped_by_stream, highest, window, now_s - started_s)


@pytest.mark.timed
def test_every_stream_gets_its_even_share_of_an_engine_that_is_too_slow():
    """The fastest camera would take the engine, and a slow one starve; and nobody would be told."""
    done = run(3.05)
    load = done.window.load
    assert load is not None
    assert 0.5 / ENGINE_S < sum(stream.taken_fps for stream in load.streams) < 1.05 / ENGINE_S
    for stream in load.streams:
        assert stream.offered_fps < 1.1 * RATES[stream.name]  # less on a machine that has other work
        assert stream.taken_fps == pytest.approx(stream.fair_fps, rel=0.2)
    assert load.fairness > 0.85
    for name in RATES:  # nothing is unaccounted for
        assert done.frames[name] + done.dropped[name] == pytest.approx(done.highest[name] + 1, abs=1)
    assert done.window.slowest == "the engine"
    assert done.window.warning.endswith("of each: the engine is the slowest part")


@pytest.mark.timed
def test_a_limit_slows_an_overloaded_engine_down_and_stays_fair():
    """A hot device would stay as hot: its engine would only be given other frames."""
    pace = Pace()
    for name, fps in RATES.items():
        _learn(pace, name, fps)
    pace.limit(0.5)
    done = run(1.2, pace)
    # A busy machine takes fewer still.
    assert 0.2 / ENGINE_S < sum(done.frames.values()) / done.seconds < 0.65 / ENGINE_S
    assert min(done.frames.values()) >= 0.5 * (0.5 * RATES["slow"]) * done.seconds
    assert max(done.frames.values()) <= 2.0 * (0.5 * 20 / 3) * done.seconds
    assert done.window.slowest == "the engine"


def _learn(pace, name, fps):
    """Show it 20 s of a run in which the stream got its even share."""
    dropped, fair_fps = 0.0, min(fps, 20 / 3)
    for number in range(20 * fps):
        pace.admits(name, number / fps - 1000.0, int(dropped))
        dropped += 1 - fair_fps / fps
