"""The pipeline's work where a GPU does it and frames wait: preprocess, launch and collect in turns, by the caller.

    --frames--> preprocess -> launch --.
                                        the GPU
    caller <-- collect the oldest <----'

The stages only enqueue work and wait for it, so threads would overlap nothing but pass Python's lock back and forth:
docs/adr/0007-stages-hand-over-slots.md has the measurement.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Deque, Iterator, Optional, Sequence, Union

from edgekit.runtime.frames import Frame
from edgekit.runtime.handover import EndOfStream
from edgekit.runtime.lanes import Lanes
from edgekit.runtime.pipeline_batch import Batch, DetectedFrame, InFlight
from edgekit.runtime.ready_frames import ReadyFrames
from edgekit.runtime.stages import Stages


class InlineLoop:
    """Iterate it for what comes out. It waits for a frame only while nothing is in flight."""

    def __init__(self, frames: Union[Lanes[Frame], ReadyFrames], stages: Stages, slots: Sequence[Any]) -> None:
        self._frames, self._stages = frames, stages
        self._free: Deque[Any] = deque(slots)
        self._filling: Optional[Batch] = None
        self._in_flight = InFlight(stages)
        self._end: Optional[Exception] = None  # why no more frames are taken
        self._working = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Nothing: the work is done while iterating."""

    def __iter__(self) -> Iterator[DetectedFrame]:
        while True:
            self._feed(wait=self._in_flight.oldest is None)
            batch = self._in_flight.oldest
            if batch is not None:
                found = self._in_flight.collect(batch)
                self._free.append(batch.slot)
                # First the next batch: the GPU works on it while the caller draws or writes.
                self._feed(wait=False)
                yield from found
            elif isinstance(self._end, EndOfStream):
                return
            elif self._end is not None:
                raise self._end

    def close(self) -> None:
        """Start nothing more and wait for what the GPU works on. The lanes of frames are closed before."""
        with self._working:
            self._closed = True
        self._in_flight.abandon()

    def _feed(self, wait: bool) -> None:
        """Launch what is ready; with `wait`, first wait for a frame. An error is kept until the frames before it came.

        A signal's exception, such as KeyboardInterrupt, is not: it passes at once.
        """
        try:
            frame = self._next(wait)
            while frame is not None:
                self._add(frame)
                frame = self._next(wait=False)
        except Exception as error:
            self._end = error

    def _next(self, wait: bool) -> Optional[Frame]:
        """A frame, once there is room for it. None if there is none now."""
        if self._end is not None or not (self._free or self._filling):
            return None
        if not wait:
            return self._frames.take_ready()
        try:
            return self._frames.get()
        except Exception:
            self._launch()  # a last, shorter batch
            raise

    def _add(self, frame: Frame) -> None:
        batch = self._filling = self._filling or Batch(self._free.popleft())
        with self._working:
            self._check_open()
            batch.add(frame, self._stages)
        if len(batch.frames) == self._stages.input_size.batch:
            self._launch()

    def _launch(self) -> None:
        batch, self._filling = self._filling, None
        if batch is None:
            return
        with self._working:
            self._check_open()
            self._in_flight.launch(batch)

    def _check_open(self) -> None:
        if self._closed:
            raise EndOfStream
