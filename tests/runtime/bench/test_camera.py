"""The scenario "camera": whether the device keeps up with a live source, and which stage does not."""

from __future__ import annotations

import pytest

from edgekit.core.results import FPS_MEANS_OF
from edgekit.errors import UsageError
from tests.fakes import FakeEngine, Greys

LIVE = "scenes://?width=128&height=96&fps=20&live=1"


@pytest.mark.timed
def test_a_device_that_keeps_up_gives_the_sources_rate(benching):
    """The source's rate is the limit: more would be invented, less would be lost."""
    answer = benching(FakeEngine(delay_s=0.002), "camera", source=LIVE, duration_s=1.0)
    measured = answer.measurement
    assert measured.pipeline_rate.fps == pytest.approx(20, rel=0.15)
    assert measured.pipeline_rate.verdict.startswith("keeps up: ")
    assert (measured.source_fps, measured.engine_rate) == (20.0, None)
    assert measured.stages["age"] == measured.stages["end_to_end"]
    assert "live source" in FPS_MEANS_OF[answer.conditions.scenario]


@pytest.mark.timed
def test_a_device_that_does_not_says_which_stage(benching):
    """Whoever makes the wrong stage faster gains nothing."""
    measured = benching(FakeEngine(delay_s=0.1), "camera", source=LIVE, duration_s=1.0).measurement
    assert measured.pipeline_rate.fps == pytest.approx(9.8, rel=0.2)
    assert "frames a second are taken: the engine is the slowest part" in measured.pipeline_rate.verdict
    assert measured.dropped > 4


@pytest.mark.timed
def test_a_source_that_gives_less_than_it_states_is_told(benching, monkeypatch):
    """A camera in the dark exposes for longer: the device is not to blame."""
    slow = lambda uri: Greys(None, live=True, fps=100.0, delay_s=0.03)  # noqa: E731
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", slow)
    measured = benching(FakeEngine(), "camera", source="rtsp://camera", duration_s=0.8).measurement
    assert measured.pipeline_rate.verdict.startswith("keeps up: ")
    assert "gives less than the 100 that it states" in measured.pipeline_rate.verdict


@pytest.mark.timed
def test_what_states_no_rate_has_the_one_it_gave(benching, monkeypatch):
    """An RTSP address need not say how fast its camera is."""
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", lambda uri: Unstated(None, live=True))
    measured = benching(FakeEngine(), "camera", source="rtsp://camera", duration_s=0.4).measurement
    assert measured.source_fps == pytest.approx(measured.pipeline_rate.fps, rel=0.2)


class Unstated(Greys):
    """A live source without a stated rate, of about 100 frames a second."""

    def _wait_until_due(self):
        import time

        time.sleep(0.01)
        return not self._stopped


def test_a_file_is_no_camera(benching):
    """It has no rate of its own, so that nothing could be said about keeping up."""
    with pytest.raises(UsageError, match="memory://.* is no live source"):
        benching(FakeEngine(), "camera", source="memory://?width=128&height=96&frames=2")
