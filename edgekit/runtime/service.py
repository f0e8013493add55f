"""What a supervisor or systemd starts: a release's source, engine and sinks as one pipeline that reports its health."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Deque, Dict, Optional, Sequence

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import ServeRequest
from edgekit.core.service import DETECTOR_NAME, HEALTH_NAME, SETTINGS_NAME, Health, ServiceSettings
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeployError
from edgekit.files import write_json
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.engines import load_engine
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.probe import probe_device
from edgekit.runtime.sinks import open_sinks
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages

ENGINE_FOLDER = "engine"
_REPORT_EVERY_S = 1.0
_LOG_EVERY_S = 10.0
_RATE_WINDOW_S = 5.0


@dataclass
class _Progress:
    """Counts since the service started, and the finish times of the last seconds."""

    started_unix_s: float = field(default_factory=time.time)
    frames: int = 0
    detections: int = 0
    finished_s: Deque[float] = field(default_factory=deque)

    def note(self, detections: int) -> None:
        now_s = time.monotonic()
        self.frames += 1
        self.detections += detections
        self.finished_s.append(now_s)
        while self.finished_s and now_s - self.finished_s[0] > _RATE_WINDOW_S:
            self.finished_s.popleft()

    def fps(self) -> float:
        if len(self.finished_s) < 2:
            return 0.0
        return (len(self.finished_s) - 1) / max(self.finished_s[-1] - self.finished_s[0], 1e-9)


@dataclass(frozen=True)
class _Run:
    """One service: what it runs, where it reports, and how far it came."""

    settings: ServiceSettings
    detector: DetectorSpec
    engine: EngineManifest
    release_id: str
    health_path: Path
    progress: _Progress

    def health(self, age_ms: Optional[float], dropped: int) -> Health:
        """What is reported now."""
        return Health(
            service=self.settings.service,
            release=self.release_id,
            pid=os.getpid(),
            frames=self.progress.frames,
            detections=self.progress.detections,
            fps=round(self.progress.fps(), 2),
            frame_age_ms=None if age_ms is None else round(age_ms, 2),
            dropped=dropped,
            engine_id=self.engine.engine_id,
            precision=self.engine.precision,
            started_unix_s=self.progress.started_unix_s,
            updated_unix_s=time.time(),
        )


def serve(request: ServeRequest, on_progress: OnProgress) -> Dict[str, int]:
    """Run until the source ends or a signal comes. Answers with the counts."""
    limit_cv_threads()
    release, state = Path(request.release_dir), Path(request.state_dir)
    settings = _read(release / SETTINGS_NAME, ServiceSettings)
    detector = _read(release / DETECTOR_NAME, DetectorSpec)
    progress = _Progress()
    engine = load_engine(str(release / ENGINE_FOLDER), detector, probe_device(), threads=settings.threads)
    with closing(engine), closing(stages_for(detector, engine)) as stages:
        manifest = engine.manifest
        _say(f"{detector.name} {manifest.precision} engine {manifest.engine_id} on {settings.source}")
        run = _Run(settings, detector, manifest, release.name, state / HEALTH_NAME, progress)
        slots = [stages.make_slot() for _ in range(stages.slots)]
        while True:
            _run_source(run, stages, slots)
            if not settings.loop:
                return {"frames": progress.frames, "detections": progress.detections}


def _say(text: str) -> None:
    """A line for the journal or the supervisor's log, which add the time."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _summary(health: Health) -> str:
    age = "" if health.frame_age_ms is None else f", frames {health.frame_age_ms:.0f} ms old"
    return f"{health.fps:.1f} FPS{age}, {health.dropped} dropped, {health.detections} objects in {health.frames} frames"


def _run_source(run: _Run, stages: Stages, slots: Sequence[Any]) -> None:
    reported_s, logged_s, parent = 0.0, time.monotonic(), os.getppid()
    with ExitStack() as stack:
        source = stack.enter_context(open_source(run.settings.source))
        sinks = stack.enter_context(open_sinks(run.settings.sinks, run.detector.labels, source))
        pipeline = stack.enter_context(Pipeline(source, stages, slots))
        for frame in pipeline:
            sinks.write(frame)
            run.progress.note(len(frame.detections))
            if time.monotonic() - reported_s < _REPORT_EVERY_S:
                continue
            reported_s = time.monotonic()
            report = run.health(frame.age_ms, pipeline.dropped)
            write_json(run.health_path, to_wire(report))
            if reported_s - logged_s >= _LOG_EVERY_S:
                logged_s = reported_s
                _say(_summary(report))
            if os.getppid() != parent:
                raise DeployError("the supervisor is gone: stopping too", hint="edgekit deploy")


def _read(path: Path, kind: Any) -> Any:
    try:
        return from_wire(kind, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError) as error:
        raise DeployError(f"{path} cannot be read: {error}", hint="edgekit deploy") from None
