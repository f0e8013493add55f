"""From tracks to events, camera by camera: zones and lines, their counters, and new settings while it runs."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

from edgekit.core.detections import Detections
from edgekit.core.events import Counts, Event, EventSettings
from edgekit.core.place_rules import LineRule, Observed, Rule, ZoneRule, rule_for
from edgekit.core.tracking import Tracker, Tracks
from edgekit.core.zones import Line, Zone


class EventRules:
    """Watches the zones and lines of one camera. One thread at a time may use it.

    Memory is bounded by the objects that the tracker knows.
    """

    def __init__(self, settings: EventSettings, labels: Sequence[str] = (), stream: str = "") -> None:
        self._labels = tuple(labels)
        self._stream = stream
        self._rules: List[Rule] = []
        self.reload(settings)

    def reload(self, settings: EventSettings) -> None:
        """Go on by other zones and lines.

        What has the name of one before keeps its counters. A zone keeps who is in it, and those who no longer are leave
        with the next frame; a line that was moved forgets on which side objects are. Who is in a new zone enters it.
        """
        self._settings = settings
        before = {rule.place.name: rule for rule in self._rules}
        places: Tuple[Union[Zone, Line], ...] = (*settings.zones, *settings.lines)
        mine = [place for place in places if place.stream in ("", self._stream)]
        self._rules = [rule_for(place, before.get(place.name), self._stream) for place in mine]

    def update(self, tracks: Tracks, size_px: Tuple[int, int], now_s: float, unix_s: float) -> Tuple[Event, ...]:
        """What happened with this frame, in the order of the settings, then of the objects.

        size_px: width and height of the frame, which may change. now_s: when it was taken, on the clock of the tracker;
        unix_s the same for people.
        """
        if not self._rules:
            return ()
        frame = Observed.of(tracks, self._labels, self._settings, size_px, now_s, unix_s)
        return tuple(event for rule in self._rules for event in rule.update(frame))

    def counts(self) -> Counts:
        """How often what happened so far."""
        zones = (count for rule in self._rules if isinstance(rule, ZoneRule) for count in rule.counts())
        lines = (count for rule in self._rules if isinstance(rule, LineRule) for count in rule.counts())
        return Counts(tuple(zones), tuple(lines))


class Watched(NamedTuple):
    """What became of one frame's detections."""

    tracks: Tracks
    events: Tuple[Event, ...]


class StreamWatch:
    """A tracker and the rules for each of several cameras, made when their first frames come."""

    def __init__(self, settings: EventSettings, labels: Sequence[str] = ()) -> None:
        self._settings = settings
        self._labels = tuple(labels)
        self._streams: Dict[str, Tuple[Tracker, EventRules]] = {}

    def update(
        self, stream: str, detections: Detections, size_px: Tuple[int, int], now_s: float, unix_s: float
    ) -> Watched:
        """One more frame of a camera; see `Tracker.update` and `EventRules.update`."""
        if stream not in self._streams:
            self._streams[stream] = Tracker(self._settings.tracking), EventRules(self._settings, self._labels, stream)
        tracker, rules = self._streams[stream]
        tracks = tracker.update(detections, now_s)
        return Watched(tracks, rules.update(tracks, size_px, now_s, unix_s))

    def reload(self, settings: EventSettings) -> None:
        """Go on by other settings with the next frame of each camera; objects keep their numbers."""
        self._settings = settings
        for tracker, rules in self._streams.values():
            tracker.reload(settings.tracking)
            rules.reload(settings)

    def restart(self) -> None:
        """A finite source begins again: whoever is in a zone leaves it with the next frame, and times begin anew."""
        for tracker, _ in self._streams.values():
            tracker.restart()

    def counts(self) -> Counts:
        """The counters of all cameras."""
        all_counts = [rules.counts() for _, rules in self._streams.values()]
        return Counts(
            tuple(zone for counts in all_counts for zone in counts.zones),
            tuple(line for counts in all_counts for line in counts.lines),
        )

    @property
    def objects(self) -> int:
        """How many objects got a number so far."""
        return sum(tracker.objects for tracker, _ in self._streams.values())

    @property
    def refused(self) -> int:
        """Detections that began no object because a camera had too many already."""
        return sum(tracker.refused for tracker, _ in self._streams.values())
