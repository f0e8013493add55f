"""Counting what comes out of a running pipeline: from when it runs at its own pace, for so many seconds."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Callable, Deque, Iterator, List, Optional, Tuple
from typing import Counter as CounterOf

from edgekit.runtime.bench.samples import FrameTimes, Progress
from edgekit.runtime.bench.watch import Watch
from edgekit.runtime.pipeline import DetectedFrame, Pipeline, StageTimes

# Batches at the start that were under way before the pipeline ran at its own pace.
SETTLING_BATCHES = 4
_FEWEST_BATCHES = 2
_LATEST = 120


@dataclass(eq=False)
class Flow:
    """The frames that were counted, of one pipeline or of several one after the other."""

    progress: Progress
    times: FrameTimes = field(default_factory=FrameTimes)
    frames: CounterOf[str] = field(default_factory=Counter)  # by stream
    dropped: CounterOf[str] = field(default_factory=Counter)  # by stream
    bad: int = 0  # of them, those whose answers were no numbers
    latest: Deque[Tuple[float, StageTimes]] = field(default_factory=lambda: deque(maxlen=_LATEST))

    def add(self, batch: List[DetectedFrame], took_s: float) -> None:
        """Count the frames of a batch, which came out so much later than the batch before."""
        self.progress.add(took_s, len(batch))
        for detected in batch:
            self.times.note(detected)
            self.frames[detected.frame.stream] += 1
            self.bad += bool(detected.bad_outputs)
            self.latest.append((detected.finished_s, detected.stages))

    @property
    def disturbances(self) -> Tuple[str, ...]:
        """Why these figures are not to be compared, if that is so."""
        if not self.bad:
            return ()
        return (f"the engine's answer was NaN or infinite for {self.bad} of {self.times.frames} frames",)


def count(
    pipeline: Pipeline,
    seconds: float,
    flow: Flow,
    watch: Watch,
    settle: int,
    on_begin: Callable[[], None] = lambda: None,
) -> Iterator[List[DetectedFrame]]:
    """Count the frames of so many seconds, at least two batches; yields each batch once it is counted.

    The first `settle` frames are left out, those before every stream gave one, and all that came with the last of them;
    on_begin is called then. Ends early if the source does. Batches that a live source fills by what is ready differ in
    size, but their frames come out at one moment.
    """
    frames = iter(pipeline)
    if _settled(pipeline, frames, settle // 2) is None:
        return
    watch.begin()  # a look at a sensor takes milliseconds on a slow bus, which the rest of `settle` makes up for
    began_s = _settled(pipeline, frames, settle - settle // 2)
    if began_s is None:
        return
    flow.dropped.subtract(pipeline.dropped_by_stream)
    on_begin()
    ended_s, batches = began_s, 0
    try:
        for batch in _batches(frames, began_s):
            flow.add(batch, batch[0].finished_s - ended_s)
            ended_s, batches = batch[0].finished_s, batches + 1
            yield batch
            if ended_s - began_s >= seconds and batches >= _FEWEST_BATCHES:
                return
    finally:
        watch.end(began_s, ended_s)
        flow.dropped.update(pipeline.dropped_by_stream)
        flow.times.flush()


def _settled(pipeline: Pipeline, frames: Iterator[DetectedFrame], settle: int) -> Optional[float]:
    """When there had been so many frames, and one of every stream that gives any; None if they end before."""
    awaited = set(pipeline.dropped_by_stream)
    for number, detected in enumerate(frames, 1):
        awaited.discard(detected.frame.stream)
        if number >= settle and awaited <= set(pipeline.ended):
            return detected.finished_s
    return None


def _batches(frames: Iterator[DetectedFrame], after_s: float) -> Iterator[List[DetectedFrame]]:
    """Frames that came out later than that, together as they came."""
    batch: List[DetectedFrame] = []
    for detected in frames:
        if batch and detected.finished_s != batch[0].finished_s:
            yield batch
            batch = []
        if detected.finished_s > after_s:
            batch.append(detected)
    if batch:
        yield batch
