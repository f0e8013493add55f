"""What a service reports of itself, and when it gives up on its engine."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from edgekit.core.camera_condition import Condition
from edgekit.core.service import Health, StreamSettings
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EngineError
from edgekit.runtime.health_report import HealthFile, Progress, StreamStates


def fed(count: int, fps: float, began_s: float = 0.0) -> Progress:
    progress = Progress()
    for index in range(count):
        progress.good(began_s + index / fps, 20.0, 2)
    return progress


def test_a_good_frame_clears_the_error_of_a_bad_one():
    """Lost: a service called sick for one bad frame."""
    progress = fed(10, 15.0)
    progress.bad(1.0, ("output0",))
    assert progress.last_error == "the engine's answer is NaN or infinite: output0" and progress.frames == 10
    progress.good(1.1, 20.0, 0)
    assert progress.last_error == ""


def test_an_engine_that_gives_no_numbers_for_ten_seconds_ends_the_service():
    """It would look like an empty street for ever."""
    progress = fed(10, 15.0)
    for index in range(149):
        progress.bad(100 + index / 15, ("output0",))
    with pytest.raises(EngineError, match="NaN or infinite: output0"):
        for index in range(149, 152):
            progress.bad(100 + index / 15, ("output0",))


def test_a_slow_camera_gets_three_chances():
    """One bad frame in ten seconds is no lasting fault."""
    progress = Progress()
    progress.bad(0.0, ("output0",))
    progress.bad(20.0, ("output0",))
    with pytest.raises(EngineError):
        progress.bad(40.0, ("output0",))


def test_the_report_is_whole_and_readable_by_all(tmp_path):
    """The login user reads what the service's own user wrote, also with a strict umask."""
    import os

    before = os.umask(0o077)
    try:
        file = HealthFile(tmp_path / "state" / "health.json", "street", "r" * 16)
        file.write(file.health(fed(120, 15.0, time.monotonic() - 8), StreamStates(dropped={"": 3})))
    finally:
        os.umask(before)
    path = tmp_path / "state" / "health.json"
    health = from_wire(Health, json.loads(path.read_text()))
    assert (health.frames, health.detections, health.fps, health.dropped, health.p99_ms) == (120, 240, 15.0, 3, 20.0)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [item.name for item in path.parent.iterdir()] == ["health.json"]


def test_why_the_run_before_ended_is_kept_for_the_same_release(tmp_path):
    """A crash loop's reason would be overwritten at each start; another release's reason would be a lie."""
    failed = Progress()
    failed.last_error = "the self-test failed"
    file = HealthFile(tmp_path / "health.json", "street", "r" * 16)
    file.write(file.health(failed))
    assert HealthFile(tmp_path / "health.json", "street", "r" * 16).last_error() == "the self-test failed"
    assert HealthFile(tmp_path / "health.json", "street", "s" * 16).last_error() == ""
    assert HealthFile(tmp_path / "none.json", "street", "r" * 16).last_error() == ""


@pytest.mark.timed
def test_each_camera_s_figures_are_its_own_and_its_address_holds_no_password():
    """A camera that stands still would hide behind one that works, and health.json is for everyone to read."""
    streams = (StreamSettings("rtsp://me:secret@10.0.0.7/a", "yard"), StreamSettings("scenes://", "gate"))
    progress = Progress()
    for index in range(200):
        progress.good(progress.started_s + index / 20, 30.0, 1, "gate")
    states = StreamStates({"yard": Condition("stalled", time.monotonic() - 7, "no picture")}, {"gate": 4})
    health = HealthFile(Path("health.json"), "street", "r" * 16, streams).health(progress, states, ["hot"])
    yard, gate = health.streams
    assert (yard.condition, yard.detail, yard.frames, yard.fps) == ("stalled", "no picture", 0, 0.0)
    assert yard.condition_s == pytest.approx(7, abs=0.5) and yard.source == "rtsp://***@10.0.0.7/a"
    assert (gate.condition, gate.frames, gate.detections, gate.dropped) == ("ok", 200, 200, 4)
    assert (health.frames, health.dropped, health.warnings) == (200, 4, ("hot",))
    assert from_wire(Health, json.loads(json.dumps(to_wire(health)))) == health


def test_figures_of_a_camera_that_is_away_are_not_those_of_before():
    """Ten frames a second would be shown for ever of a camera that gives nothing."""
    streams = (StreamSettings("csi://0"),)
    progress = fed(150, 15.0, time.monotonic() - 10.5)
    away = StreamStates({"": Condition("stalled", time.monotonic() - 4, "no picture")})
    there = StreamStates({"": Condition("ok", time.monotonic())})
    file = HealthFile(Path("health.json"), "street", "r" * 16, streams)
    for figures in (file.health(progress, away), file.health(progress, away).streams[0]):
        assert (figures.fps, figures.frame_age_ms, figures.p99_ms, figures.frames) == (0.0, None, None, 150)
    assert file.health(progress, there).frame_age_ms == 20.0
