"""The pipeline's work where a CPU does it all: preprocessing and inference in threads, collecting in the caller's.

    --frames--> preprocess thread --slots--> launch thread --slots--> the caller, who collects

The heavy parts of each run outside Python's lock, so the slowest of them alone sets the pace.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Iterator, Optional, Protocol, Sequence

from edgekit.runtime.frames import Frame
from edgekit.runtime.handover import EndOfStream, Handover
from edgekit.runtime.lanes import Lanes
from edgekit.runtime.pipeline_batch import Batch, DetectedFrame, InFlight
from edgekit.runtime.stages import Stages


class StageThreads:
    """Iterate it, once started, for what comes out. live: no frame waits for another to share its batch."""

    def __init__(self, frames: Lanes[Frame], stages: Stages, slots: Sequence[Any], live: bool) -> None:
        self._frames, self._stages, self._live = frames, stages, live
        self._slots: Handover[Any] = Handover(len(slots))
        for slot in slots:
            self._slots.put(slot)
        self._filled: Handover[Batch] = Handover(1)
        self._launched: Handover[Batch] = Handover(1)
        self._in_flight = InFlight(stages)
        self._threads = [new_thread("preprocess", self._preprocess), new_thread("launch", self._launch)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Iterator[DetectedFrame]:
        for batch in self._launched:
            found = self._in_flight.collect(batch)
            self._slots.put(batch.slot)
            yield from found

    def close(self) -> None:
        """End the threads and wait for what the engine works on. The lanes of frames are closed before."""
        for handover in (self._slots, self._filled, self._launched):
            handover.close()
        for thread in self._threads:
            join(thread)
        self._in_flight.abandon()

    def _preprocess(self) -> None:
        run_stage(self._preprocess_all, (self._frames, self._slots), self._filled)

    def _launch(self) -> None:
        run_stage(self._launch_all, (self._filled,), self._launched)

    def _preprocess_all(self) -> None:
        while True:
            # The slot first: a live frame taken before there is room for it would grow old in our hands.
            batch = Batch(self._slots.get())
            self._fill(batch)
            if not self._filled.put(batch):
                return

    def _fill(self, batch: Batch) -> None:
        batch.add(self._frames.get(), self._stages)
        while len(batch.frames) < self._stages.input_size.batch:
            try:
                # Of live streams what is ready now: none waits for a slower one.
                frame = self._frames.take_ready() if self._live else self._frames.get()
            except BaseException:
                return  # a last, shorter batch; the next call learns again how the streams ended
            if frame is None:
                return
            batch.add(frame, self._stages)

    def _launch_all(self) -> None:
        for batch in self._filled:
            self._in_flight.launch(batch)
            if not self._launched.put(batch):
                return


class _Closing(Protocol):
    def close(self) -> None: ...


class _Finishing(Protocol):
    def finish(self, error: Optional[BaseException] = None) -> None: ...


def run_stage(work: Callable[[], None], inputs: Sequence[_Closing], output: _Finishing) -> None:
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


def new_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """A thread to be started, which does not keep the process alive."""
    return threading.Thread(target=work, name=f"edgekit-{name}", daemon=True)


def join(thread: threading.Thread, timeout_s: Optional[float] = None) -> None:
    """Wait for a thread's end; at once for one that never started."""
    if thread.ident is not None:
        thread.join(timeout_s)
