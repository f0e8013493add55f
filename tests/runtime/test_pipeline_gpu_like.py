"""The pipeline over stages whose launch returns before the work is done, as a GPU's do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, List, Optional

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.tensors import InputSize
from edgekit.errors import EngineError
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.stages import Collected
from tests.fakes import Greys

REPEATS = range(10)


def never(count):
    """Raise nothing."""


@dataclass(eq=False)
class QueueSlot:
    """One batch. state: "free", "filled" or "launched"; the stages check that each step finds the right one."""

    state: str = "free"
    values: List[int] = field(default_factory=list)
    work: Optional[Future] = None


class QueueStages:
    """Stand-in for a GPU's stages: a queue worked off in order, gpu_s a batch. Written from runtime/stages.py alone.

    Every frame gives one object whose score tells the frame's brightness.
    """

    slots = 3
    launch_waits = False

    def __init__(
        self, batch=1, *, gpu_s=0.0, decode_s=0.0, on_launch=lambda count: None, on_collect=lambda count: None
    ):
        self.input_size = InputSize(batch, 64, 64)
        self.made: List[QueueSlot] = []
        self.rows: List[int] = []
        self.busy_s: List[Any] = []
        self.collected = 0
        self._gpu = ThreadPoolExecutor(1)
        self._gpu_s, self._decode_s = gpu_s, decode_s
        self._on_launch, self._on_collect = on_launch, on_collect

    def make_slot(self):
        self.made.append(QueueSlot())
        return self.made[-1]

    def preprocess(self, frame, slot, row):
        assert slot.state in ("free", "filled")
        assert slot.state == "filled" or row == 0
        slot.values = [*slot.values[:row], int(frame.pixels[0, 0, 0])]
        slot.state = "filled"
        return GEOMETRIES["letterbox"](64, 64, 64, 64)

    def launch(self, slot, rows):
        assert slot.state == "filled"
        self._on_launch(len(self.rows))
        slot.state = "launched"
        self.rows.append(rows)
        slot.work = self._gpu.submit(self._infer)

    def collect(self, slot, fits):
        assert slot.state == "launched"
        started_s = time.monotonic()
        slot.work.result()
        waited_ms = (time.monotonic() - started_s) * 1e3
        slot.state = "free"
        self.collected += 1
        self._on_collect(self.collected)
        time.sleep(self._decode_s)
        box, kind = np.array([[1, 2, 3, 4]], np.float32), np.zeros(1, np.int32)
        found = [Detections(box, np.array([value / 255], np.float32), kind) for value in slot.values[: len(fits)]]
        return Collected(found, self._gpu_s * 1e3, waited_ms)

    def replay(self, slot, times):
        for work in [self._gpu.submit(self._infer) for _ in range(times)]:
            work.result()

    def close(self):
        self._gpu.shutdown()
        assert all(slot.state != "launched" for slot in self.made), "a slot was closed while the GPU worked on it"

    def _infer(self):
        started_s = time.monotonic()
        time.sleep(self._gpu_s)
        self.busy_s.append((started_s, time.monotonic()))


def run(source, stages, most=None):
    frames = []
    try:
        with Pipeline(source, stages) as pipeline:
            for detected in pipeline:
                frames.append(detected)
                if len(frames) == most:
                    break
    finally:
        stages.close()
    return frames


def test_every_frame_comes_out_once_in_order_with_its_own_answer():
    """A slot given back too early would give a frame the answer of another."""
    frames = run(Greys(200), QueueStages())
    assert list(range(200)) == [detected.frame.index for detected in frames]
    assert list(range(200)) == [round(float(detected.detections.scores[0]) * 255) for detected in frames]


def test_the_gpu_never_waits_for_the_host_in_between():
    """Launching only once the last answer was decoded would leave it idle for that long."""
    stages = QueueStages(gpu_s=0.01, decode_s=0.005)
    run(Greys(60), stages)
    idle_s = [start - end for (_, end), (start, _) in zip(stages.busy_s[2:], stages.busy_s[3:])]
    assert float(np.median(idle_s)) < 0.002


def test_waiting_for_the_gpu_is_not_decoding():
    """The host would look slow where only the GPU is."""
    frames = run(Greys(30), QueueStages(gpu_s=0.02, decode_s=0.002))
    times = [detected.stages for detected in frames[5:]]
    assert 2 <= float(np.median([time.decode_ms for time in times])) < 8
    assert {20.0} == {time.inference_ms for time in times}


def test_live_answers_stay_young_although_launches_run_ahead():
    """A third batch under way would add a whole inference to every frame's age."""
    frames = run(Greys(80, live=True, fps=200.0), QueueStages(gpu_s=0.04))
    assert float(np.median([detected.age_ms for detected in frames[3:]])) < 2 * 40 + 5 + 15


def test_slots_are_made_once_however_long_the_stream():
    """Pinned memory for each batch would use up the board's."""
    stages = QueueStages(batch=4)
    run(Greys(301), stages)
    assert len(stages.made) == 3
    assert stages.rows == [4] * 75 + [1]


def test_slots_serve_one_pipeline_after_the_other_also_if_one_is_left_early():
    """A benchmark opens a pipeline each second; what the one before left behind would come out of the next."""
    stages = QueueStages(gpu_s=0.002)
    slots = [stages.make_slot() for _ in range(stages.slots)]
    for most in (1, 2, 3, 5, 50):
        with Pipeline(Greys(50), stages, slots) as pipeline:
            for count, detected in enumerate(pipeline):
                assert count == detected.frame.index == round(float(detected.detections.scores[0]) * 255)
                if count + 1 == most:
                    break
    stages.close()
    assert len(stages.made) == 3


@pytest.mark.parametrize("repeat", REPEATS)
def test_everything_launched_is_collected_before_the_stages_are_closed(repeat):
    """Memory would be freed while the GPU still writes to it. `close` of the stages checks each slot."""
    stages = QueueStages(gpu_s=0.003)
    assert len(run(Greys(None), stages, most=1 + repeat)) == 1 + repeat


def fail_at(wanted):
    def fail(count):
        if count == wanted:
            raise EngineError("the GPU fell off the bus")

    return fail


@pytest.mark.parametrize("repeat", REPEATS)
@pytest.mark.parametrize("step", ["on_launch", "on_collect"])
def test_an_error_in_launch_or_collect_arrives_and_nothing_hangs(step, repeat):
    """A failing GPU would leave threads behind, or a slot that nobody waits for."""
    stages = QueueStages(gpu_s=0.001, **{step: fail_at(repeat + 1)})
    with pytest.raises(EngineError, match="fell off"):
        run(Greys(None), stages)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgekit-")]


@pytest.mark.parametrize("repeat", REPEATS)
def test_closing_from_another_thread_ends_the_work(repeat):
    """A watchdog that closes a pipeline would wait for ever, or two threads would collect one slot."""
    stages = QueueStages(gpu_s=0.002)
    pipeline = Pipeline(Greys(None), stages)
    with pipeline:
        closer = threading.Timer(0.005 + 0.003 * repeat, pipeline.close)
        closer.start()
        for _ in pipeline:
            pass
        closer.join(5)
        assert not closer.is_alive()
    stages.close()
