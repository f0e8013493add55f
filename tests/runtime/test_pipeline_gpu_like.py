"""The pipeline over stages whose launch returns before the work is done, as a GPU's do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, List, Optional, Set

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.tensors import InputSize
from edgekit.errors import EngineError, SourceError
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.stages import Collected
from edgekit.runtime.stream_group import StreamGroup
from tests.fakes import Greys

REPEATS = range(10)


def never(count):
    """Raise nothing."""


def edgekit_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("edgekit-")]


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

    def __init__(self, batch=1, *, gpu_s=0.0, decode_s=0.0, on_preprocess=never, on_launch=never, on_collect=never):
        self.input_size = InputSize(batch, 64, 64)
        self.made: List[QueueSlot] = []
        self.rows: List[int] = []
        self.busy_s: List[Any] = []
        self.collected = 0
        self._gpu = ThreadPoolExecutor(1)
        self._gpu_s, self._decode_s = gpu_s, decode_s
        self._on_preprocess, self._on_launch, self._on_collect = on_preprocess, on_launch, on_collect
        self.preprocessed = 0
        self.threads: Set[int] = set()

    def make_slot(self):
        self.made.append(QueueSlot())
        return self.made[-1]

    def preprocess(self, frame, slot, row):
        assert slot.state in ("free", "filled")
        assert slot.state == "filled" or row == 0
        self.threads.add(threading.get_ident())
        self._on_preprocess(self.preprocessed)
        self.preprocessed += 1
        slot.values = [*slot.values[:row], int(frame.pixels[0, 0, 0])]
        slot.state = "filled"
        return GEOMETRIES["letterbox"](64, 64, 64, 64)

    def launch(self, slot, rows):
        assert slot.state == "filled"
        self.threads.add(threading.get_ident())
        self._on_launch(len(self.rows))
        slot.state = "launched"
        self.rows.append(rows)
        slot.work = self._gpu.submit(self._infer)

    def collect(self, slot, fits):
        assert slot.state == "launched"
        self.threads.add(threading.get_ident())
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


class ReadyGreys(Greys):
    """Frames that are there at once, as those of pictures in memory."""

    ready = True


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


@pytest.mark.parametrize("kind", [Greys, ReadyGreys])
def test_every_frame_comes_out_once_in_order_with_its_own_answer(kind):
    """A slot given back too early would give a frame the answer of another."""
    frames = run(kind(200), QueueStages())
    assert list(range(200)) == [detected.frame.index for detected in frames]
    assert list(range(200)) == [round(float(detected.detections.scores[0]) * 255) for detected in frames]


def test_the_gpu_never_waits_for_the_host_in_between():
    """Launching only once the last answer was decoded would leave it idle for that long."""
    stages = QueueStages(gpu_s=0.01, decode_s=0.005)
    run(Greys(60), stages)
    idle_s = [start - end for (_, end), (start, _) in zip(stages.busy_s[2:], stages.busy_s[3:])]
    assert float(np.median(idle_s)) < 0.002


def test_the_gpu_has_work_while_the_caller_is_busy():
    """Drawing or encoding a frame would leave it idle for that long, were the free slot filled only afterwards."""
    stages = QueueStages(gpu_s=0.004)
    under_way = []
    with Pipeline(Greys(40), stages) as pipeline:
        for _ in pipeline:
            under_way.append(len(stages.rows) - stages.collected)
            time.sleep(0.002)
    stages.close()
    assert float(np.mean(np.array(under_way[5:-3]) == 3)) > 0.8  # the machine may be busy now and then


@pytest.mark.parametrize("kind", [Greys, ReadyGreys])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_fast_file_keeps_all_slots_under_way(batch, kind):
    """Frames that wait for their thread's turn would leave the GPU with one batch at a time."""
    stages = QueueStages(batch, gpu_s=0.004)
    under_way = []
    with Pipeline(kind(40 * batch), stages) as pipeline:
        for _ in pipeline:
            under_way.append(len(stages.rows) - stages.collected)
    stages.close()
    assert float(np.mean(np.array(under_way[5 * batch : -3 * batch]) == 3)) > 0.8


def test_one_thread_does_all_the_work():
    """Threads overlap nothing here, and a pipeline that had them was an eighth slower than one loop on a fast GPU."""
    stages = QueueStages(gpu_s=0.001)
    run(Greys(20), stages)
    assert stages.threads == {threading.get_ident()}


