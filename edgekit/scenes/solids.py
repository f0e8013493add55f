"""What things are made of: flat faces, strokes and balls in metres, gathered in a `Solid` that can be painted anywhere.

A thing stands on y = 0 around x = z = 0 and looks along +z. A face is listed left-bottom, right-bottom, right-top,
left-top as seen from outside, so the painter can tell the side that is turned away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

Colour = Union[Sequence[float], np.ndarray]  # blue, green, red in 0-255, in white daylight

FACE, SHEET, STROKE, RING, BALL = range(5)


class Part(NamedTuple):
    """One painted shape. points (n, 3) metres; a ball has one point, and width_m is then its radius."""

    kind: int
    points: np.ndarray
    colour: Colour
    width_m: float = 0.0
    counted: bool = True  # False: painted, but no part of what a detector should box (a sign's pole)
    emits: bool = False  # True: shines by itself, so darkness does not dim it


class Lamp(NamedTuple):
    """A light that shows a glow when it looks at the camera. point (3,) metres; facing: +1 ahead, -1 behind, 0 all."""

    point: Tuple[float, float, float]
    colour: Colour
    radius_m: float
    facing: int


@dataclass(frozen=True)
class Solid:
    """A thing ready to be painted: the parts in painting order, their points in one array (M, 3)."""

    class_id: int  # index in CLASSES; -1 for what is no object
    parts: Tuple[Part, ...]
    lamps: Tuple[Lamp, ...]
    points: np.ndarray
    starts: Tuple[int, ...]
    colours: np.ndarray  # (P, 3) float32
    emits: np.ndarray  # (P,) bool
    corners: np.ndarray  # (P, 3) rows in points: the first three of each part, for the turned-away test
    counted: np.ndarray  # (K,) rows in points that a box must hold
    reach_m: np.ndarray  # (K, 1) how far paint goes beyond each of those points
    half_length_m: float
    half_width_m: float
    height_m: float


def solid_from_parts(class_id: int, parts: Sequence[Part], lamps: Sequence[Lamp] = ()) -> Solid:
    """Gather parts, in painting order, into one thing."""
    points = np.concatenate([part.points for part in parts]).astype(np.float64)
    sizes = [len(part.points) for part in parts]
    counted_sizes = [len(part.points) for part in parts if part.counted]
    ends = np.cumsum(sizes)
    starts = [0] + [int(end) for end in ends]
    corners = [[start + min(step, len(part.points) - 1) for step in range(3)] for start, part in zip(starts, parts)]
    return Solid(
        class_id=class_id,
        parts=tuple(parts),
        lamps=tuple(lamps),
        points=points,
        starts=tuple(starts),
        colours=np.array([part.colour for part in parts], np.float32),
        emits=np.array([part.emits for part in parts], bool),
        corners=np.array(corners, np.int64),
        counted=np.flatnonzero(np.repeat([part.counted for part in parts], sizes)),
        reach_m=np.repeat([_reach_m(part) for part in parts if part.counted], counted_sizes)[:, None],
        half_length_m=float(np.abs(points[:, 2]).max()),
        half_width_m=float(np.abs(points[:, 0]).max()),
        height_m=float(points[:, 1].max()),
    )


def _reach_m(part: Part) -> float:
    return part.width_m if part.kind == BALL else part.width_m * 0.5


def prism(bottom: Sequence[float], top: Sequence[float]) -> Dict[str, np.ndarray]:
    """Faces (4, 3) of a block with a sloping hull; each end is (width, length, height, shift along z) in metres."""
    (w0, l0, y0, s0), (w1, l1, y1, s1) = bottom, top
    low = {(x, z): (x * w0 / 2, y0, z * l0 / 2 + s0) for x in (-1, 1) for z in (-1, 1)}
    high = {(x, z): (x * w1 / 2, y1, z * l1 / 2 + s1) for x in (-1, 1) for z in (-1, 1)}

    def wall(left: Tuple[int, int], right: Tuple[int, int]) -> np.ndarray:
        return np.array([low[left], low[right], high[right], high[left]], np.float64)

    return {
        "rear": wall((-1, -1), (1, -1)),
        "front": wall((1, 1), (-1, 1)),
        "right": wall((1, -1), (1, 1)),
        "left": wall((-1, 1), (-1, -1)),
        "top": np.array([high[-1, -1], high[1, -1], high[1, 1], high[-1, 1]], np.float64),
    }


_FACE_LIGHT = {"rear": 0.88, "front": 0.88, "right": 0.72, "left": 0.78, "top": 1.12}


def block(faces: Dict[str, np.ndarray], colour: Colour, emits: bool = False) -> List[Part]:
    """The visible skin of a prism, each face lit by its direction."""
    return [Part(FACE, quad, scaled(colour, _FACE_LIGHT[name]), emits=emits) for name, quad in faces.items()]


def inset(quad: np.ndarray, left: float, right: float, bottom: float, top: float) -> np.ndarray:
    """The part (4, 3) of a face between fractions 0-1 of its width and height: a window, a lamp, a plate."""
    across = np.array([left, right, right, left])[:, None]
    up = np.array([bottom, bottom, top, top])[:, None]
    low = quad[0] + (quad[1] - quad[0]) * across
    high = quad[3] + (quad[2] - quad[3]) * across
    inside: np.ndarray = low + (high - low) * up
    return inside


def wheel(x_m: float, y_m: float, z_m: float, radius_m: float, sides: int = 10) -> np.ndarray:
    """A disc (sides, 3) in the plane of a vehicle's flank; seen from the right if x > 0, from the left if x < 0."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False) * np.sign(x_m)
    return np.stack([np.full(sides, x_m), y_m + radius_m * np.sin(angle), z_m + radius_m * np.cos(angle)], axis=1)


def circle(y_m: float, radius_m: float, sides: int, turn: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    """A regular polygon (sides, 3) that looks back along -z: the plate of a sign."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False) + turn
    return np.stack([radius_m * np.cos(angle), y_m + radius_m * np.sin(angle), np.full(sides, z_m)], axis=1)


def stroke(
    points: Union[Sequence[Sequence[float]], np.ndarray],
    colour: Colour,
    width_m: float,
    counted: bool = True,
    kind: int = STROKE,
) -> Part:
    """A thick line through points in metres."""
    return Part(kind, np.array(points, np.float64), colour, width_m, counted)


def ball(point: Sequence[float], colour: Colour, radius_m: float, emits: bool = False) -> Part:
    """A filled disc that always faces the camera."""
    return Part(BALL, np.array([point], np.float64), colour, radius_m, emits=emits)


def scaled(colour: Colour, factor: float) -> Tuple[float, float, float]:
    """The colour made lighter or darker."""
    blue, green, red = (min(255.0, max(0.0, channel * factor)) for channel in colour)
    return blue, green, red


def grey(level: float) -> Tuple[float, float, float]:
    """Equal parts of each colour."""
    return level, level, level


def any_paint(rng: np.random.Generator, palette: Optional[Sequence[Colour]] = None) -> Tuple[float, float, float]:
    """A colour of the palette, a little off; without a palette any colour that cloth or a wall may have."""
    if palette is None:
        blue, green, red = (float(level) for level in rng.uniform(25, 235, 3))
        return blue, green, red
    chosen = palette[int(rng.integers(len(palette)))]
    blue, green, red = (float(np.clip(level + rng.normal(0, 9), 0, 255)) for level in chosen)
    return blue, green, red
