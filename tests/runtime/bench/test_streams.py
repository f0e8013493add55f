"""The scenario "streams": more and more of them through one engine."""

from __future__ import annotations

import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.runtime.bench.streams import _round_of, counts_up_to
from edgekit.runtime.sources import open_source
from tests.fakes import FakeEngine, Greys, detector_spec

MEMORY = "memory://?width=128&height=96&frames=3"


@pytest.mark.parametrize(
    ("most", "expected"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (5, (1, 2, 4, 5)), (8, (1, 2, 4, 8))]
)
def test_numbers_double_and_end_with_what_was_asked(most, expected):
    """The number that somebody wants to know is never left out."""
    assert counts_up_to(most) == expected


@pytest.mark.timed
def test_streams_share_what_one_engine_gives(benching):
    """5 ms a call are just under 200 frames a second, however many streams they come from."""
    engine = FakeEngine(detector_spec(max_batch=1), delay_s=0.005)
    answer = benching(engine, "streams", source=MEMORY, streams=3, duration_s=0.5)
    points = answer.measurement.stream_points
    assert [point.streams for point in points] == [1, 2, 3]
    for point in points:
        assert 100 < point.rate.fps < 200
        assert point.fairness > 0.8
        assert point.slowest_fps * point.streams == pytest.approx(point.rate.fps, rel=0.2)
        assert point.cpu_utilisation_pct > 0
    assert answer.measurement.pipeline_rate == points[-1].rate
    assert (answer.conditions.streams, answer.conditions.batch) == (3, 1)
    assert answer.measurement.frames == pytest.approx(0.5 * points[-1].rate.fps, rel=0.2)


@pytest.mark.timed
def test_several_streams_fill_a_batch_as_a_service_does(benching):
    """An engine that takes four at once would be measured one by one."""
    engine = FakeEngine(detector_spec(max_batch=4), delay_s=0.01)
    answer = benching(engine, "streams", source=MEMORY, streams=4, duration_s=0.5)
    assert answer.conditions.batch == 4
    assert answer.measurement.stream_points[-1].rate.fps > 2.5 * answer.measurement.stream_points[0].rate.fps


@pytest.mark.timed
def test_live_streams_lose_frames_where_the_engine_is_too_slow(benching):
    """How many cameras a device can take is where frames begin to be lost."""
    source = "scenes://?width=128&height=96&fps=20&live=1"
    measured = benching(FakeEngine(delay_s=0.035), "streams", source=source, streams=2, duration_s=1.0).measurement
    one, two = measured.stream_points
    assert (one.dropped, one.rate.fps) == (pytest.approx(0, abs=2), pytest.approx(20, rel=0.15))
    assert two.dropped > 5
    assert two.rate.fps == pytest.approx(28, rel=0.15)
    assert two.fairness > 0.7
    assert measured.stages["age"].samples == measured.frames


def test_each_source_that_joins_is_one_stream(benching, monkeypatch):
    """Cameras of a site differ: a slow one among them must not be measured as the first one again."""
    opened = []

    def remember(uri):
        opened.append(uri)
        return Greys(None)

    monkeypatch.setattr("edgekit.runtime.bench.streams.open_source", remember)
    answer = benching(FakeEngine(), "streams", source="a.mp4", more_sources=("b.mp4", "c.mp4"), duration_s=0.1)
    assert opened == ["a.mp4", "a.mp4", "b.mp4", "a.mp4", "b.mp4", "c.mp4"]
    assert [point.streams for point in answer.measurement.stream_points] == [1, 2, 3]


def test_a_camera_that_fails_among_others_spoils_the_figures(benching, monkeypatch):
    """Two of three cameras are easier to serve than three."""
    sources = {
        "good": lambda: Greys(None, live=True, fps=200.0),
        "bad": lambda: Greys(None, live=True, fps=200.0, fail_at=30),
    }
    monkeypatch.setattr("edgekit.runtime.bench.streams.open_source", lambda uri: sources[uri]())
    measured = benching(FakeEngine(), "streams", source="good", more_sources=("bad",), duration_s=0.6).measurement
    assert measured.disturbances == ("with 2 streams bad ended early: the cable came loose",)


def test_a_single_stream_that_fails_fails_the_measurement(benching, monkeypatch):
    """There is nothing to tell of a camera that cannot be read."""
    monkeypatch.setattr("edgekit.runtime.bench.streams.open_source", lambda uri: Greys(None, fail_at=5))
    with pytest.raises(SourceError, match="cable"):
        benching(FakeEngine(), "streams", source="x.mp4", streams=2)


def test_pictures_in_memory_are_shared(monkeypatch):
    """Sixteen streams of 1080p pictures would take three gigabytes of a board's eight."""
    source = open_source(MEMORY)
    next(source)
    pictures = _round_of(source)
    assert len(pictures) == 3
    assert len({id(picture) for picture in pictures}) == 3


def test_too_many_streams_are_refused(benching):
    """Each has a thread of its own."""
    with pytest.raises(UsageError, match="65 streams"):
        benching(FakeEngine(), "streams", source=MEMORY, streams=65)
