"""What is kept of counted frames: little, and enough."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.errors import UsageError
from edgekit.runtime.bench.samples import _FLUSH_AT, FrameTimes, Progress
from edgekit.runtime.frames import Frame
from edgekit.runtime.pipeline import DetectedFrame, StageTimes


def detected(number):
    frame = Frame(np.zeros((2, 2, 3), np.uint8), number, 0.0, "grey")
    times = StageTimes(1.0, 2.0, 10.0 + number % 10, 3.0)
    return DetectedFrame(frame, Detections.empty(), 20.0, float(number), times)


def test_a_run_of_a_day_keeps_few_moments_and_the_rate_of_all():
    """A soak that fills the memory with its own figures finds a leak that is its own."""
    progress = Progress(for_s=86_400.0)
    for _ in range(300_000):
        progress.add(0.288, 4)
    assert (progress.frames, progress.measured_s) == (1_200_000, pytest.approx(86_400.0))
    assert len(progress._times_s) <= 20_001
    assert progress.rate().fps == pytest.approx(4 / 0.288, rel=1e-3)
    assert progress.window_fps() == pytest.approx([4 / 0.288] * 16, rel=1e-3)


def test_too_few_moments_have_no_rate():
    """One batch says how long one batch took."""
    progress = Progress(for_s=1.0)
    progress.add(0.5, 1)
    with pytest.raises(UsageError, match="only 1 frames were measured"):
        progress.rate()


def test_stages_are_summed_up_however_many_frames_there_are():
    """Percentiles of the last frames alone would leave out how a run began."""
    times = FrameTimes()
    for number in range(_FLUSH_AT + 1808):
        times.note(detected(number))
    stages = times.summaries()
    assert times.frames == stages["inference"].samples == 10_000
    assert stages["inference"].mean_ms == pytest.approx(14.5)
    assert stages["host"].mean_ms == 6.0
    assert stages["end_to_end"].p99_ms == 20.0
    assert "age" not in stages
    assert times.summaries(live=True)["age"] == stages["end_to_end"]


def test_nothing_counted_has_no_stages():
    """Zeros would be figures."""
    assert FrameTimes().summaries(live=True) == {}
