"""What is told of objects: events and counters as they go over the wire, and the settings that ask for them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Optional, Sequence, Tuple

from edgekit.core.tracking_settings import TrackingSettings
from edgekit.core.wire import to_wire
from edgekit.core.zones import Line, Zone, places_problems

KINDS = ("enter", "leave", "stay", "cross")


@dataclass(frozen=True)
class EventSettings:
    """Which objects are followed, and what is told of them. Zones and lines are named apart from each other.

    units: of all points, "relative" (0-1, shares of the picture) or "pixels" of the frame. hysteresis: how far beyond
    an edge or a line an anchor must be to count, in sizes of its box (the root of its area), so that a box that
    trembles is not counted twice.
    """

    zones: Tuple[Zone, ...] = ()
    lines: Tuple[Line, ...] = ()
    units: str = "relative"
    hysteresis: float = 0.1
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    schema: int = 1

    def __post_init__(self) -> None:
        problems = places_problems(self.zones, self.lines, self.units)
        if not 0 <= self.hysteresis <= 1:
            problems.append(f"hysteresis: expected a number from 0 to 1, got {self.hysteresis:g}")
        if problems:
            raise ValueError("; ".join(problems))

    def unknown_names(self, labels: Sequence[str], streams: Sequence[str]) -> Tuple[str, ...]:
        """What zones and lines name that the detector or the cameras do not have, with its path; empty if all is well.

        labels: the detector's class names, streams: the cameras', as frames name them.
        """
        places = [(f"zones[{row}]", zone.classes, zone.stream) for row, zone in enumerate(self.zones)]
        places += [(f"lines[{row}]", line.classes, line.stream) for row, line in enumerate(self.lines)]
        problems = [
            f"{path}.classes: the detector has no class {name!r}; it has {', '.join(labels)}"
            for path, classes, _ in places
            for name in classes
            if name not in labels
        ]
        problems += [
            f"{path}.stream: no camera is named {stream!r}" + (f"; there are {', '.join(streams)}" if streams else "")
            for path, _, stream in places
            if stream and stream not in streams
        ]
        return tuple(problems)


@dataclass(frozen=True)
class Event:
    """Something that an object did.

    kind: "enter", "leave" and "stay" of a zone, "cross" of a line; place is its name. direction: of a crossing, the
    name that the line has for it; else "". dwell_s: how long it was in the zone until it was last seen there; None of a
    crossing. out_of_sight: it was not seen to pass the zone's edge; it appeared inside, or was lost there.
    """

    kind: str
    place: str
    stream: str  # "" for a single camera
    track_id: int
    class_name: str
    score: float  # of its latest detection
    box_xyxy: Tuple[float, float, float, float]  # frame pixels, as it was last seen
    time_s: float  # of the frame, on the clock that the tracker is given
    time_unix_s: float  # the same on the device's clock
    direction: str = ""
    dwell_s: Optional[float] = None
    out_of_sight: bool = False
    schema: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")

    def to_line(self) -> str:
        """One line of JSON, with its newline."""
        return json.dumps(to_wire(self), ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True)
class ZoneCount:
    """What one class did in one zone since it was set up. Only `present` ever falls."""

    zone: str
    stream: str
    class_name: str
    entered: int = 0
    left: int = 0
    stayed: int = 0
    present: int = 0


@dataclass(frozen=True)
class LineCount:
    """How often objects of one class crossed one line in one direction since it was set up."""

    line: str
    stream: str
    class_name: str
    direction: str
    crossed: int = 0


@dataclass(frozen=True)
class Counts:
    """All counters, in the order of the settings, then by class; rows of nothing are left out."""

    zones: Tuple[ZoneCount, ...] = ()
    lines: Tuple[LineCount, ...] = ()
