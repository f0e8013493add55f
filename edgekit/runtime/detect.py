"""The verb `detect`: one or several sources through the pipeline into sinks."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

import cv2

from edgekit.core.camera_uri import hide_credentials, hide_in_text
from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest
from edgekit.core.service import StreamSettings
from edgekit.core.stats import summarise_latency, summarise_rate
from edgekit.errors import EdgekitError, EngineError
from edgekit.runtime.engines import load_engine
from edgekit.runtime.frames import Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sinks import Sinks, open_sinks
from edgekit.runtime.stages import batch_for
from edgekit.runtime.stream_group import open_sources, open_streams
from edgekit.runtime.tally import Tally
from edgekit.runtime.watching import Watching

_log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0


def run_detect(request: DetectRequest, profile: DeviceProfile, on_progress: OnProgress) -> DetectAnswer:
    """Detect until the sources end, `max_frames` came in all, or Ctrl-C; sinks keep what was written until then.

    on_progress("detecting", frames, total) once a second; total is 0 for an endless source. Of several live sources one
    may fail while the others go on, which the log and the answer say.
    Raises SourceError, UsageError, ConfigError, EngineError or DeviceError; incomplete files are removed then.
    """
    limit_cv_threads()
    with _open(request) as source:
        labels = request.detector.labels
        watching = Watching(request.events, labels, [stream.name for stream in source.streams])
        watching.begin(source)
        run = _Run(source, watching, open_sinks(request.sinks, labels, source), Tally(labels))
        with run.sinks:
            engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
            batch = request.batch or batch_for(len(source.streams), engine.manifest, live=source.live)
            with ExitStack() as stack:
                stack.callback(engine.close)
                stages = stack.enter_context(closing(stages_for(request.detector, engine, batch)))
                pipeline = stack.enter_context(Pipeline(source, stages))
                run.drain(pipeline, request.max_frames, on_progress)
        return run.answer(request, pipeline, batch)


def limit_cv_threads() -> None:
    """One thread for OpenCV in this process: its pool would take the cores from the engine for a resize of 0.3 ms."""
    cv2.setNumThreads(1)


@dataclass(frozen=True, eq=False)
class _Run:
    """Where frames come from and where they go."""

    source: Source
    watching: Watching
    sinks: Sinks
    tally: Tally

    def drain(self, pipeline: Pipeline, max_frames: Optional[int], on_progress: OnProgress) -> None:
        """Take frames until they end, or until there were max_frames."""
        total = _total(self.source, max_frames)
        reported_s, told = time.monotonic(), 0
        for done, detected in enumerate(_first(pipeline, max_frames), 1):
            self._take(detected)
            if time.monotonic() - reported_s >= _PROGRESS_EVERY_S:
                reported_s = time.monotonic()
                on_progress("detecting", done, total)
                told = _log_failures(pipeline, told)
        if self.tally.bad and not self.tally.finished_s:
            raise EngineError(
                "the engine's answers are NaN or infinite",
                why=f"all {self.tally.bad} frames",
                hint="edgekit build --force",
            )

    def answer(self, request: DetectRequest, pipeline: Pipeline, batch: int) -> DetectAnswer:
        """What came of it, once the sinks are complete."""
        tally, streams = self.tally, self.source.streams
        failures = pipeline.failures
        shown = [hide_credentials(uri) for uri in request.sources]
        names = [stream.name for stream in streams]
        counts = tally.streams(names, shown, pipeline.dropped_by_stream, dict(map(_reason, failures)))
        return DetectAnswer(
            frames=sum(tally.frames.values()),
            dropped=pipeline.dropped,
            detections=sum(tally.detections.values()),
            per_label=tally.per_label(),
            rate=summarise_rate(list(tally.finished_s)),
            frame_age=summarise_latency(list(tally.ages_ms)),
            written=self.sinks.written,
            skipped=(*self.source.notes, *map(_describe_failure, failures), *_bad_frames(tally)),
            streams=counts if len(streams) > 1 else (),
            batch=batch,
            bad_frames=tally.bad,
            objects=self.watching.objects,
            events=tally.events(),
        )

    def _take(self, detected: DetectedFrame) -> None:
        if detected.bad_outputs:
            self.tally.bad += 1
            return
        watched = self.watching.follow(detected)
        self.sinks.write(watched)
        self.tally.add(watched)


def _open(request: DetectRequest) -> Source:
    if not request.names:
        return open_sources(request.sources)
    return open_streams([StreamSettings(uri, name) for uri, name in zip(request.sources, request.names)])


def _first(pipeline: Pipeline, count: Optional[int]) -> Iterator[DetectedFrame]:
    """The pipeline's first frames; none is asked for beyond the last of them."""
    if count == 0:
        return
    for done, detected in enumerate(pipeline, 1):
        yield detected
        if done == count:
            return


def _bad_frames(tally: Tally) -> List[str]:
    return [f"{tally.bad} frames left out: the engine's answer was NaN or infinite"] if tally.bad else []


def _log_failures(pipeline: Pipeline, known: int) -> int:
    """Say which streams failed beyond the `known` ones; how many failed in all."""
    failures = pipeline.failures
    for failure in failures[known:]:
        _log.warning("%s", _describe_failure(failure))
    return len(failures)


def _describe_failure(failure: Tuple[str, BaseException]) -> str:
    stream, reason = _reason(failure)
    return f"{stream} ended early: {reason}"


def _reason(failure: Tuple[str, BaseException]) -> Tuple[str, str]:
    stream, error = failure
    return stream, hide_in_text(error.what if isinstance(error, EdgekitError) else str(error))


def _total(source: Source, max_frames: Optional[int]) -> int:
    known = [count for count in (source.frame_count, max_frames) if count is not None]
    return min(known, default=0)
