"""Rates and ages of the latest frames."""

from __future__ import annotations

import pytest

from edgekit.runtime.recent_frames import RecentFrames


def fed(count: int, fps: float, age_ms: float = 20.0) -> RecentFrames:
    frames = RecentFrames()
    for index in range(count):
        frames.add(index / fps, age_ms, 2)
    return frames


@pytest.mark.parametrize("fps", [0.1, 1.0, 15.0, 240.0])
def test_the_rate_is_that_of_the_last_frames(fps):
    """A camera of one picture in ten seconds has a rate too."""
    frames = fed(50, fps)
    assert frames.fps == pytest.approx(fps)
    assert frames.fps_at(49 / fps + 1 / fps) == pytest.approx(fps)


def test_no_rate_comes_from_one_frame():
    """Lost: a division by nothing."""
    assert fed(1, 15.0).fps == 0.0 == RecentFrames().fps == RecentFrames().fps_at(5.0)


def test_a_rate_falls_to_nothing_once_frames_are_long_overdue():
    """A camera that died would be shown at 15 FPS for ever."""
    assert fed(100, 15.0).fps_at(99 / 15 + 4.9) == pytest.approx(15.0)
    assert fed(100, 15.0).fps_at(99 / 15 + 5.1) == 0.0
    assert fed(10, 0.1).fps_at(90 + 19) > 0 == fed(10, 0.1).fps_at(90 + 21)


def test_a_p99_needs_a_hundred_frames_and_then_always_has_them():
    """At 15 FPS five seconds hold 75: a limit on p99 could never be checked."""
    assert fed(99, 15.0).p99_ms is None
    slow = fed(1000, 15.0)
    for index in range(5):
        slow.add(1000 / 15 + index / 15, 400.0, 2)
    assert slow.p99_ms == pytest.approx(400.0)
    assert len(slow._latest) == 100


def test_memory_is_bounded_at_any_rate():
    """Lost: a board that ran out of memory after a week."""
    assert len(fed(20_000, 1000.0)._latest) <= 5001
