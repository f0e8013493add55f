"""The scenario "pipeline": what it counts, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.errors import EngineError
from edgekit.runtime.host_stages import HostStages
from edgekit.runtime.usage import CpuMeter, memory_peak_mib
from tests.fakes import FakeEngine, Greys, detector_spec

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = "memory://?width=128&height=96&frames=3"


@pytest.fixture(name="bench")
def _bench(benching):
    """The scenario "pipeline" for a moment, with an engine that is a stand-in."""

    def run(engine, **options):
        return benching(engine, "pipeline", **{"source": SOURCE, "duration_s": 0.3, **options})

    return run


@pytest.mark.timed
def test_an_engine_that_sets_the_pace_gives_its_own_rate(bench):
    """Every figure of the kit rests on this count. 5 ms a call are just under 200 frames a second."""
    answer = bench(FakeEngine(delay_s=0.005))
    measured = answer.measurement
    assert 100 < measured.engine_rate.fps < 200
    assert measured.pipeline_rate.fps == pytest.approx(measured.engine_rate.fps, rel=0.25)
    assert measured.frames > 20
    assert measured.dropped == 0
    # What was found in the frames that were measured, and in no others.
    assert measured.frames <= measured.detections <= measured.frames + 2


@pytest.mark.timed
def test_stages_are_told_apart(bench):
    """The wrong stage would be made faster."""
    stages = bench(FakeEngine(delay_s=0.005)).measurement.stages
    assert {"capture", "preprocess", "inference", "decode", "host", "end_to_end"} == set(stages)
    assert 5 <= stages["inference"].p50_ms < 10
    assert stages["host"].mean_ms == pytest.approx(
        sum(stages[name].mean_ms for name in ("capture", "preprocess", "decode")), abs=0.01
    )
    assert stages["end_to_end"].p50_ms > stages["inference"].p50_ms


@pytest.mark.timed
def test_a_slow_start_is_not_counted(bench):
    """The first calls of an engine take many times as long: the rate would depend on the duration."""

    def slow_start(number):
        if number < 3:
            time.sleep(0.25)

    answer = bench(FakeEngine(delay_s=0.004, on_call=slow_start))
    assert answer.measurement.engine_rate.fps > 100
    assert answer.measurement.stages["inference"].max_ms < 200


@pytest.mark.timed
def test_a_batch_counts_its_frames(bench):
    """A batch of 4 would show a quarter of its rate, or four times."""
    answer = bench(FakeEngine(detector_spec(max_batch=4), delay_s=0.01), batch=4)
    assert answer.conditions.batch == 4
    assert 200 < answer.measurement.engine_rate.fps < 400
    assert answer.measurement.pipeline_rate.fps == pytest.approx(answer.measurement.engine_rate.fps, rel=0.25)


def test_conditions_say_what_the_figures_depend_on(bench):
    """Runs would be compared that do not compare."""
    conditions = bench(FakeEngine(delay_s=0.002), threads=2).conditions
    assert (
        conditions.source, conditions.frame_width, conditions.frame_height, conditions.input_height,
        conditions.input_width, conditions.batch, conditions.warmup_frames, conditions.duration_s, conditions.threads,
    ) == (SOURCE, 128, 96, 64, 64, 1, 3, 0.3, 2)  # fmt: skip


def test_a_short_file_is_read_again_and_again(bench, tmp_path):
    """A video of a second could not be measured for ten."""
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((96, 128, 3), number, np.uint8))
    answer = bench(FakeEngine(delay_s=0.002), source=str(tmp_path))
    assert answer.measurement.frames > 20


def test_progress_covers_the_measured_time(bench):
    """A run of minutes would look dead."""
    events = []
    bench(FakeEngine(delay_s=0.002), on_progress=lambda *event: events.append(event), duration_s=1.1)
    measuring = [event for event in events if event[0] == "measuring"]
    assert [measuring[0], events[-1]] == [("measuring", 0, 2), ("measuring", 2, 2)]
    assert 3 <= len(measuring) <= 5


@pytest.mark.timed
def test_a_live_source_counts_its_dropped_frames(bench, monkeypatch):
    """A camera that is too fast for the engine would look fully served."""
    monkeypatch.setattr("edgekit.runtime.bench.pipeline.open_source", lambda uri: Greys(None, live=True, fps=100.0))
    measured = bench(FakeEngine(delay_s=0.03), duration_s=0.6).measurement
    assert measured.pipeline_rate.fps == pytest.approx(32, rel=0.25)
    assert measured.dropped > 20


def test_memory_and_processor_are_measured(bench):
    """A board's limits are these two."""
    measured = bench(FakeEngine(delay_s=0.002)).measurement
    assert 10 < measured.memory_peak_mib < 4000
    assert 0 < measured.cpu_utilisation_pct <= 100


def test_the_memory_peak_is_seen_also_after_it_passed():
    """The moment that kills a process is not the one at which it is looked at."""
    code = (
        "from edgekit.runtime.usage import memory_peak_mib\n"
        "before = memory_peak_mib(); block = bytearray(80 << 20); del block; print(memory_peak_mib() - before)"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True).stdout
    assert 70 <= int(printed) <= 90
    assert memory_peak_mib() > 0


def test_the_cpu_meter_counts_only_between_start_and_stop():
    """Rendering pictures before a run would count as its load."""
    meter = CpuMeter()
    assert meter.utilisation_pct is None
    meter.start()
    sum(range(3_000_000))
    meter.stop()
    assert 5 < meter.utilisation_pct <= 110


class Recorded(HostStages):
    """The host's stages, with a record of what was asked of them."""

    def __init__(self, engine):
        size = engine.manifest.profile.optimum
        super().__init__(engine.detector, engine, size)
        self.replays, self.made, self.closed_before_engine = [], 0, None
        self._its_engine = engine
        engine.stages = lambda detector, batch: self

    def make_slot(self):
        self.made += 1
        return super().make_slot()

    def replay(self, slot, times):
        started_s = time.monotonic()
        super().replay(slot, times)
        self.replays.append((times, time.monotonic() - started_s))

    def close(self):
        self.closed_before_engine = not self._its_engine.closed


@pytest.mark.timed
def test_a_fast_engine_is_timed_over_many_calls(bench):
    """Half a millisecond on a GPU would be timed with the clock's and the wake-up's share in it."""
    engine = FakeEngine(delay_s=0.0005)
    stages = Recorded(engine)
    measured = bench(engine, duration_s=0.5).measurement
    calls, _ = Counter(times for times, _ in stages.replays if times > 1).most_common(1)[0]
    assert calls >= 8
    assert float(np.median([took_s for times, took_s in stages.replays if times == calls])) >= 0.004
    assert 500 < measured.engine_rate.fps < 2000


def test_slots_are_shared_by_all_slices_and_given_back_before_the_engine(bench):
    """Pinned memory would grow with the duration, or be freed under a running engine."""
    engine = FakeEngine(delay_s=0.002)
    stages = Recorded(engine)
    bench(engine, duration_s=1.2)
    assert stages.made == stages.slots
    assert stages.closed_before_engine is True
    assert engine.closed


def test_a_failing_measurement_gives_everything_back(bench):
    """A GPU's memory would stay taken until the process ends."""

    def fail(number):
        if number == 20:
            raise EngineError("out of memory")

    engine = FakeEngine(delay_s=0.002, on_call=fail)
    stages = Recorded(engine)
    with pytest.raises(EngineError, match="out of memory"):
        bench(engine)
    assert stages.closed_before_engine is True
    assert engine.closed
