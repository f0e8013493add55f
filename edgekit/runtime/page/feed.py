"""What the page may show: the latest frame of each stream, the last events, and how the service says that it fares."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, NamedTuple, Optional, Sequence, Tuple

from edgekit.core.events import Counts, Event, EventSettings
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health
from edgekit.runtime.handover import Changed
from edgekit.runtime.pipeline_batch import DetectedFrame

MOST_EVENTS = 100


class Shown(NamedTuple):
    """A frame that can be looked at. number grows from frame to frame, also where a source begins again."""

    number: int
    detected: DetectedFrame
    at_s: float  # on the clock of time.monotonic


class Said(NamedTuple):
    """How the service fared at one time. at_s on the clock of time.monotonic; numbers that age are as of then."""

    health: Health
    machine: MachineReadings
    counts: Counts
    at_s: float


@dataclass(frozen=True)
class StreamView:
    """A stream as the page sees it: seconds since its latest frame came through, and how many objects were in it."""

    name: str
    silent_s: Optional[float] = None  # None: no frame yet
    objects: Optional[int] = None


class Feed:
    """Between a service and whoever looks at it. Nobody who looks can hold the service up.

    The pipeline's thread calls `show`, a reporting thread `say`; any thread may read. Replaced frames are let go.
    """

    def __init__(self, labels: Sequence[str], streams: Sequence[str], events: Optional[EventSettings] = None) -> None:
        """labels: the detector's class names. streams: the names that frames carry. events: zones and lines to draw."""
        self.labels = tuple(labels)
        self.streams = tuple(streams)
        self.places = events
        self._latest: Dict[str, Shown] = {}
        self._events: Deque[Event] = deque(maxlen=MOST_EVENTS)
        self._said: Optional[Said] = None
        self._shown = 0
        self._waiting = 0
        self._changed = Changed()

    def reload(self, events: Optional[EventSettings]) -> None:
        """Draw other zones and lines from now on."""
        self.places = events

    def show(self, detected: DetectedFrame) -> None:
        """Take the latest frame of a stream, and the events in it."""
        with self._changed:
            self._shown += 1
            self._latest[detected.frame.stream] = Shown(self._shown, detected, time.monotonic())
            self._events.extend(detected.events)
            if self._waiting:
                self._changed.notify_all()

    def say(self, health: Health, machine: MachineReadings, counts: Optional[Counts] = None) -> None:
        """Take the report of this second. counts: of zones and lines, None where there are none."""
        self._said = Said(health, machine, counts or Counts(), time.monotonic())

    @property
    def said(self) -> Optional[Said]:
        """The latest report; None before the first."""
        return self._said

    @property
    def events(self) -> Tuple[Event, ...]:
        """The last ones, newest first."""
        with self._changed:
            return tuple(reversed(self._events))

    def latest(self, stream: str) -> Optional[Shown]:
        """The frame of a stream that came last; None before the first."""
        return self._latest.get(stream)

    def view(self, stream: str) -> StreamView:
        """What is known of a stream beside its health."""
        shown = self.latest(stream)
        if shown is None:
            return StreamView(stream)
        return StreamView(stream, round(time.monotonic() - shown.at_s, 2), len(shown.detected.detections))

    def wait_newer(self, stream: str, after: int, timeout_s: float) -> Optional[Shown]:
        """The latest frame of a stream once its number is above `after`; None if none comes in time."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    shown = self._latest.get(stream)
                    if shown is not None and shown.number > after:
                        return shown
                    left_s = until_s - time.monotonic()
                    if left_s <= 0 or not self._changed.wait(left_s):
                        return None
            finally:
                self._waiting -= 1
