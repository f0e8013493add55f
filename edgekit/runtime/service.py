"""What a supervisor or systemd starts: a release's sources, engine and sinks as one pipeline that reports its health.

It says that it is ready once the release's self-test passed and a frame gave a good answer, and feeds systemd's
watchdog while frames advance, or while all its cameras are away and say so: starting the service again brings no camera
back. Nothing is written into the release.
"""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from edgekit.core.camera_uri import hide_credentials
from edgekit.core.deployment import ServeRequest
from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.service import DETECTOR_NAME, HEALTH_NAME, SETTINGS_NAME, ServiceSettings
from edgekit.errors import SourceError
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.engines import load_engine
from edgekit.runtime.field.collector import Collector, collecting
from edgekit.runtime.health_report import HealthFile
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.machine_watch import MachineWatch
from edgekit.runtime.notify import notify, notify_status
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.parent import end_with_parent
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.probe import probe_device
from edgekit.runtime.release_parts import read_part
from edgekit.runtime.reloading import NewRelease, Reloading
from edgekit.runtime.say import say
from edgekit.runtime.selftest import read_selftest, run_selftest
from edgekit.runtime.service_page import serve_page
from edgekit.runtime.service_report import ServiceReport
from edgekit.runtime.sinks import open_sinks
from edgekit.runtime.stages import Stages, batch_for
from edgekit.runtime.stream_group import open_streams
from edgekit.runtime.watching import Watching, check_names

ENGINE_FOLDER = "engine"


def serve(request: ServeRequest, on_progress: OnProgress) -> Dict[str, int]:
    """Run until every source ends or a signal comes. Answers with the counts; exits with 143 after SIGTERM.

    Raises VerifyError if the self-test fails, EngineError if the engine gives no numbers any more, SourceError for a
    source that cannot be read or if none gives a frame; the health file holds the reason.
    """
    signal.signal(signal.SIGTERM, _exit_as_asked)
    limit_cv_threads()
    # `current` may name another release before this one is loaded.
    release = Path(request.release_dir).resolve()
    settings = read_part(release / SETTINGS_NAME, ServiceSettings)
    detector = read_part(release / DETECTOR_NAME, DetectorSpec)
    file = HealthFile(Path(request.state_dir) / HEALTH_NAME, settings.service, release.name, settings.streams)
    report = ServiceReport(file)
    end_with_parent()
    try:
        with Reloading(release, say) as reloading, report.reported():
            _run(settings, detector, release, report, reloading)
    finally:
        notify("STOPPING=1")
    return {"frames": report.progress.frames, "detections": report.progress.all.detections}


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays as it is while sources begin again."""

    settings: ServiceSettings
    detector: DetectorSpec
    report: ServiceReport
    reloading: Reloading
    watching: Watching
    feed: Feed
    machine: MachineWatch
    stages: Stages
    slots: List[Any]
    collector: Optional[Collector]  # None: no frame is kept


def _run(
    settings: ServiceSettings, detector: DetectorSpec, release: Path, report: ServiceReport, reloading: Reloading
) -> None:
    watching = Watching(settings.events, detector.labels, [stream.name for stream in settings.streams])
    with ExitStack() as stack:
        # Before the engine, which takes a while on a small board: the page says that the service starts.
        machine = stack.enter_context(MachineWatch())
        report.warnings.append(machine.warnings)
        feed = stack.enter_context(serve_page(settings, detector.labels, watching, report, machine))
        stages = stack.enter_context(_loaded(settings, detector, release, report))
        slots = [stages.make_slot() for _ in range(stages.slots)]
        collector = stack.enter_context(_collecting(settings, detector, release, report))
        run = _Run(settings, detector, report, reloading, watching, feed, machine, stages, slots, collector)
        _test(release, run)
        notify_status(f"waiting for the first frame of {_shown(settings)}")
        _run_sources(run)
        while settings.loop:
            _run_sources(run)


@contextmanager
def _loaded(
    settings: ServiceSettings, detector: DetectorSpec, release: Path, report: ServiceReport
) -> Iterator[Stages]:
    notify_status("loading the engine")
    engine = load_engine(str(release / ENGINE_FOLDER), detector, probe_device(), threads=settings.threads)
    manifest = engine.manifest
    batch = batch_for(len(settings.streams), manifest, live=True)
    with closing(engine), closing(stages_for(detector, engine, batch)) as stages:
        report.file.engine_id, report.file.precision = manifest.engine_id, manifest.precision
        say(f"{detector.name} {manifest.precision} engine {manifest.engine_id} on {_shown(settings)}")
        yield stages


@contextmanager
def _collecting(
    settings: ServiceSettings, detector: DetectorSpec, release: Path, report: ServiceReport
) -> Iterator[Optional[Collector]]:
    """What keeps hard frames, and tells of it in each report; None if none are to be kept."""
    file = report.file
    with collecting(settings, detector, release, file.path.parent, file.engine_id, file.precision) as collector:
        if collector is None:
            yield None
            return
        file.ask_field = collector.health
        with report.warned_by(collector.warnings):
            yield collector


def _test(release: Path, run: _Run) -> None:
    plan = read_selftest(release)
    if plan is None:
        say("this release carries no self-test")
        return
    notify_status("testing the engine")
    started_s = time.monotonic()
    run_selftest(release, plan, run.detector, run.stages, run.slots[0])
    say(f"self-test passed: {len(plan.pictures)} pictures in {time.monotonic() - started_s:.2f} s")


def _run_sources(run: _Run) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(open_streams(run.settings.streams, lenient=True))
        pace = run.machine.new_pace()
        run.report.begin(source, pace)
        run.watching.begin(source)
        sinks = stack.enter_context(open_sinks(run.settings.sinks, run.detector.labels, source, steady=True))
        stack.enter_context(run.report.warned_by(lambda: sinks.problems))
        pipeline = stack.enter_context(Pipeline(source, run.stages, run.slots, pace))
        stack.callback(source.stop)  # first of all: its threads may be waiting for a camera
        for frame in pipeline:
            run.reloading.take(lambda new: _take_over(run, new))
            if run.report.take(frame, pipeline):
                watched = run.watching.follow(frame)
                run.feed.show(watched)
                if run.collector is not None:
                    run.collector.take(watched)
                sinks.write(watched)
    if run.report.progress.frames == 0:
        reason = run.report.progress.last_error or "no frame came"
        raise SourceError(f"{_shown(run.settings)} ended without a good frame", why=reason)


def _shown(settings: ServiceSettings) -> str:
    return ", ".join(hide_credentials(stream.uri) for stream in settings.streams)


def _take_over(run: _Run, new: NewRelease) -> None:
    """Go on by another release's zones and thresholds. Raises ConfigError or EngineError, and changes nothing then."""
    check_names(new.settings.events, new.detector.labels, [stream.name for stream in new.settings.streams])
    if run.reloading.runs is None or new.detector != run.reloading.runs.detector:
        run.stages.retune(new.detector)
        if run.collector is not None:
            run.collector.retune(new.detector)
    run.watching.reload(new.settings.events)
    run.feed.reload(new.settings.events)
    run.report.file.take_over(new.release.name)
    run.report.report()  # at once: the reconciler waits for it


def _exit_as_asked(number: int, frame: Any) -> None:
    """What systemd's unit takes for a stop that was asked for, and for no end of the source: 128 + SIGTERM."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)
