"""Frames on their way through the pipeline together, and what comes out for each: shared by both forms of the work."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.events import Event
from edgekit.core.letterbox import Fit
from edgekit.runtime.frames import Frame
from edgekit.runtime.stages import Collected, Stages


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
    """A frame and what was found in it, boxes in frame pixels. age_ms runs from captured to decoded.

    bad_outputs: outputs of the engine that held NaN or infinity; nothing was found then, and that says nothing.
    track_ids: (N,) int64, the number of each detection's object, 0 for one of no object yet; None where objects are not
    followed. events: what objects did with this frame. Both are filled in behind the pipeline, by runtime.watching.
    """

    frame: Frame
    detections: Detections
    age_ms: float
    finished_s: float  # on the clock of time.monotonic
    stages: StageTimes
    bad_outputs: Tuple[str, ...] = ()
    track_ids: Optional[np.ndarray] = None
    events: Tuple[Event, ...] = ()


@dataclass(eq=False)
class Batch:
    """The frames in one slot, row by row."""

    slot: Any
    frames: List[Frame] = field(default_factory=list)
    fits: List[Fit] = field(default_factory=list)
    preprocess_ms: List[float] = field(default_factory=list)

    def add(self, frame: Frame, stages: Stages) -> None:
        """Preprocess a frame into the next row. Raises what the stages raise."""
        started_s = time.monotonic()
        self.fits.append(stages.preprocess(frame, self.slot, len(self.frames)))
        self.preprocess_ms.append((time.monotonic() - started_s) * 1e3)
        self.frames.append(frame)


class InFlight:
    """The batches that were launched and not collected, oldest first. Each is collected once, by whoever comes first.

    One thread launches, and any may collect meanwhile.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._batches: List[Batch] = []
        self._collecting = threading.Lock()

    @property
    def oldest(self) -> Optional[Batch]:
        """The batch that is to be collected next; None if there is none."""
        batches = self._batches[:1]  # in one step: another thread may take it
        return batches[0] if batches else None

    def launch(self, batch: Batch) -> None:
        """Start inference on what the batch holds. Raises what the stages raise; it is not in flight then."""
        self._stages.launch(batch.slot, len(batch.frames))
        self._batches.append(batch)

    def collect(self, batch: Batch) -> List[DetectedFrame]:
        """Wait for a batch and give its frames, in order; none if it was abandoned, in another thread."""
        started_s = time.monotonic()
        with self._collecting:
            if batch not in self._batches:
                return []
            self._batches.remove(batch)
            collected = self._stages.collect(batch.slot, batch.fits)
        return list(_detected(batch, collected, started_s, time.monotonic()))

    def abandon(self) -> None:
        """Wait for all that is in flight. Its answers are of no use any more, and neither are its errors."""
        while True:
            batch = self.oldest
            if batch is None:
                break
            with suppress(Exception):
                self.collect(batch)
        with self._collecting:
            pass  # the last one may have been taken by another thread, which still collects it


def _detected(batch: Batch, collected: Collected, started_s: float, finished_s: float) -> Iterator[DetectedFrame]:
    worked_ms = max(0.0, (finished_s - started_s) * 1e3 - collected.waited_ms)
    decode_ms = worked_ms / len(batch.frames)
    for frame, preprocess_ms, detections in zip(batch.frames, batch.preprocess_ms, collected.detections):
        times = StageTimes(frame.capture_ms, preprocess_ms, collected.inference_ms, decode_ms)
        age_ms = (finished_s - frame.captured_s) * 1e3
        yield DetectedFrame(frame, detections, age_ms, finished_s, times, collected.bad_outputs)
