"""What a service reports of itself, and when it gives up on its engine."""

from __future__ import annotations

import json

import pytest

from edgekit.core.service import Health
from edgekit.core.wire import from_wire
from edgekit.errors import EngineError
from edgekit.runtime.health_report import HealthFile, Progress


def fed(count: int, fps: float, age_ms: float = 20.0) -> Progress:
    progress = Progress()
    for index in range(count):
        progress.good(index / fps, age_ms, 2)
    return progress


@pytest.mark.parametrize("fps", [0.1, 1.0, 15.0, 240.0])
def test_the_rate_is_that_of_the_last_frames(fps):
    """A camera of one picture in ten seconds has a rate too."""
    assert fed(50, fps).fps == pytest.approx(fps)


def test_no_rate_comes_from_one_frame():
    """Lost: a division by nothing."""
    assert fed(1, 15.0).fps == 0.0 == Progress().fps


def test_a_p99_needs_a_hundred_frames_and_then_always_has_them():
    """At 15 FPS five seconds hold 75: a limit on p99 could never be checked."""
    assert fed(99, 15.0).p99_ms is None
    slow = fed(1000, 15.0)
    for index in range(5):
        slow.good(1000 / 15 + index / 15, 400.0, 2)
    assert slow.p99_ms == pytest.approx(400.0)
    assert len(slow._latest) == 100


def test_memory_is_bounded_at_any_rate():
    """Lost: a board that ran out of memory after a week."""
    assert len(fed(20_000, 1000.0)._latest) <= 5001


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
        HealthFile(tmp_path / "state" / "health.json", "street", "r" * 16).write(fed(120, 15.0), dropped=3)
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
    HealthFile(tmp_path / "health.json", "street", "r" * 16).write(failed)
    assert HealthFile(tmp_path / "health.json", "street", "r" * 16).last_error() == "the self-test failed"
    assert HealthFile(tmp_path / "health.json", "street", "s" * 16).last_error() == ""
    assert HealthFile(tmp_path / "none.json", "street", "r" * 16).last_error() == ""
