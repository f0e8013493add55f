"""Who enters, leaves or stays in one zone, and who crosses one line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Counter as CounterOf
from typing import Dict, List, NamedTuple, Optional, Set, Tuple, Union

import numpy as np

from edgekit.core.events import Event, EventSettings, LineCount, ZoneCount
from edgekit.core.plane import anchors_of, breadth, crosses, depths, right_of
from edgekit.core.tracking import Tracks
from edgekit.core.zones import ANCHORS, Line, Zone

_LEAST_MARGIN_PX = 1.0


class Seen(NamedTuple):
    """One object in one frame."""

    track_id: int
    class_name: str
    score: float
    box_xyxy: Tuple[float, float, float, float]


class Observed(NamedTuple):
    """The objects that are in a frame, and what the rules need to know of it."""

    objects: List[Seen]
    anchors: Dict[str, np.ndarray]  # (N, 2) each, of the objects
    margins_px: np.ndarray  # (N,): how far beyond an edge each must be
    alive: Set[int]  # also those that are not seen just now
    scale: np.ndarray  # (2,): pixels for each unit of the settings
    now_s: float
    unix_s: float

    @classmethod
    def of(
        cls,
        tracks: Tracks,
        labels: Tuple[str, ...],
        settings: EventSettings,
        size_px: Tuple[int, int],
        now_s: float,
        unix_s: float,
    ) -> Observed:
        rows = np.flatnonzero(tracks.seen)
        boxes = tracks.boxes_xyxy[rows].astype(np.float64)
        columns = (values[rows].tolist() for values in (tracks.ids, tracks.class_ids, tracks.scores))
        objects = [
            Seen(track_id, labels[class_id] if 0 <= class_id < len(labels) else str(class_id), score, tuple(box))
            for track_id, class_id, score, box in zip(*columns, boxes.tolist())
        ]
        sizes = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
        margins = np.maximum(sizes * settings.hysteresis, _LEAST_MARGIN_PX)
        scale = np.array(size_px, np.float64) if settings.units == "relative" else np.ones(2)
        anchors = {anchor: anchors_of(boxes, anchor) for anchor in ANCHORS}
        return cls(objects, anchors, margins, set(tracks.ids.tolist()), scale, now_s, unix_s)

    def event(self, kind: str, place: Union[Zone, Line], stream: str, seen: Seen) -> Event:
        """An event of now."""
        return Event(
            kind=kind,
            place=place.name,
            stream=stream,
            track_id=seen.track_id,
            class_name=seen.class_name,
            score=round(seen.score, 4),
            box_xyxy=tuple(round(value, 2) for value in seen.box_xyxy),  # type: ignore[arg-type]
            time_s=self.now_s,
            time_unix_s=self.unix_s,
        )


@dataclass
class _Visit:
    """One object's stay in one zone, which it is counted in by the class that it entered with."""

    entered_s: float
    seen_s: float
    seen: Seen
    told: bool = False  # that it stayed

    @property
    def dwell_s(self) -> float:
        return round(self.seen_s - self.entered_s, 3)


