"""The verb `detect`: one or several sources through the pipeline into sinks."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Counter as CounterOf
from typing import Deque, Optional, Sequence, Tuple

import cv2

from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest, StreamCounts
from edgekit.core.stats import summarise_latency, summarise_rate
from edgekit.errors import EdgekitError
from edgekit.runtime.engines import load_engine
from edgekit.runtime.frames import Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sinks import Sinks, open_sinks
from edgekit.runtime.stages import batch_for
from edgekit.runtime.stream_group import open_sources

_log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0

# Figures of an endless source are those of its last frames; counts are of all.
_SAMPLES_KEPT = 100_000


@dataclass
class _Tally:
    """What went through so far."""

    labels: Sequence[str]
    frames: CounterOf[str] = field(default_factory=Counter)  # by stream
    detections: CounterOf[str] = field(default_factory=Counter)  # by stream
    per_class: CounterOf[int] = field(default_factory=Counter)
    finished_s: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))
    ages_ms: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))

    def add(self, detected: DetectedFrame) -> None:
        self.frames[detected.frame.stream] += 1
        self.detections[detected.frame.stream] += len(detected.detections)
        self.per_class.update(detected.detections.class_ids.tolist())
        self.finished_s.append(detected.finished_s)
        self.ages_ms.append(detected.age_ms)

    def per_label(self) -> Tuple[Tuple[str, int], ...]:
        """(label, count), most frequent first."""
        return tuple((self._label(class_id), count) for class_id, count in self.per_class.most_common())

    def _label(self, class_id: int) -> str:
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else str(class_id)


def run_detect(request: DetectRequest, profile: DeviceProfile, on_progress: OnProgress) -> DetectAnswer:
    """Detect until the sources end, `max_frames` came in all, or Ctrl-C; sinks keep what was written until then.

    on_progress("detecting", frames, total) once a second; total is 0 for an endless source. Of several live sources one
    may fail while the others go on, which the log and the answer say.
    Raises SourceError, UsageError, EngineError or DeviceError; incomplete files are removed then.
    """
    limit_cv_threads()
    with open_sources(request.sources) as source:
        sinks = open_sinks(request.sinks, request.detector.labels, source)
        tally = _Tally(request.detector.labels)
        with sinks:
            engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
            batch = request.batch or batch_for(len(source.streams), engine.manifest.profile)
            with ExitStack() as stack:
                stack.callback(engine.close)
                stages = stack.enter_context(closing(stages_for(request.detector, engine, batch)))
                pipeline = stack.enter_context(Pipeline(source, stages))
                _drain(pipeline, sinks, tally, request.max_frames, _total(source, request.max_frames), on_progress)
        return DetectAnswer(
            frames=sum(tally.frames.values()),
            dropped=pipeline.dropped,
            detections=sum(tally.detections.values()),
            per_label=tally.per_label(),
            rate=summarise_rate(list(tally.finished_s)),
            frame_age=summarise_latency(list(tally.ages_ms)),
            written=sinks.written,
            skipped=(*source.notes, *map(_describe_failure, pipeline.failures)),
            streams=_counts(request.sources, source, pipeline, tally),
            batch=batch,
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
    reported_s, failed = time.monotonic(), 0
    for done, detected in enumerate(pipeline, 1):
        sinks.write(detected)
        tally.add(detected)
        if time.monotonic() - reported_s >= _PROGRESS_EVERY_S:
            reported_s = time.monotonic()
            on_progress("detecting", done, total)
            failed = _log_failures(pipeline, failed)
        if done == max_frames:
            return


def _log_failures(pipeline: Pipeline, known: int) -> int:
    """Say which streams failed beyond the `known` ones; how many failed in all."""
    failures = pipeline.failures
    for failure in failures[known:]:
        _log.warning("%s", _describe_failure(failure))
    return len(failures)


def _describe_failure(failure: Tuple[str, BaseException]) -> str:
    stream, reason = _reason(failure)
    return f"{stream} ended early: {reason}"


def _counts(uris: Sequence[str], source: Source, pipeline: Pipeline, tally: _Tally) -> Tuple[StreamCounts, ...]:
    if len(source.streams) < 2:
        return ()
    dropped, failures = pipeline.dropped_by_stream, dict(map(_reason, pipeline.failures))
    return tuple(
        StreamCounts(name, uri, tally.frames[name], dropped[name], tally.detections[name], failures.get(name, ""))
        for uri, name in zip(uris, (stream.name for stream in source.streams))
    )


def _reason(failure: Tuple[str, BaseException]) -> Tuple[str, str]:
    stream, error = failure
    return stream, error.what if isinstance(error, EdgekitError) else str(error)


def _total(source: Source, max_frames: Optional[int]) -> int:
    known = [count for count in (source.frame_count, max_frames) if count is not None]
    return min(known, default=0)
