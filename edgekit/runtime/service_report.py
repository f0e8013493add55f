"""What a running service tells of itself: to systemd, in health.json, in the log, and to who listens."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable, Dict, FrozenSet, Iterator, List, Sequence
from typing import Counter as CounterOf

from edgekit.core.camera_condition import Condition
from edgekit.core.camera_uri import hide_in_text
from edgekit.core.overload import LoadWindow
from edgekit.core.service import Health
from edgekit.errors import EdgekitError, error_from_dict, error_to_dict
from edgekit.runtime.frames import Source
from edgekit.runtime.health_report import HealthFile, Progress, StreamStates
from edgekit.runtime.notify import Watchdog, notify, notify_status
from edgekit.runtime.pace import Pace
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.say import say

_REPORT_EVERY_S = 1.0
_LOG_EVERY_S = 10.0
_CONNECTS_WITHIN_S = 5.0

Warnings = Callable[[], Sequence[str]]
Listener = Callable[[Health], None]


class NewWarnings:
    """Tells warnings that were not there a moment ago from those that only go on with other numbers."""

    def __init__(self) -> None:
        self._known: FrozenSet[str] = frozenset()

    def new(self, warnings: Sequence[str]) -> List[str]:
        """Those among all of now that are to be logged."""
        known, self._known = self._known, frozenset(map(_without_numbers, warnings))
        return [warning for warning in warnings if _without_numbers(warning) not in known]


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
    _heard: NewWarnings = field(default_factory=NewWarnings)
    _load: LoadWindow = field(default_factory=LoadWindow)
    _came: CounterOf[str] = field(default_factory=Counter)  # frames by stream, the bad ones too
    _pace: Pace = field(default_factory=Pace)
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
            self._end(": ".join(filter(None, (told.what, told.why.partition("\n")[0]))))
            raise told from error
        except Exception as error:
            self._end(hide_in_text(f"{type(error).__name__}: {error}"))
            raise
        finally:
            self.report()

    def begin(self, source: Source, pace: Pace) -> None:
        """What follows is of this source, whose frames come in at this pace."""
        self._streams, self._failed, self._ended, self._pace = source.streams, {}, (), pace
        for stream in self._streams:
            stream.on_away = self._wait_for_camera

    @contextmanager
    def warned_by(self, ask: Warnings) -> Iterator[None]:
        """Also ask this one for warnings, for as long as it is entered."""
        self.warnings.append(ask)
        try:
            yield
        finally:
            self.warnings.remove(ask)

    def take(self, frame: DetectedFrame, pipeline: Pipeline) -> bool:
        """Count a frame and tell of it; False if it was no good. Raises EngineError once that has lasted."""
        self._came[frame.frame.stream] += 1
        self._load.took(frame.finished_s, frame.stages)
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
            warnings = [*self._troubles(), *(sentence for ask in self.warnings for sentence in ask())]
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

    def _end(self, reason: str) -> None:
        self.progress.last_error = reason
        notify_status(f"failed: {reason}")
        for stream in self.file.streams:
            self._failed.setdefault(stream.name, Condition("ended", time.monotonic(), reason))

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
        refused = self._pace.refused  # left out on purpose, which is no overload
        counts = {name: (self._came[name], lost - refused.get(name, 0)) for name, lost in self._dropped.items()}
        self._load.count(time.monotonic(), counts)
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
        """Too many frames, and cameras that are away or show nothing.

        That all of them are away is the service's own error, and no warning.
        """
        overload = list(filter(None, [self._load.warning]))
        states = self._states().conditions.items()
        if self.progress.last_error and not any(state.is_ok for _, state in states):
            return overload
        wrong = [(name, state.state, state.detail) for name, state in states if _is_wrong(state)]
        return overload + [": ".join(filter(None, parts)) for parts in wrong]

    def _log(self, health: Health) -> None:
        for warning in self._heard.new(health.warnings):
            say(f"warning: {warning}")
        if self._reported_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = self._reported_s
            say(_summary(health))
            notify_status(_summary(health))


def _without_credentials(error: EdgekitError) -> EdgekitError:
    """The same error; it is printed, logged and shown, and may quote the address of a camera."""
    return error_from_dict({name: hide_in_text(text) for name, text in error_to_dict(error).items()})


def _is_wrong(state: Condition) -> bool:
    """A camera may take a few seconds to connect."""
    starting = state.state == "connecting" and time.monotonic() - state.since_s < _CONNECTS_WITHIN_S
    return not (state.is_ok or starting)


def _without_numbers(warning: str) -> str:
    return re.sub(r"[\d.]+", "#", warning)


def _summary(health: Health) -> str:
    age = "" if health.frame_age_ms is None else f", frames {health.frame_age_ms:.0f} ms old"
    counts = f"{health.dropped} dropped, {health.detections} objects in {health.frames} frames"
    count = len(health.warnings)
    warnings = f"; {count} warning{'s' if count > 1 else ''}" if count else ""
    return f"{health.fps:.1f} FPS{age}, {counts}{warnings}"
