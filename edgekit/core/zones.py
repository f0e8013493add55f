"""Zones and lines over a camera's picture: their settings, their checks, and where points lie beside them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

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


def depths(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) float64: how far points (N, 2) are inside a polygon (C, 2), to its nearest edge; below 0 outside."""
    start, end = corners, np.roll(corners, -1, axis=0)
    edge, apart = end - start, points[:, None] - start
    length_2 = np.maximum((edge**2).sum(axis=1), 1e-12)
    share = np.clip((apart * edge).sum(axis=2) / length_2, 0, 1)
    nearest = np.sqrt(((apart - share[:, :, None] * edge) ** 2).sum(axis=2).min(axis=1))
    above, below = start[:, 1] > points[:, None, 1], end[:, 1] > points[:, None, 1]
    to_right = (edge[:, 0] * apart[:, :, 1] - edge[:, 1] * apart[:, :, 0]) * np.where(edge[:, 1] > 0, 1, -1)
    inside = ((above != below) & (to_right > 0)).sum(axis=1) % 2 == 1
    return np.where(inside, nearest, -nearest)  # type: ignore[no-any-return]


def breadth(corners: np.ndarray) -> float:
    """Area over half the way around: a convex polygon has points at least half of it away from every edge."""
    ends = np.roll(corners, -1, axis=0)
    area = abs(float((corners[:, 0] * ends[:, 1] - ends[:, 0] * corners[:, 1]).sum())) / 2
    around = float(np.sqrt(((ends - corners) ** 2).sum(axis=1)).sum())
    return 2 * area / max(around, 1e-12)


def right_of(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N,) float64: how far points (N, 2) are on the right-hand side of the line from start to end; below 0 left."""
    along = end - start
    apart = points - start
    side = along[0] * apart[:, 1] - along[1] * apart[:, 0]
    return side / max(float(np.hypot(*along)), 1e-12)  # type: ignore[no-any-return]


def crosses(before: np.ndarray, after: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """True if the way from before to after, on both sides of the line through start and end, meets the line itself."""
    way = np.stack([start, end])
    first, second = right_of(way, before, after).tolist()
    return bool(first * second <= 0)


def anchors_of(boxes_xyxy: np.ndarray, anchor: str) -> np.ndarray:
    """(N, 2) float64: the point of each box that counts, in the middle of its width."""
    y = {"top": boxes_xyxy[:, 1], "bottom": boxes_xyxy[:, 3], "centre": boxes_xyxy[:, 1::2].mean(axis=1)}[anchor]
    return np.stack([boxes_xyxy[:, ::2].mean(axis=1), y], axis=1).astype(np.float64)


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
    corners = np.array(points)
    if breadth(corners) <= _LEAST_AREA:
        return ["points: all corners lie on one line"]
    return []


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
