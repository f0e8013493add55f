"""The overlapped path of a frame: capture -> preprocess -> launch -> collect.

    capture threads --frames--> preprocess thread --slots--> launch thread --slots--> the caller, who collects

There is one capture thread for each stream of the source. Where launching only enqueues work for a GPU, the preprocess
thread launches too: a thread that mostly waits for its turn costs more than it saves. Every arrow is a bounded
hand-over. A live stream hands over only its latest frame and counts the ones it replaced; a file hands over all of
them. Slots come from a small pool and go back to it once their outputs are decoded, so memory does not grow with the
stream.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol, Sequence, Tuple

from edgekit.core.detections import Detections
from edgekit.core.letterbox import Fit
from edgekit.errors import UsageError
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.handover import EndOfStream, Handover
from edgekit.runtime.lanes import Lane, Lanes
from edgekit.runtime.stages import Collected, Stages

# For live sources: one slot is in the engine while the next is filled. A third would only make frames older.
_LIVE_SLOTS = 2

# The slowest live source delivers a frame a second, so its thread notices within that time that it is to end.
_JOIN_S = 5.0


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds of work on one frame in each stage, waiting excluded.

    preprocess_ms is the host's time, which a GPU may go on after. In a batch, inference_ms is the engine's time for all
    of it and decode_ms the frame's share of collecting it, without the time in which the host waited for the engine.
    """

    capture_ms: float
    preprocess_ms: float
    inference_ms: float
    decode_ms: float

    @property
    def host_ms(self) -> float:
        """All but inference."""
        return self.capture_ms + self.preprocess_ms + self.decode_ms


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """A frame and what was found in it, boxes in frame pixels. age_ms runs from captured to decoded."""

    frame: Frame
    detections: Detections
    age_ms: float
    finished_s: float  # on the clock of time.monotonic
    stages: StageTimes


@dataclass(eq=False)
class _Batch:
    slot: Any
    frames: List[Frame] = field(default_factory=list)
    fits: List[Fit] = field(default_factory=list)
    preprocess_ms: List[float] = field(default_factory=list)