class ZoneRule:
    """One zone of one camera."""

    def __init__(self, zone: Zone, stream: str) -> None:
        self.place = zone
        self._stream = stream
        self._visits: Dict[int, _Visit] = {}
        self._outside: Set[int] = set()  # who was seen outside
        self._counts: Dict[str, CounterOf[str]] = {"enter": Counter(), "leave": Counter(), "stay": Counter()}

    def move(self, zone: Zone) -> None:
        """The same zone, drawn anew."""
        self.place = zone

    def update(self, frame: Observed) -> List[Event]:
        """Who came, stayed or went."""
        corners = np.array(self.place.points) * frame.scale
        depth_px = depths(frame.anchors[self.place.anchor], corners)
        # In a narrow zone nobody could be deeper.
        margins_px = np.minimum(frame.margins_px, breadth(corners) / 4)
        events = [self._lost(frame, track_id) for track_id in self._visits.keys() - frame.alive]
        self._outside &= frame.alive
        for seen, depth, margin in zip(frame.objects, depth_px.tolist(), margins_px.tolist()):
            events += self._judge(frame, seen, depth, margin)
        return sorted(events, key=lambda event: event.track_id)

    def _judge(self, frame: Observed, seen: Seen, depth: float, margin: float) -> List[Event]:
        visit = self._visits.get(seen.track_id)
        if visit is None:
            return self._maybe_enter(frame, seen, depth, margin)
        if depth <= -margin:
            self._outside.add(seen.track_id)
            return [self._leave(frame, _as_entered(visit, seen), frame.now_s)]
        visit.seen_s, visit.seen = frame.now_s, _as_entered(visit, seen)
        if not self.place.stay_s or visit.told or visit.dwell_s < self.place.stay_s:
            return []
        visit.told = True
        return [replace(self._told(frame, "stay", visit.seen), dwell_s=visit.dwell_s)]

    def _maybe_enter(self, frame: Observed, seen: Seen, depth: float, margin: float) -> List[Event]:
        wanted = not self.place.classes or seen.class_name in self.place.classes
        if depth >= margin and wanted:
            self._visits[seen.track_id] = _Visit(frame.now_s, frame.now_s, seen)
            event = self._told(frame, "enter", seen)
            return [replace(event, dwell_s=0.0, out_of_sight=seen.track_id not in self._outside)]
        if depth < 0:
            self._outside.add(seen.track_id)
        return []

    def _lost(self, frame: Observed, track_id: int) -> Event:
        visit = self._visits[track_id]
        return replace(self._leave(frame, visit.seen, visit.seen_s), out_of_sight=True)

    def _leave(self, frame: Observed, seen: Seen, seen_s: float) -> Event:
        visit = self._visits.pop(seen.track_id)
        return replace(self._told(frame, "leave", seen), dwell_s=round(seen_s - visit.entered_s, 3))

    def _told(self, frame: Observed, kind: str, seen: Seen) -> Event:
        self._counts[kind][seen.class_name] += 1
        return frame.event(kind, self.place, self._stream, seen)

    def counts(self) -> List[ZoneCount]:
        """By class."""
        present = Counter(visit.seen.class_name for visit in self._visits.values())
        enter, leave, stay = (self._counts[kind] for kind in ("enter", "leave", "stay"))
        return [
            ZoneCount(self.place.name, self._stream, name, enter[name], leave[name], stay[name], present[name])
            for name in sorted(enter)
        ]


def _as_entered(visit: _Visit, seen: Seen) -> Seen:
    """What is seen now, under the class that it entered with."""
    return seen._replace(class_name=visit.seen.class_name)


class LineRule:
    """One line of one camera."""

    def __init__(self, line: Line, stream: str) -> None:
        self.place = line
        self._stream = stream
        # Where each was last seen clearly on one side, and which: 1 for the right.
        self._last: Dict[int, Tuple[int, np.ndarray]] = {}
        self._counts: CounterOf[Tuple[str, str]] = Counter()

    def move(self, line: Line) -> None:
        """The same line, drawn anew."""
        if (line.start, line.end, line.anchor) != (self.place.start, self.place.end, self.place.anchor):
            self._last.clear()
        self.place = line

    def update(self, frame: Observed) -> List[Event]:
        """Who crossed."""
        start, end = np.array(self.place.start) * frame.scale, np.array(self.place.end) * frame.scale
        anchors = frame.anchors[self.place.anchor]
        offsets_px = right_of(anchors, start, end)
        events = []
        for track_id in self._last.keys() - frame.alive:
            del self._last[track_id]
        for index in np.flatnonzero(np.abs(offsets_px) >= frame.margins_px).tolist():
            seen, side = frame.objects[index], 1 if offsets_px[index] > 0 else -1
            before, point = self._last.get(seen.track_id, (side, anchors[index]))
            self._last[seen.track_id] = side, anchors[index]
            wanted = not self.place.classes or seen.class_name in self.place.classes
            if before != side and wanted and crosses(point, anchors[index], start, end):
                events.append(self._crossed(frame, seen, side))
        return events

    def _crossed(self, frame: Observed, seen: Seen, side: int) -> Event:
        direction = self.place.to_right if side > 0 else self.place.to_left
        self._counts[seen.class_name, direction] += 1
        return replace(frame.event("cross", self.place, self._stream, seen), direction=direction)

    def counts(self) -> List[LineCount]:
        """By class and direction."""
        return [
            LineCount(self.place.name, self._stream, name, direction, count)
            for (name, direction), count in sorted(self._counts.items())
        ]


Rule = Union[ZoneRule, LineRule]


def rule_for(place: Union[Zone, Line], before: Optional[Rule], stream: str) -> Rule:
    """The rule that has watched this place, or a new one."""
    if isinstance(place, Zone):
        zone_rule = before if isinstance(before, ZoneRule) else ZoneRule(place, stream)
        zone_rule.move(place)
        return zone_rule
    line_rule = before if isinstance(before, LineRule) else LineRule(place, stream)
    line_rule.move(place)
    return line_rule
