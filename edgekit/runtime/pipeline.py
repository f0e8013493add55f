"""The overlapped path of a frame: capture -> preprocess -> launch -> collect.

On a CPU, where launching does the work, and for live sources (pipeline_threads):

    capture threads --frames--> preprocess thread --slots--> launch thread --slots--> the caller, who collects

On a GPU, where launching only enqueues it, and frames of a file or of memory are ready (pipeline_inline):

    capture threads --frames--> the caller: preprocess and launch a batch, collect the oldest, and so on

There is one capture thread for each stream of the source, and none for pictures in memory, which the caller of the
second form takes itself. Every arrow is a bounded hand-over. A live stream hands over
only its latest frame and counts the ones it replaced; a file hands over all of them. Slots come from a small pool and
go back to it once their outputs are decoded, so memory does not grow with the stream.
"""

from __future__ import annotations

import threading
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from edgekit.errors import UsageError
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.lanes import Lane, Lanes
from edgekit.runtime.pace import Pace
from edgekit.runtime.pipeline_batch import DetectedFrame, StageTimes
from edgekit.runtime.pipeline_inline import InlineLoop
from edgekit.runtime.pipeline_threads import StageThreads, join, new_thread, run_stage
from edgekit.runtime.ready_frames import ReadyFrames
from edgekit.runtime.stages import Stages

__all__ = ["DetectedFrame", "Pipeline", "StageTimes"]

# For live sources: one slot is in the engine while the next is filled. A third would only make frames older.
_LIVE_SLOTS = 2

# The slowest live source delivers a frame a second, so its thread notices within that time that it is to end.
_JOIN_S = 5.0


class Pipeline:
    """Iterate it for DetectedFrames, in order within each stream; use it as a context manager.

    The pipeline alone reads `source` until it is closed, and leaves it and `stages` open. slots: memory of
    stages.make_slot to use instead of new one, so that pipelines one after the other share it. pace: which frames of
    live streams come in at all; the others count as dropped. An error of any stage is raised to the caller, after the
    frames before it.
    """

    def __init__(
        self, source: Source, stages: Stages, slots: Optional[Sequence[Any]] = None, pace: Optional[Pace] = None
    ) -> None:
        batch, streams = stages.input_size.batch, source.streams
        if source.live and batch > 1 and len(streams) == 1:
            raise UsageError(
                f"batch {batch} cannot serve a live source",
                why="the first frame of a batch would grow old waiting for the last one",
                hint="use batch 1",
            )
        self._source = source
        pool = _slots(stages, source.live, slots)
        self._capturers: List[threading.Thread] = []
        self._frames: Union[Lanes[Frame], ReadyFrames]
        self._work: Union[StageThreads, InlineLoop]
        if source.ready and not (stages.launch_waits or source.live):
            self._frames = ReadyFrames(streams)
            self._work = InlineLoop(self._frames, stages, pool)
            return
        lanes: Lanes[Frame] = Lanes()
        self._frames = lanes
        capacity = _frames_ahead(stages)
        self._capturers = [_capturer(stream, lanes, capacity, pace) for stream in streams]
        if stages.launch_waits or source.live:
            self._work = StageThreads(lanes, stages, pool, source.live)
        else:
            self._work = InlineLoop(lanes, stages, pool)

    @property
    def dropped(self) -> int:
        """Frames of live streams that a newer one replaced before there was time for them or its pace left out."""
        return sum(self._frames.dropped.values())

    @property
    def dropped_by_stream(self) -> Dict[str, int]:
        """`dropped` of each stream; a single source is the stream ""."""
        return self._frames.dropped

    @property
    def failures(self) -> Tuple[Tuple[str, BaseException], ...]:
        """(stream, error) of the streams that failed so far, also of those without which the others go on."""
        return self._frames.failures

    @property
    def ended(self) -> Tuple[str, ...]:
        """The streams that give no more, with an error or without."""
        return self._frames.ended

    def __enter__(self) -> Pipeline:
        for thread in self._capturers:
            thread.start()
        self._work.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[DetectedFrame]:
        """Detected frames until every stream ends or `stop` is called; collects in the caller's thread."""
        return iter(self._work)

    def stop(self) -> None:
        """Take no more frames; those on their way still come out. A signal handler may call it."""
        self._source.stop()

    def close(self) -> None:
        """Let go of everything on its way and end the threads. Safe at any time, and more than once.

        Waits for what the engine works on, so that stages and engine can be closed afterwards.
        """
        self._frames.close()
        self._work.close()
        for capturer in self._capturers:
            join(capturer, _JOIN_S)


def _slots(stages: Stages, live: bool, given: Optional[Sequence[Any]]) -> List[Any]:
    count = min(_LIVE_SLOTS, stages.slots) if live else stages.slots
    return [stages.make_slot() for _ in range(count)] if given is None else list(given[:count])


def _frames_ahead(stages: Stages) -> int:
    """How many frames of a file may wait, beside the one that its capture thread holds."""
    batch = stages.input_size.batch
    # A caller who does all the work takes frames only between two waits for the GPU. With a few more than a batch ready
    # then, it gains on the GPU until all slots are in flight.
    return batch if stages.launch_waits else batch + stages.slots - 1


def _capturer(stream: Source, lanes: Lanes[Frame], capacity: int, pace: Optional[Pace]) -> threading.Thread:
    lane = lanes.add(stream.name, latest=stream.live, capacity=capacity)
    mine = pace if stream.live else None
    return new_thread("capture", lambda: run_stage(lambda: _capture(stream, lane, mine), (), lane))


def _capture(stream: Source, lane: Lane[Frame], pace: Optional[Pace]) -> None:
    for frame in stream:
        admitted = pace is None or pace.admits(lane.name, frame.captured_s, lane.dropped)
        if not (lane.put(frame) if admitted else lane.pass_over()):
            return
