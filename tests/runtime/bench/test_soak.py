"""The scenario "soak": parts, and what changes from one to the next."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgekit.core.machine_samples import MachineSamples
from edgekit.runtime.bench.soak import _Parts
from tests.fakes import FakeEngine

MEMORY = "memory://?width=128&height=96&frames=3"


@pytest.mark.timed
def test_parts_follow_one_another_and_make_up_the_whole(benching):
    """A part that is missing is where something happened."""
    told = []
    measured = benching(
        FakeEngine(delay_s=0.004), "soak", lambda *event: told.append(event), source=MEMORY, duration_s=2.4, parts=4
    ).measurement
    parts = measured.soak.parts
    assert [round(part.started_s, 1) for part in parts] == [0.0, 0.6, 1.2, 1.8]
    assert sum(part.fps for part in parts) / 4 == pytest.approx(measured.pipeline_rate.fps, rel=0.05)
    assert all(part.p99_ms > 4 for part in parts if part.p99_ms is not None)
    assert all(10 < part.memory_mib < 4000 for part in parts[1:])
    assert (measured.soak.fps_trend_pct, measured.soak.memory_trend_mib) == (None, None)  # too short to tell
    soaking = [event for event in told if event[0].startswith("soaking")]
    assert soaking[-1][1:] == (2, 2)
    assert " FPS so far" in soaking[-1][0]


def soaked(fps_of_part, memory_mib=lambda moment_s: 100, part_s=600.0):
    """Parts of ten minutes, a batch a second of as many frames as that part's rate."""
    parts = _Parts(part_s)
    elapsed_s = 0.0
    for fps in fps_of_part:
        for _ in range(int(part_s)):
            elapsed_s += 1.0
            frames = [SimpleNamespace(age_ms=1000 / fps, finished_s=5000.0 + elapsed_s)] * fps
            parts.add(frames, elapsed_s)
    return parts.soak(Told(memory_mib))


class Told(MachineSamples):
    """A machine whose process holds what a function of time says."""

    def __init__(self, memory_mib):
        super().__init__()
        object.__setattr__(self, "told_mib", memory_mib)

    def memory_at(self, t_s):
        return self.told_mib(t_s)


def test_a_rate_that_sinks_has_a_trend_an_hour():
    """25 frames a second that become 20 within an hour are no 25: -20 % of 22.5."""
    soak = soaked([25, 24, 23, 22, 21, 20])
    slope, low, high = soak.fps_trend_pct
    assert slope == pytest.approx(-100 * 6 / 22.5, rel=0.001)
    assert (low, high) == pytest.approx((slope, slope), abs=0.01)
    assert [part.fps for part in soak.parts] == [25.0, 24.0, 23.0, 22.0, 21.0, 20.0]
    assert soak.parts[0].p99_ms == pytest.approx(40.0, rel=1e-3)


def test_a_leak_is_told_in_megabytes_an_hour():
    """A process that grows by 6 MiB an hour is killed within weeks."""
    soak = soaked([25] * 6, memory_mib=lambda moment_s: int(100 + (moment_s - 5000) / 600))
    slope, low, high = soak.memory_trend_mib
    assert low - 1e-6 <= 6.0 <= high + 1e-6
    assert slope == pytest.approx(6.0, abs=0.01)


def test_a_steady_soak_has_a_trend_that_holds_zero():
    """A false leak sends people looking for it."""
    soak = soaked([25] * 6)
    assert soak.fps_trend_pct == (0.0, 0.0, 0.0)
    assert soak.memory_trend_mib == (0.0, 0.0, 0.0)


def test_memory_that_is_not_known_has_no_trend():
    """None is not measured, and not zero."""
    soak = soaked([25] * 6, memory_mib=lambda moment_s: None)
    assert soak.memory_trend_mib is None
    assert soak.parts[0].memory_mib is None


def test_a_batch_that_takes_longer_than_a_part_makes_fewer_parts():
    """A part without a frame has no rate."""
    parts = _Parts(1.0)
    for number in range(1, 4):
        parts.add([SimpleNamespace(age_ms=2500.0, finished_s=2.5 * number)], 2.5 * number)
    soak = parts.soak(MachineSamples())
    assert [(part.started_s, part.fps) for part in soak.parts] == [(0.0, 0.4), (2.5, 0.4), (5.0, 0.4)]
