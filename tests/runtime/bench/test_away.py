"""Cameras that are away: a measurement does not wait for ever, and says so."""

from __future__ import annotations

import itertools
import time

import pytest

from edgekit.errors import SourceError
from edgekit.runtime.bench.away import AwayLimit, first_frame
from tests.fakes import FakeEngine, Greys


class Stalling(Greys):
    """A camera that gives `before` frames and is away then, until it is stopped or `for_s` has passed."""

    def __init__(self, before, for_s=60.0):
        super().__init__(None, live=True, fps=200.0)
        self._before, self._for_s = before, for_s

    def __next__(self):
        if self._index == self._before:
            until_s = time.monotonic() + self._for_s
            while not self._stopped and time.monotonic() < until_s:
                if self.on_away is not None:
                    self.on_away("rtsp://camera is stalled")
                time.sleep(0.01)
        return super().__next__()


def test_a_camera_that_never_gives_a_frame_is_told_with_its_reason(monkeypatch):
    """A bench of a camera that is unplugged would hang until somebody looks."""
    told = []
    monkeypatch.setattr(AwayLimit.__init__, "__defaults__", (0.2,))
    with pytest.raises(SourceError, match="rtsp://.*camera gave no frame") as raised:
        first_frame(Stalling(0), "rtsp://admin:secret@camera", lambda *event: told.append(event))
    assert raised.value.why == "rtsp://camera is stalled"
    assert told[0][0].startswith("waiting for rtsp://")
    assert "secret" not in f"{told} {raised.value}"


def test_a_first_frame_is_a_copy():
    """A camera's ring lends few pictures, and this one is kept for the whole measurement."""
    source = Greys(3)
    frame = first_frame(source, "greys", lambda *_: None)
    frame.pixels[:] = 7
    assert source.on_away is None
    assert [int(each.pixels[0, 0, 0]) for each in source] == [1, 2]


def test_a_camera_that_was_away_spoils_the_figures(benching, monkeypatch):
    """A second without frames is no property of the device, and must not be compared with a run without it."""
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", lambda uri: Stalling(60, for_s=0.1))
    measured = benching(fast(), "camera", source="rtsp://camera", duration_s=0.6).measurement
    assert measured.disturbances == ("the source was away (1 x): rtsp://camera is stalled",)


def test_a_camera_that_is_away_while_others_are_awaited_is_no_disturbance(benching, monkeypatch):
    """Cameras take a while to connect."""
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", lambda uri: Stalling(2, for_s=0.1))
    assert benching(fast(), "camera", source="rtsp://camera", duration_s=0.4).measurement.disturbances == ()


def test_a_soak_of_a_camera_that_stays_away_keeps_what_it_has(benching, monkeypatch):
    """Hours of figures would be lost for a cable that came loose in the last minute."""
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", lambda uri: Stalling(80))
    monkeypatch.setattr(AwayLimit.__init__, "__defaults__", (0.2,))
    measured = benching(fast(), "soak", source="rtsp://camera", duration_s=600.0).measurement
    assert measured.disturbances == ("the source was away (1 x), and stayed away: rtsp://camera is stalled",)
    assert 0 < measured.frames <= 80


def test_absences_are_counted_once_each():
    """A camera says every second that it is away."""
    source = Greys(1)
    limit = AwayLimit(source)
    for _ in itertools.repeat(None, 5):
        source.on_away("gone")
    assert (limit.times, limit.reason) == (1, "gone")
    limit.forget()
    assert limit.disturbances == ()


def fast():
    return FakeEngine(delay_s=0.001)
