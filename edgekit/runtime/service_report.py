"""What a running service tells of itself: to systemd, in health.json, in the log, and to who listens."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, List, Sequence

from edgekit.core.camera_condition import Condition
from edgekit.core.camera_uri import hide_in_text
from edgekit.core.service import Health
from edgekit.errors import EdgekitError, error_from_dict, error_to_dict
from edgekit.runtime.frames import Source
from edgekit.runtime.health_report import HealthFile, Progress, StreamStates
from edgekit.runtime.notify import Watchdog, notify, notify_status
from edgekit.runtime.pipeline import DetectedFrame, Pipeline

_REPORT_EVERY_S = 1.0
_LOG_EVERY_S = 10.0

Warnings = Callable[[], Sequence[str]]
Listener = Callable[[Health], None]


@dataclass
class ServiceReport:
    """How far one service came, and whom it tells.

    warnings: asked at each report for what is not as it should be. listeners: told of each report; they must not raise.
    """

    file: HealthFile
    progress: Progress = field(default_factory=Progress)
    watchdog: Watchdog = field(default_factory=Watchdog)
    warnings: List[Warnings] = field(default_factory=list)
    listeners: List[Listener] = field(default_factory=list)
    _streams: Sequence[Source] = ()
    _dropped: Dict[str, int] = field(default_factory=dict)
    _failed: Dict[str, Condition] = field(default_factory=dict)
    _ended: Sequence[str] = ()
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

    def begin(self, source: Source) -> None:
        """What follows is of this source."""
        self._streams, self._failed, self._ended = source.streams, {}, ()
        for stream in self._streams:
            stream.on_away = self._wait_for_camera

    def take(self, frame: DetectedFrame, pipeline: Pipeline) -> bool:
        """Count a frame and tell of it; False if it was no good. Raises EngineError once that has lasted."""
        good = not frame.bad_outputs
        if good:
            self.progress.good(frame.finished_s, frame.age_ms, len(frame.detections), frame.frame.stream)
            self.watchdog.advance()
        else:
            self.progress.bad(frame.finished_s, frame.bad_outputs)
        first = good and self.progress.frames == 1
        if first or self._is_due:
            self._look_at(pipeline)
            health = self.report()
            self._log(health)
        if first:
            # The report first: whoever waits for readiness reads it next.
            notify("READY=1")
            notify_status("running")
        return good

    def report(self) -> Health:
        """Write the health file. A disk that takes nothing must not stop a camera, so that is only said."""
        with self._reporting:
            self._reported_s = time.monotonic()
            warnings = [sentence for ask in self.warnings for sentence in ask()] + self._troubles()
            health = self.file.health(self.progress, self._states(), warnings)
            try:
                self.file.write(health)
            except OSError as error:
                say(f"{self.file.path} cannot be written: {error.strerror or error}")
            for tell in self.listeners:
                tell(health)
        return health

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._reported_s >= _REPORT_EVERY_S

    def _wait_for_camera(self, reason: str) -> None:
        """A source looks for its camera; called about once a second by the thread that does so.

        While any source gives frames these alone feed the watchdog: an engine that hangs must not be hidden by a
        camera that is away.
        """
        if self._all_away():
            self.progress.last_error = reason
            self.watchdog.advance()
            notify_status(reason)
        if self._is_due:
            self.report()

    def _all_away(self) -> bool:
        conditions = [stream.condition for stream in self._streams if stream.name not in self._ended]
        return all(condition is not None and condition.is_away for condition in conditions)

    def _look_at(self, pipeline: Pipeline) -> None:
        self._dropped, self._ended = pipeline.dropped_by_stream, pipeline.ended
        for stream, error in pipeline.failures:
            if stream not in self._failed:
                told = hide_in_text(error.what if isinstance(error, EdgekitError) else str(error))
                self._failed[stream] = Condition("ended", time.monotonic(), told)
                say(f"{stream} ended: {told}")

    def _states(self) -> StreamStates:
        stated = {stream.name: stream.condition for stream in self._streams}
        conditions = {name: condition for name, condition in stated.items() if condition is not None}
        return StreamStates({**conditions, **self._failed}, self._dropped)

    def _troubles(self) -> List[str]:
        """Of one of several cameras; that of a single one, or of all, is the service's own error."""
        if len(self._streams) < 2:
            return []
        conditions = self._states().conditions.items()
        return [
            f"{name}: {state.state}" + (f": {state.detail}" if state.detail else "")
            for name, state in conditions
            if state.state != "ok"
        ]

    def _log(self, health: Health) -> None:
        if self._reported_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = self._reported_s
            say(_summary(health))
            notify_status(_summary(health))


def say(text: str) -> None:
    """A line for the journal or the supervisor's log, which add the time."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _without_credentials(error: EdgekitError) -> EdgekitError:
    """The same error; it is printed, logged and shown, and may quote the address of a camera."""
    return error_from_dict({name: hide_in_text(text) for name, text in error_to_dict(error).items()})


def _summary(health: Health) -> str:
    age = "" if health.frame_age_ms is None else f", frames {health.frame_age_ms:.0f} ms old"
    counts = f"{health.dropped} dropped, {health.detections} objects in {health.frames} frames"
    return "; ".join([f"{health.fps:.1f} FPS{age}, {counts}", *health.warnings])
