"""The verb `detect`: a source through the pipeline into sinks."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Counter as CounterOf
from typing import Deque, Optional, Sequence, Tuple

import cv2

from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest
from edgekit.core.stats import summarise_latency, summarise_rate
from edgekit.runtime.engines import load_engine
from edgekit.runtime.frames import Source
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sinks import Sinks, open_sinks
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import stages_for

_PROGRESS_EVERY_S = 1.0

# Figures of an endless source are those of its last frames; counts are of all.
_SAMPLES_KEPT = 100_000


@dataclass
class _Tally:
    """What went through so far."""

    labels: Sequence[str]
    frames: int = 0
    detections: int = 0
    per_class: CounterOf[int] = field(default_factory=Counter)
    finished_s: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))
    ages_ms: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))

    def add(self, detected: DetectedFrame) -> None:
        self.frames += 1
        self.detections += len(detected.detections)
        self.per_class.update(detected.detections.class_ids.tolist())
        self.finished_s.append(detected.finished_s)
        self.ages_ms.append(detected.age_ms)

    def per_label(self) -> Tuple[Tuple[str, int], ...]:
        """(label, count), most frequent first."""
        return tuple((self._label(class_id), count) for class_id, count in self.per_class.most_common())

    def _label(self, class_id: int) -> str:
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else str(class_id)


def run_detect(request: DetectRequest, profile: DeviceProfile, on_progress: OnProgress) -> DetectAnswer:
    """Detect until the source ends, `max_frames` came, or Ctrl-C; sinks keep what was written until then.

    on_progress("detecting", frames, total) once a second; total is 0 for an endless source.
    Raises SourceError, UsageError, EngineError or DeviceError; incomplete files are removed then.
    """
    limit_cv_threads()
    with open_source(request.source) as source:
        sinks = open_sinks(request.sinks, request.detector.labels, source)
        tally = _Tally(request.detector.labels)
        with sinks:
            engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
            try:
                with Pipeline(source, stages_for(request.detector, engine.manifest), engine) as pipeline:
                    _drain(pipeline, sinks, tally, request.max_frames, _total(source, request.max_frames), on_progress)
            finally:
                engine.close()
        return DetectAnswer(
            frames=tally.frames,
            dropped=pipeline.dropped,
            detections=tally.detections,
            per_label=tally.per_label(),
            rate=summarise_rate(list(tally.finished_s)),
            frame_age=summarise_latency(list(tally.ages_ms)),
            written=sinks.written,
            skipped=source.notes,
        )


def limit_cv_threads() -> None:
    """One thread for OpenCV in this process: its pool would take the cores from the engine for a resize of 0.3 ms."""
    cv2.setNumThreads(1)


def _drain(
    pipeline: Pipeline,
    sinks: Sinks,
    tally: _Tally,
    max_frames: Optional[int],
    total: int,
    on_progress: OnProgress,
) -> None:
    if max_frames == 0:
        return
    reported_s = time.monotonic()
    for detected in pipeline:
        sinks.write(detected)
        tally.add(detected)
        if time.monotonic() - reported_s >= _PROGRESS_EVERY_S:
            reported_s = time.monotonic()
            on_progress("detecting", tally.frames, total)
        if tally.frames == max_frames:
            return


def _total(source: Source, max_frames: Optional[int]) -> int:
    known = [count for count in (source.frame_count, max_frames) if count is not None]
    return min(known, default=0)
