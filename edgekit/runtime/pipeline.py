"""The overlapped path of a frame: capture -> preprocess -> inference -> decode.

    capture thread --frames--> preprocess thread --tensors--> inference thread --outputs--> the caller, who decodes

Every arrow is a bounded hand-over. A live source hands over only its latest frame and counts the ones it replaced; a
file hands over all of them. Input tensors come from a small pool, so memory does not grow with the stream.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.letterbox import Fit
from edgekit.errors import UsageError
from edgekit.runtime.engines import Engine
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.handover import EndOfStream, Handover, LatestFrame, Lossless
from edgekit.runtime.stages import Stages

# One tensor is in the engine while the next is filled. More would not make anything faster, only frames older.
_TENSORS = 2

# The slowest live source delivers a frame a second, so its thread notices within that time that it is to end.
_JOIN_S = 5.0


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds of work on one frame in each stage, waiting excluded.

    In a batch, inference_ms is the whole call and decode_ms the frame's share of it.
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
    tensor: np.ndarray
    frames: List[Frame] = field(default_factory=list)
    fits: List[Fit] = field(default_factory=list)
    preprocess_ms: List[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Inferred:
    batch: _Batch
    outputs: Dict[str, np.ndarray]
    inference_ms: float


class Pipeline:
    """Iterate it for DetectedFrames in the order of the source; use it as a context manager.

    The pipeline alone reads `source` until it is closed, and leaves it open. engine.infer is called from one thread.
    An error of any stage is raised to the caller, after the frames before it.
    """

    def __init__(self, source: Source, stages: Stages, engine: Engine) -> None:
        batch = stages.input_size.batch
        if source.live and batch > 1:
            raise UsageError(
                f"batch {batch} cannot serve a live source",
                why="the first frame of a batch would grow old waiting for the last one",
                hint="use batch 1",
            )
        self._source, self._stages, self._engine = source, stages, engine
        self._frames: Handover[Frame] = LatestFrame() if source.live else Lossless(batch)
        self._batches: Lossless[_Batch] = Lossless(1)
        self._inferred: Lossless[_Inferred] = Lossless(1)
        self._tensors = self._make_tensors()
        self._threads = [
            self._thread("capture", self._capture),
            self._thread("preprocess", self._preprocess),
            self._thread("inference", self._infer),
        ]

    @property
    def dropped(self) -> int:
        """Frames of a live source that a newer one replaced before there was time for them."""
        return self._frames.dropped

    def __enter__(self) -> Pipeline:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[DetectedFrame]:
        """Detected frames until the source ends or `stop` is called; decodes in the caller's thread."""
        for inferred in self._inferred:
            yield from self._decode(inferred)

    def stop(self) -> None:
        """Take no more frames; those on their way still come out. A signal handler may call it."""
        self._source.stop()

    def close(self) -> None:
        """Let go of everything on its way and end the threads. Safe at any time, and more than once."""
        for handover in (self._frames, self._tensors, self._batches, self._inferred):
            handover.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_JOIN_S)

    def _make_tensors(self) -> Lossless[np.ndarray]:
        size = self._stages.input_size
        pool: Lossless[np.ndarray] = Lossless(_TENSORS)
        for _ in range(_TENSORS):
            pool.put(np.zeros((size.batch, 3, size.height, size.width), np.float32))
        return pool

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=work, name=f"edgekit-{name}", daemon=True)

    def _capture(self) -> None:
        _run(self._capture_all, (), self._frames)

    def _preprocess(self) -> None:
        _run(self._preprocess_all, (self._frames, self._tensors), self._batches)

    def _infer(self) -> None:
        _run(self._infer_all, (self._batches, self._tensors), self._inferred)

    def _capture_all(self) -> None:
        for frame in self._source:
            if not self._frames.put(frame):
                return

    def _preprocess_all(self) -> None:
        while True:
            # The tensor first: a live frame taken before there is room for it would grow old in our hands.
            batch = _Batch(self._tensors.get())
            self._fill(batch)
            if not self._batches.put(batch):
                return

    def _fill(self, batch: _Batch) -> None:
        for planes in batch.tensor:
            try:
                frame = self._frames.get()
            except BaseException:
                if batch.frames:
                    return  # a last, shorter batch; the next call learns again how the stream ended
                raise
            started_s = time.monotonic()
            batch.fits.append(self._stages.preprocess(frame.pixels, planes))
            batch.preprocess_ms.append((time.monotonic() - started_s) * 1e3)
            batch.frames.append(frame)

    def _infer_all(self) -> None:
        for batch in self._batches:
            rows = max(len(batch.frames), self._stages.smallest_batch)
            inputs = self._stages.name_inputs(batch.tensor[:rows])
            started_s = time.monotonic()
            outputs = self._engine.infer(inputs)
            inference_ms = (time.monotonic() - started_s) * 1e3
            kept = {name: np.array(output) for name, output in outputs.items()}
            self._tensors.put(batch.tensor)
            if not self._inferred.put(_Inferred(batch, kept, inference_ms)):
                return

    def _decode(self, inferred: _Inferred) -> Iterator[DetectedFrame]:
        batch = inferred.batch
        started_s = time.monotonic()
        found = self._stages.finish(inferred.outputs, batch.fits)
        finished_s = time.monotonic()
        decode_ms = (finished_s - started_s) * 1e3 / len(batch.frames)
        for frame, preprocess_ms, detections in zip(batch.frames, batch.preprocess_ms, found):
            times = StageTimes(frame.capture_ms, preprocess_ms, inferred.inference_ms, decode_ms)
            yield DetectedFrame(frame, detections, (finished_s - frame.captured_s) * 1e3, finished_s, times)


def _run(work: Callable[[], None], inputs: Tuple[Handover[Any], ...], output: Handover[Any]) -> None:
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
