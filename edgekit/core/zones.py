"""Zones and lines over a camera's picture: settings and their checks. Where points lie beside them: core.plane."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Sequence, Tuple

ANCHORS = ("bottom", "centre", "top")
UNITS = ("relative", "pixels")
MAX_CORNERS = 64
MAX_PLACES = 64

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME_RULE = "expected lower-case letters, digits and hyphens, at most 63, not starting with a hyphen"
_LEAST_AREA = 1e-6  # of the picture; in pixels one

Point = Tuple[float, float]


@dataclass(frozen=True)
class Zone:
    """An area of the picture. Objects enter and leave it with their anchor, the middle of their box's lower edge.

    points: corners in order, x to the right and y down; the last is joined with the first. classes: names of the
    objects that it is about, none for all. stay_s: an event once an object stayed for so long. stream: of several
    cameras the one it belongs to, "" for every one.
    """

    name: str
    points: Tuple[Point, ...]
    classes: Tuple[str, ...] = ()
    stay_s: float = 0.0  # 0: no such event
    anchor: str = "bottom"
    stream: str = ""

    def __post_init__(self) -> None:
        problems = [*_place_problems(self.name, self.anchor), *_corner_problems(self.points)]
        if not 0 <= self.stay_s <= 86_400:
            problems.append(f"stay_s: expected seconds from 0 to 86400, got {self.stay_s:g}")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True)
class Line:
    """A line to be crossed. Looking from start to end, who ends up on its right-hand side went `to_right`.

    The two names are what events and counters say, such as "in" and "out". classes, anchor and stream as in Zone.
    """

    name: str
    start: Point
    end: Point
    classes: Tuple[str, ...] = ()
    to_right: str = "right"
    to_left: str = "left"
    anchor: str = "bottom"
    stream: str = ""

    def __post_init__(self) -> None:
        problems = _place_problems(self.name, self.anchor)
        if not all(map(math.isfinite, (*self.start, *self.end))):
            problems.append(f"start, end: expected numbers, got {self.start} and {self.end}")
        elif self.start == self.end:
            problems.append(f"end: expected another point than start, {_shown(self.start)}")
        problems += [
            f"{key}: {_NAME_RULE}, got {value!r}"
            for key, value in (("to_right", self.to_right), ("to_left", self.to_left))
            if not _NAME.fullmatch(value)
        ]
        if self.to_right == self.to_left:
            problems.append(f"to_left: expected another name than to_right, {self.to_right!r}")
        if problems:
            raise ValueError("; ".join(problems))


def places_problems(zones: Sequence[Zone], lines: Sequence[Line], units: str) -> List[str]:
    """What is wrong with zones and lines together, each with its path; nothing if all is well."""
    problems = [] if units in UNITS else [f"units: expected one of {', '.join(UNITS)}, got {units!r}"]
    if len(zones) + len(lines) > MAX_PLACES:
        problems.append(f"zones, lines: expected at most {MAX_PLACES} in all, got {len(zones) + len(lines)}")
    taken: Dict[str, str] = {}
    for path, place in [(f"zones[{row}]", zone) for row, zone in enumerate(zones)] + [
        (f"lines[{row}]", line) for row, line in enumerate(lines)
    ]:
        if place.name in taken:
            problems.append(f"{path}.name: {place.name!r} is the name of {taken[place.name]} already")
        taken.setdefault(place.name, path)
    if units == "relative":
        problems += [
            f"{path}: expected x and y from 0 to 1, shares of the picture, got {_shown(point)}"
            for path, point in _points(zones, lines)
            if not all(0 <= value <= 1 for value in point)
        ]
    return problems


def _place_problems(name: str, anchor: str) -> List[str]:
    problems = [] if _NAME.fullmatch(name) else [f"name: {_NAME_RULE}, got {name!r}"]
    if anchor not in ANCHORS:
        problems.append(f"anchor: expected one of {', '.join(ANCHORS)}, got {anchor!r}")
    return problems


def _corner_problems(points: Tuple[Point, ...]) -> List[str]:
    if not 3 <= len(points) <= MAX_CORNERS:
        return [f"points: expected 3 to {MAX_CORNERS} corners, got {len(points)}"]
    if not all(math.isfinite(value) for point in points for value in point):
        return ["points: expected numbers"]
    crossing = _self_crossing(points)
    if crossing:
        return [f"points: the edges after corners {crossing[0]} and {crossing[1]} cross; give the corners in order"]
    if _is_flat(points):
        return ["points: all corners lie on one line"]
    return []


def _is_flat(points: Tuple[Point, ...]) -> bool:
    # Settings are read on boards that have no numpy yet, without zones.
    import numpy as np

    from edgekit.core.plane import breadth

    return breadth(np.array(points)) <= _LEAST_AREA


def _self_crossing(points: Tuple[Point, ...]) -> Tuple[int, ...]:
    """Numbers of two edges that meet and are no neighbours; empty if there are none."""
    count = len(points)
    for first in range(count):
        for second in range(first + 2, count - (first == 0)):
            one = points[first], points[(first + 1) % count]
            other = points[second], points[(second + 1) % count]
            if _apart(*one, other) and _apart(*other, one):
                return first, second
    return ()


def _apart(start: Point, end: Point, pair: Tuple[Point, Point]) -> bool:
    """True if the two points are on different sides of the line."""
    one, other = (_turn(start, end, point) for point in pair)
    return one * other < 0


def _turn(start: Point, end: Point, point: Point) -> float:
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _points(zones: Sequence[Zone], lines: Sequence[Line]) -> Iterator[Tuple[str, Point]]:
    for row, zone in enumerate(zones):
        yield from ((f"zones[{row}].points[{corner}]", point) for corner, point in enumerate(zone.points))
    for row, line in enumerate(lines):
        yield f"lines[{row}].start", line.start
        yield f"lines[{row}].end", line.end


def _shown(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"