class Pipeline:
    """Iterate it for DetectedFrames, in order within each stream; use it as a context manager.

    The pipeline alone reads `source` until it is closed, and leaves it and `stages` open. slots: memory of
    stages.make_slot to use instead of new one, so that pipelines one after the other share it. An error of any stage is
    raised to the caller, after the frames before it.
    """

    def __init__(self, source: Source, stages: Stages, slots: Optional[Sequence[Any]] = None) -> None:
        batch, streams = stages.input_size.batch, source.streams
        if source.live and batch > 1 and len(streams) == 1:
            raise UsageError(
                f"batch {batch} cannot serve a live source",
                why="the first frame of a batch would grow old waiting for the last one",
                hint="use batch 1",
            )
        self._source, self._stages = source, stages
        self._frames: Lanes[Frame] = Lanes()
        self._slots = self._pool(slots)
        self._filled: Handover[_Batch] = Handover(1)
        self._launched: Handover[_Batch] = Handover(1)
        self._uncollected: List[_Batch] = []
        self._collecting = threading.Lock()
        self._capturers = [self._capturer(stream, batch) for stream in streams]
        work = (self._preprocess, self._launch) if stages.launch_waits else (self._feed,)
        self._workers = [_thread(each.__name__.strip("_"), each) for each in work]

    @property
    def dropped(self) -> int:
        """Frames of live streams that a newer one replaced before there was time for them."""
        return sum(self._frames.dropped.values())

    @property
    def dropped_by_stream(self) -> Dict[str, int]:
        """`dropped` of each stream; a single source is the stream ""."""
        return self._frames.dropped

    @property
    def failures(self) -> Tuple[Tuple[str, BaseException], ...]:
        """(stream, error) of the streams that failed so far, also of those without which the others go on."""
        return self._frames.failures

    def __enter__(self) -> Pipeline:
        for thread in (*self._capturers, *self._workers):
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[DetectedFrame]:
        """Detected frames until every stream ends or `stop` is called; collects in the caller's thread."""
        for batch in self._launched:
            yield from self._finish(batch)

    def stop(self) -> None:
        """Take no more frames; those on their way still come out. A signal handler may call it."""
        self._source.stop()

    def close(self) -> None:
        """Let go of everything on its way and end the threads. Safe at any time, and more than once.

        Waits for what the engine works on, so that stages and engine can be closed afterwards.
        """
        for handover in (self._frames, self._slots, self._filled, self._launched):
            handover.close()
        for capturer in self._capturers:
            _join(capturer, _JOIN_S)
        for worker in self._workers:
            _join(worker)
        while self._uncollected:
            # Its answer is of no use any more, and neither is its error.
            with suppress(Exception):
                self._collect(self._uncollected[0])

    def _pool(self, given: Optional[Sequence[Any]]) -> Handover[Any]:
        count = min(_LIVE_SLOTS, self._stages.slots) if self._source.live else self._stages.slots
        slots = [self._stages.make_slot() for _ in range(count)] if given is None else given[:count]
        pool: Handover[Any] = Handover(len(slots))
        for slot in slots:
            pool.put(slot)
        return pool

    def _capturer(self, stream: Source, batch: int) -> threading.Thread:
        lane = self._frames.add(stream.name, latest=stream.live, capacity=batch)
        return _thread("capture", lambda: _run(lambda: _capture(stream, lane), (), lane))

    def _preprocess(self) -> None:
        _run(lambda: self._preprocess_all(self._filled.put), (self._frames, self._slots), self._filled)

    def _launch(self) -> None:
        _run(self._launch_all, (self._filled,), self._launched)

    def _feed(self) -> None:
        _run(lambda: self._preprocess_all(self._launch_batch), (self._frames, self._slots), self._launched)

    def _preprocess_all(self, hand_on: Callable[[_Batch], bool]) -> None:
        while True:
            # The slot first: a live frame taken before there is room for it would grow old in our hands.
            batch = _Batch(self._slots.get())
            self._fill(batch)
            if not hand_on(batch):
                return

    def _fill(self, batch: _Batch) -> None:
        self._add(batch, self._frames.get())
        while len(batch.frames) < self._stages.input_size.batch:
            try:
                # Of live streams what is ready now: none waits for a slower one.
                frame = self._frames.take_ready() if self._source.live else self._frames.get()
            except BaseException:
                return  # a last, shorter batch; the next call learns again how the streams ended
            if frame is None:
                return
            self._add(batch, frame)

    def _add(self, batch: _Batch, frame: Frame) -> None:
        started_s = time.monotonic()
        batch.fits.append(self._stages.preprocess(frame, batch.slot, len(batch.frames)))
        batch.preprocess_ms.append((time.monotonic() - started_s) * 1e3)
        batch.frames.append(frame)

    def _launch_all(self) -> None:
        for batch in self._filled:
            if not self._launch_batch(batch):
                return

    def _launch_batch(self, batch: _Batch) -> bool:
        """False if nobody will collect it any more."""
        self._stages.launch(batch.slot, len(batch.frames))
        self._uncollected.append(batch)
        return self._launched.put(batch)

    def _collect(self, batch: _Batch) -> Optional[Collected]:
        """None if `close` was quicker, in another thread."""
        with self._collecting:
            if batch not in self._uncollected:
                return None
            self._uncollected.remove(batch)
            return self._stages.collect(batch.slot, batch.fits)

    def _finish(self, batch: _Batch) -> Iterator[DetectedFrame]:
        started_s = time.monotonic()
        collected = self._collect(batch)
        finished_s = time.monotonic()
        self._slots.put(batch.slot)
        if collected is None:
            return
        worked_ms = max(0.0, (finished_s - started_s) * 1e3 - collected.waited_ms)
        decode_ms = worked_ms / len(batch.frames)
        for frame, preprocess_ms, detections in zip(batch.frames, batch.preprocess_ms, collected.detections):
            times = StageTimes(frame.capture_ms, preprocess_ms, collected.inference_ms, decode_ms)
            yield DetectedFrame(frame, detections, (finished_s - frame.captured_s) * 1e3, finished_s, times)


class _Closing(Protocol):
    def close(self) -> None: ...


class _Finishing(Protocol):
    def finish(self, error: Optional[BaseException] = None) -> None: ...


def _capture(stream: Source, lane: Lane[Frame]) -> None:
    for frame in stream:
        if not lane.put(frame):
            return


def _run(work: Callable[[], None], inputs: Sequence[_Closing], output: _Finishing) -> None:
    """A thread's life: whatever ends it, the stages before it stop and the one after it learns why."""
    failure: Optional[BaseException] = None
    try:
        work()
    except EndOfStream:
        pass
    except BaseException as error:
        failure = error
    output.finish(failure)
    for handover in inputs:
        handover.close()


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    return threading.Thread(target=work, name=f"edgekit-{name}", daemon=True)


def _join(thread: threading.Thread, timeout_s: Optional[float] = None) -> None:
    if thread.ident is not None:
        thread.join(timeout_s)
