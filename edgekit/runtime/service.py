"""What a supervisor or systemd starts: a release's source, engine and sinks as one pipeline that reports its health.

It says that it is ready once the release's self-test passed and a frame of the source gave a good answer, and feeds
systemd's watchdog while frames advance, or while the source itself says that its camera is away: starting the service
again brings no camera back. Nothing is written into the release.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence

from edgekit.core.camera_uri import hide_credentials, hide_in_text
from edgekit.core.deployment import ServeRequest
from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.service import (
    DETECTOR_NAME,
    HEALTH_NAME,
    SETTINGS_NAME,
    Health,
    ServiceSettings,
)
from edgekit.core.wire import from_wire
from edgekit.errors import DeployError, EdgekitError, SourceError, error_from_dict, error_to_dict
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.engines import load_engine
from edgekit.runtime.health_report import HealthFile, Progress
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.notify import Watchdog, notify, notify_status
from edgekit.runtime.parent import end_with_parent
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.probe import probe_device
from edgekit.runtime.selftest import read_selftest, run_selftest
from edgekit.runtime.sinks import open_sinks
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages

ENGINE_FOLDER = "engine"
_REPORT_EVERY_S = 1.0
_LOG_EVERY_S = 10.0


def serve(request: ServeRequest, on_progress: OnProgress) -> Dict[str, int]:
    """Run until the source ends or a signal comes. Answers with the counts; exits with 143 after SIGTERM.

    Raises VerifyError if the self-test fails, EngineError if the engine gives no numbers any more, SourceError for a
    source that cannot be read or gives no frame at all; the health file holds the reason.
    """
    signal.signal(signal.SIGTERM, _exit_as_asked)
    limit_cv_threads()
    # `current` may name another release before this one is loaded.
    release = Path(request.release_dir).resolve()
    settings = _read(release / SETTINGS_NAME, ServiceSettings)
    detector = _read(release / DETECTOR_NAME, DetectorSpec)
    service = _Service(settings, HealthFile(Path(request.state_dir) / HEALTH_NAME, settings.service, release.name))
    end_with_parent()
    try:
        with service.reported():
            _run(service, detector, release)
    finally:
        notify("STOPPING=1")
    return {"frames": service.progress.frames, "detections": service.progress.detections}


@dataclass
class _Service:
    """One service: what it runs, how far it came, and whom it tells."""

    settings: ServiceSettings
    file: HealthFile
    progress: Progress = field(default_factory=Progress)
    watchdog: Watchdog = field(default_factory=Watchdog)
    dropped: int = 0
    _reported_s: float = 0.0
    _logged_s: float = field(default_factory=time.monotonic)
    _reporting: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Report that it begins, and at the end how it ended."""
        self.progress.last_error = self.file.last_error()
        self.report()
        try:
            yield
        except EdgekitError as error:
            told = _without_credentials(error)
            self.progress.last_error = told.what
            notify_status(f"failed: {told.what}")
            raise told from error
        except Exception as error:
            self.progress.last_error = hide_in_text(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.report()

    def take(self, frame: DetectedFrame, dropped: int) -> bool:
        """Count a frame and tell of it; False if it was no good. Raises EngineError once that has lasted."""
        self.dropped = dropped
        good = not frame.bad_outputs
        if good:
            self.progress.good(frame.finished_s, frame.age_ms, len(frame.detections))
            self.watchdog.advance()
        else:
            self.progress.bad(frame.finished_s, frame.bad_outputs)
        if good and self.progress.frames == 1:
            # The report first: whoever waits for readiness reads it next.
            self.report()
            notify("READY=1")
            notify_status("running")
        elif time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
            self._tell(self.report())
        return good

    def wait_for_camera(self, reason: str) -> None:
        """Tell that the source looks for its camera; called by the thread that does so."""
        self.progress.last_error = reason
        self.watchdog.advance()
        self.report()
        notify_status(reason)

    def report(self) -> Health:
        """Write the health file. A disk that takes nothing must not stop a camera, so that is only said."""
        self._reported_s = time.monotonic()
        with self._reporting:
            try:
                return self.file.write(self.progress, self.dropped)
            except OSError as error:
                say(f"{self.file.path} cannot be written: {error.strerror or error}")
                return self.file.health(self.progress, self.dropped)

    def _tell(self, health: Health) -> None:
        if self._reported_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = self._reported_s
            say(_summary(health))
            notify_status(_summary(health))


def _run(service: _Service, detector: DetectorSpec, release: Path) -> None:
    settings = service.settings
    notify_status("loading the engine")
    engine = load_engine(str(release / ENGINE_FOLDER), detector, probe_device(), threads=settings.threads)
    with closing(engine), closing(stages_for(detector, engine)) as stages:
        manifest = engine.manifest
        service.file.engine_id, service.file.precision = manifest.engine_id, manifest.precision
        source = hide_credentials(settings.source)
        say(f"{detector.name} {manifest.precision} engine {manifest.engine_id} on {source}")
        slots = [stages.make_slot() for _ in range(stages.slots)]
        _test(release, detector, stages, slots[0])
        notify_status(f"waiting for the first frame of {source}")
        _run_source(service, detector, stages, slots)
        while settings.loop:
            _run_source(service, detector, stages, slots)


def _test(release: Path, detector: DetectorSpec, stages: Stages, slot: Any) -> None:
    plan = read_selftest(release)
    if plan is None:
        say("this release carries no self-test")
        return
    notify_status("testing the engine")
    started_s = time.monotonic()
    run_selftest(release, plan, detector, stages, slot)
    say(f"self-test passed: {len(plan.pictures)} pictures in {time.monotonic() - started_s:.2f} s")


def _run_source(service: _Service, detector: DetectorSpec, stages: Stages, slots: Sequence[Any]) -> None:
    settings = service.settings
    with ExitStack() as stack:
        source = stack.enter_context(open_source(settings.source))
        source.on_away = service.wait_for_camera
        sinks = stack.enter_context(open_sinks(settings.sinks, detector.labels, source))
        pipeline = stack.enter_context(Pipeline(source, stages, slots))
        stack.callback(source.stop)  # first of all: its thread may be waiting for a camera
        for frame in pipeline:
            if service.take(frame, pipeline.dropped):
                sinks.write(frame)
    if service.progress.frames == 0:
        reason = service.progress.last_error or "no frame came"
        raise SourceError(f"{hide_credentials(settings.source)} ended without a good frame", why=reason)


def _exit_as_asked(number: int, frame: Any) -> None:
    """What systemd's unit takes for a stop that was asked for, and for no end of the source: 128 + SIGTERM."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def say(text: str) -> None:
    """A line for the journal or the supervisor's log, which add the time."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _without_credentials(error: EdgekitError) -> EdgekitError:
    """The same error; it is printed, logged and shown, and may quote the address of a camera."""
    return error_from_dict({name: hide_in_text(text) for name, text in error_to_dict(error).items()})


def _summary(health: Health) -> str:
    age = "" if health.frame_age_ms is None else f", frames {health.frame_age_ms:.0f} ms old"
    return f"{health.fps:.1f} FPS{age}, {health.dropped} dropped, {health.detections} objects in {health.frames} frames"


def _read(path: Path, kind: Any) -> Any:
    try:
        return from_wire(kind, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError) as error:
        raise DeployError(f"{path} cannot be read: {error}", hint="edgekit deploy") from None