@pytest.mark.parametrize("batch, live", [(1, False), (2, False), (1, True)])
def test_a_frame_that_is_not_ready_delays_none_that_is_under_way(batch, live):
    """Answers would come an interval of the camera, or a picture's decoding, too late."""
    source = Greys(7, live=True, fps=10.0) if live else Greys(7, delay_s=0.1)
    frames = run(source, QueueStages(batch, gpu_s=0.01))
    ages_ms = [detected.age_ms for detected in frames[batch - 1 :: batch]]
    assert float(np.median(ages_ms)) < 60


class Bursts(Greys):
    """Three frames at once, then none for 150 ms."""

    def _read(self):
        time.sleep(0.15 * (self._index % 3 == 0))
        return super()._read()


@pytest.mark.timed
def test_the_last_frame_of_a_burst_does_not_wait_for_the_next_burst():
    """With several batches under way, only the oldest would come out in time."""
    frames = run(Bursts(9), QueueStages(gpu_s=0.02))
    # Each of them would be later, but for the very last: the end brings it out.
    assert min(detected.age_ms for detected in frames[2:-1:3]) < 110


@pytest.mark.parametrize("count", [1, 4, 6, 7])
def test_a_slow_file_still_fills_its_batches(count):
    """Half empty batches would cost the GPU as much as full ones."""
    stages = QueueStages(4)
    assert list(range(count)) == [detected.frame.index for detected in run(Greys(count, delay_s=0.005), stages)]
    assert stages.rows == [4] * (count // 4) + [count % 4] * (count % 4 > 0)


@pytest.mark.timed
def test_cameras_share_batches_without_waiting_for_each_other():
    """A frame of the fast one would grow old until the slow one delivers."""
    stages = QueueStages(4, gpu_s=0.002)
    group = StreamGroup([Greys(30, live=True, fps=50.0), Greys(4, live=True, fps=10.0)], ["fast", "slow"])
    frames = run(group, stages)
    assert float(np.median([detected.age_ms for detected in frames])) < 20
    slow = [detected.frame.index for detected in frames if detected.frame.stream == "slow"]
    assert slow == [0, 1, 2, 3]
    assert all(round(float(detected.detections.scores[0]) * 255) == detected.frame.index for detected in frames)


def test_files_share_batches_and_lose_nothing():
    """Two videos at once would lose the end of one."""
    stages = QueueStages(4, gpu_s=0.001)
    frames = run(StreamGroup([Greys(21), Greys(10, delay_s=0.002)], ["a", "b"]), stages)
    for stream, count in (("a", 21), ("b", 10)):
        assert list(range(count)) == [each.frame.index for each in frames if each.frame.stream == stream]
    assert stages.rows == [4] * 7 + [3]


@pytest.mark.timed
def test_waiting_for_the_gpu_is_not_decoding():
    """The host would look slow where only the GPU is."""
    frames = run(Greys(30), QueueStages(gpu_s=0.02, decode_s=0.002))
    times = [detected.stages for detected in frames[5:]]
    assert 2 <= float(np.median([time.decode_ms for time in times])) < 8
    assert {20.0} == {time.inference_ms for time in times}


@pytest.mark.timed
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
    assert edgekit_threads() == []


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


@pytest.mark.timed
@pytest.mark.parametrize("repeat", REPEATS)
def test_closing_while_the_caller_waits_for_a_frame_ends_the_wait(repeat):
    """A watchdog could not end a pipeline whose camera hangs."""
    stages = QueueStages()
    pipeline = Pipeline(Greys(None, delay_s=0.8), stages)
    with pipeline:
        closer = threading.Timer(0.02 * repeat, pipeline.close)
        closer.start()
        started_s = time.monotonic()
        assert list(pipeline) == []
        assert time.monotonic() - started_s < 0.02 * repeat + 0.6
        closer.join(5)
        assert not closer.is_alive()
    stages.close()


def test_frames_that_are_ready_need_no_thread():
    """A thread that hands over what is there anyway fights the caller for the lock of Python and takes a third away."""
    stages = QueueStages()
    with Pipeline(ReadyGreys(None), stages) as pipeline:
        next(iter(pipeline))
        assert edgekit_threads() == []
    stages.close()


@pytest.mark.parametrize("batch", [1, 4])
def test_streams_that_are_ready_take_turns_until_the_last_has_ended(batch):
    """The first stream would starve the others, or its end would end them."""
    group = StreamGroup([ReadyGreys(3), ReadyGreys(6)], ["short", "long"])
    order = [(detected.frame.stream, detected.frame.index) for detected in run(group, QueueStages(batch))]
    paired = [(name, index) for index in range(3) for name in ("short", "long")]
    assert order == [*paired, ("long", 3), ("long", 4), ("long", 5)]


def test_iterating_after_close_starts_nothing_more():
    """A batch half filled before would be launched on stages that are gone."""
    stages = QueueStages(4, gpu_s=0.02)
    with Pipeline(Greys(None, delay_s=0.01), stages) as pipeline:
        frames = iter(pipeline)
        next(frames)
        pipeline.close()
        stages.close()
        preprocessed, launched = stages.preprocessed, len(stages.rows)
        assert preprocessed > 4 * launched
        assert len(list(frames)) == 3  # of the batch that was done
    assert (stages.preprocessed, len(stages.rows)) == (preprocessed, launched)


@pytest.mark.parametrize("live", [False, True])
def test_stop_lets_frames_on_their_way_come_out(live):
    """A signal would tear a video's last frames."""
    stages = QueueStages(gpu_s=0.003)
    seen = []
    with Pipeline(Greys(None, live=live, fps=200.0 if live else None), stages) as pipeline:
        for detected in pipeline:
            seen.append(detected.frame.index)
            if len(seen) == 10:
                pipeline.stop()
    stages.close()
    assert 10 <= len(seen) <= 20
    assert stages.collected == len(stages.rows) == len(seen)
    if not live:
        assert list(range(len(seen))) == seen


@pytest.mark.parametrize("kind", [Greys, ReadyGreys])
@pytest.mark.parametrize("batch", [1, 4])
def test_an_error_of_the_source_arrives_after_the_frames_before_it(batch, kind):
    """People would see a hang or a bare end instead of the reason."""
    stages, seen = QueueStages(batch, gpu_s=0.005), []
    with Pipeline(kind(20, fail_at=5), stages) as pipeline, pytest.raises(SourceError, match="cable"):
        for detected in pipeline:
            seen.append(detected.frame.index)
    stages.close()
    assert seen == [0, 1, 2, 3, 4]
    assert edgekit_threads() == []


@pytest.mark.parametrize("step", ["on_preprocess", "on_launch"])
def test_an_error_in_starting_a_batch_arrives_after_the_frames_before_it(step):
    """Finished answers would be thrown away because a later frame is broken."""
    stages, seen = QueueStages(gpu_s=0.005, **{step: fail_at(6)}), []
    with Pipeline(Greys(None), stages) as pipeline:
        for _ in range(2):  # asked again, it still says why it ended
            with pytest.raises(EngineError, match="fell off"):
                for detected in pipeline:
                    seen.append(detected.frame.index)
    stages.close()
    assert seen == [0, 1, 2, 3, 4, 5]


def test_control_c_passes_at_once_and_nothing_stays_under_way():
    """It would wait for frames nobody wants, or memory would be freed while the GPU writes to it."""

    def interrupt(count):
        if count == 5:
            raise KeyboardInterrupt

    stages, seen = QueueStages(gpu_s=0.02, on_preprocess=interrupt), []
    with pytest.raises(KeyboardInterrupt):
        with Pipeline(Greys(None), stages) as pipeline:
            for detected in pipeline:
                seen.append(detected.frame.index)
    stages.close()
    assert len(seen) < 5
    assert stages.collected == len(stages.rows) == 5


def test_iterating_may_go_on_after_a_pause():
    """`next` for one frame and a loop for the rest would lose those under way."""
    stages = QueueStages(gpu_s=0.001)
    with Pipeline(Greys(12), stages) as pipeline:
        first = next(iter(pipeline)).frame.index
        rest = [detected.frame.index for detected in pipeline]
    stages.close()
    assert [first, *rest] == list(range(12))


def test_starting_and_ending_many_pipelines_never_hangs():
    """A race at the end of a stream shows once in hundreds."""
    stages = QueueStages(2)
    slots = [stages.make_slot() for _ in range(stages.slots)]
    for count in range(150):
        with Pipeline(Greys(count % 7), stages, slots) as pipeline:
            assert count % 7 == sum(1 for _ in pipeline)
    stages.close()
    assert edgekit_threads() == []
