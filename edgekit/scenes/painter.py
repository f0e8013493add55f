"""Paints solids into a picture and says which pixels they took."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from edgekit.scenes.look import Look
from edgekit.scenes.solids import BALL, FACE, RING, SHEET, Solid
from edgekit.scenes.view import NEAREST_M, View

_SHIFT = 4  # OpenCV draws on a grid of 1/16 pixel
_GRID = 1 << _SHIFT


class Placement(NamedTuple):
    """Where a solid stands: metres, and radians from +z towards +x... 0 shows its rear, pi its front."""

    x_m: float
    z_m: float
    yaw_rad: float = 0.0


class Outline(NamedTuple):
    """What a painted solid covers: box (4,) xyxy before clipping, and the points (K, 2) that span it, in pixels."""

    box_xyxy: np.ndarray
    points_px: np.ndarray


def placed(points_m: np.ndarray, place: Placement) -> np.ndarray:
    """Points (N, 3) of a solid, turned and moved to their place in the street."""
    cos, sin = np.cos(place.yaw_rad), np.sin(place.yaw_rad)
    x, z = points_m[:, 0], points_m[:, 2]
    moved = np.empty_like(points_m)  # np.stack takes longer than the arithmetic
    moved[:, 0] = x * cos + z * sin + place.x_m
    moved[:, 1] = points_m[:, 1]
    moved[:, 2] = z * cos - x * sin + place.z_m
    return moved


class Shape(NamedTuple):
    """One thing for OpenCV to draw. points (n, 2) int32 in 1/16 pixel; colour blue, green, red in 0-255."""

    kind: int
    points: np.ndarray
    colour: List[float]
    width_px: float


def project_solid(solid: Solid, place: Placement, view: View) -> Optional[np.ndarray]:
    """Pixels (M, 2) of the solid's points; None if it is too near the camera or beside the picture."""
    points_m = placed(solid.points, place)
    if points_m[:, 2].min() < NEAREST_M:
        return None
    points_px = view.project(points_m)
    left, top = points_px.min(axis=0)
    if points_px[:, 0].max() < -50 or left > view.width + 50 or top > view.height:
        return None
    return points_px


def outline(solid: Solid, points_px: np.ndarray, place: Placement, view: View) -> Outline:
    """What a projected solid covers."""
    points = points_px[solid.counted]
    reach_px = solid.reach_m * (view.focal_px / max(place.z_m, NEAREST_M))
    # OpenCV colours every pixel whose centre the edge touches: half a pixel more on each side of the drawn outline,
    # and its pixel centres lie on whole numbers where a box has pixel edges there.
    box = np.concatenate([(points - reach_px).min(axis=0), (points + reach_px).max(axis=0) + 1.0])
    return Outline(box, points)


def shapes_of(
    solid: Solid, points_px: np.ndarray, place: Placement, view: View, look: Look, light: float = 0.0
) -> List[Shape]:
    """The visible parts of a projected solid in their colours. light: what street lamps add at that place."""
    colours = _colours(solid, place, look, light).tolist()
    fixed = np.round(np.clip(points_px, -8 * view.width, 8 * view.width) * _GRID).astype(np.int32)
    away = _turned_away(solid, points_px).tolist()
    scale = view.focal_px / max(place.z_m, NEAREST_M)
    return [
        Shape(part.kind, fixed[solid.starts[index] : solid.starts[index + 1]], colours[index], part.width_m * scale)
        for index, part in enumerate(solid.parts)
        if part.kind != FACE or not away[index]
    ]


def draw(frame: np.ndarray, shapes: Sequence[Shape]) -> None:
    """Draw into frame (H, W, 3) uint8, in place, in the given order."""
    for shape in shapes:
        _draw(frame, *shape)


def paint(frame: np.ndarray, solid: Solid, place: Placement, view: View, look: Look, light: float = 0.0) -> None:
    """Paint into frame (H, W, 3) uint8, in place. light: what street lamps add at that place."""
    points_px = project_solid(solid, place, view)
    if points_px is not None:
        draw(frame, shapes_of(solid, points_px, place, view, look, light))


def _colours(solid: Solid, place: Placement, look: Look, light: float) -> np.ndarray:
    colours = look.shade(solid.colours, place.z_m, light)
    if not solid.emits.any():
        return colours
    shining = np.array(look.haze) + (solid.colours - np.array(look.haze)) * np.exp(-look.haze_per_m * place.z_m)
    factor = max(sum(look.ambient) / 3, look.lamps, 0.25)
    return np.where(solid.emits[:, None], np.maximum(shining * min(factor, 1.0), colours), colours)


def _draw(frame: np.ndarray, kind: int, points: np.ndarray, colour: List[float], width_px: float) -> None:
    if kind in (FACE, SHEET):
        cv2.fillConvexPoly(frame, points, colour, cv2.LINE_AA, _SHIFT)
    elif kind == BALL:
        centre = (int(points[0, 0]), int(points[0, 1]))
        cv2.circle(frame, centre, max(int(width_px * _GRID), _GRID // 2), colour, -1, cv2.LINE_AA, _SHIFT)
    else:
        cv2.polylines(frame, [points], kind == RING, colour, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)


def _turned_away(solid: Solid, points_px: np.ndarray) -> np.ndarray:
    first, second, third = (points_px[solid.corners[:, column]] for column in range(3))
    one, other = second - first, third - first
    turned: np.ndarray = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0] >= 0
    return turned
