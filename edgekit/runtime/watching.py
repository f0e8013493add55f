"""Between the pipeline and the sinks: who is who from frame to frame, and what objects do in zones and at lines."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Dict, Optional, Sequence

from edgekit.core.event_rules import StreamWatch
from edgekit.core.events import Counts, EventSettings
from edgekit.core.tracking import frame_time_s
from edgekit.errors import ConfigError
from edgekit.runtime.frames import Source
from edgekit.runtime.pipeline import DetectedFrame


class Watching:
    """Follows the objects of every stream of one run. Any thread may ask for what was counted meanwhile.

    Without settings it passes frames on as they are.
    """

    def __init__(self, settings: Optional[EventSettings], labels: Sequence[str], streams: Sequence[str]) -> None:
        """streams: the names of the sources. Raises ConfigError for a class or stream that there is not."""
        self._labels, self._names = tuple(labels), tuple(streams)
        check_names(settings, labels, streams)
        self._watch = StreamWatch(settings, labels) if settings else None
        self._updating = threading.Lock()
        self._fps: Dict[str, Optional[float]] = {}
        self._live: Dict[str, bool] = {}

    def begin(self, source: Source) -> None:
        """The frames that follow are of this source; one that was read before begins again."""
        if self._watch is not None and self._live:
            self._watch.restart()
        self._fps = {stream.name: stream.fps for stream in source.streams}
        self._live = {stream.name: stream.live for stream in source.streams}

    def follow(self, detected: DetectedFrame) -> DetectedFrame:
        """The frame with its objects' numbers and the events. One whose outputs were no numbers comes back as it is."""
        if self._watch is None or detected.bad_outputs:
            return detected
        frame = detected.frame
        now_s = frame_time_s(frame.index, frame.captured_s, self._live[frame.stream], self._fps[frame.stream])
        height, width = frame.pixels.shape[:2]
        with self._updating:
            watched = self._watch.update(frame.stream, detected.detections, (width, height), now_s, time.time())
        track_ids = watched.tracks.ids_of(len(detected.detections))
        return dataclasses.replace(detected, track_ids=track_ids, events=watched.events)

    def reload(self, settings: Optional[EventSettings]) -> None:
        """Go on by other settings; between two frames. Raises ConfigError and changes nothing if they name what is not.

        Objects keep their numbers and places of the same name their counters.
        """
        check_names(settings, self._labels, self._names)
        with self._updating:
            if settings is None:
                self._watch = None
            elif self._watch is None:
                self._watch = StreamWatch(settings, self._labels)
            else:
                self._watch.reload(settings)

    @property
    def objects(self) -> Optional[int]:
        """How many were told apart so far; None where objects are not followed."""
        return self._watch.objects if self._watch is not None else None

    def counts(self) -> Counts:
        """The counters of all streams so far."""
        with self._updating:
            return self._watch.counts() if self._watch is not None else Counts()


def check_names(settings: Optional[EventSettings], labels: Sequence[str], streams: Sequence[str]) -> None:
    """Raise ConfigError if zones or lines name classes or streams that there are not."""
    unknown = settings.unknown_names(labels, streams) if settings else ()
    if unknown:
        raise ConfigError("the zones and lines do not fit this detector and these sources", problems=list(unknown))
