"""One picture: a street with everything in it, and the truth about what a detector should find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from edgekit.core.detections import Detections
from edgekit.scenes.glow import Glow, add_glow
from edgekit.scenes.look import CONDITIONS, Look, random_look
from edgekit.scenes.painter import Placement, Shape, draw, outline, placed, project_solid, shapes_of
from edgekit.scenes.solids import Solid
from edgekit.scenes.street import Street, paint_street, random_street
from edgekit.scenes.traffic import Actor, populate
from edgekit.scenes.view import View, random_view
from edgekit.scenes.weather import Weather

LEAST_LONG_SIDE_PX = 10.0  # in a 640-wide picture; anything smaller is not painted at all
LEAST_SHORT_SIDE_PX = 4.0
LEAST_VISIBLE = 0.25  # of the silhouette; what is hidden more than that stays in the picture but not in the truth
_MASK_WIDTH = 640


@dataclass(frozen=True)
class Scene:
    """A picture with its truth. frame (H, W, 3) uint8 BGR; truth in frame pixels, every score 1.0."""

    frame: np.ndarray
    truth: Detections
    condition: str


def render_scene(seed: int, condition: str, width: int = 1280, height: int = 720) -> Scene:
    """One independent picture; the same seed, condition and size give the same picture on the same OpenCV.

    The truth keeps an object if at least LEAST_VISIBLE of its silhouette is in the picture and not behind something
    nearer, its clipped box is at least LEAST_LONG_SIDE_PX by LEAST_SHORT_SIDE_PX (scaled from a 640-wide picture),
    and the air leaves at least 5 % of its contrast. ValueError if the condition is none of CONDITIONS.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"no condition {condition!r}; known: {', '.join(CONDITIONS)}")
    rng = np.random.default_rng([seed, CONDITIONS.index(condition)])
    view, street, look = random_view(rng, width, height), random_street(rng), random_look(rng, condition)
    figures = [figure_of(actor, street, view, look) for actor in populate(rng, condition, street, look)]
    seen = far_to_near([figure for figure in figures if figure is not None])
    frame = paint_street(street, view, look)
    paint_shadows(frame, seen, view, look)
    paint_figures(frame, seen, view, look, add_glow)
    truth = truth_of(seen, view)
    Weather(rng, look, width, height).apply(frame, 0)
    return Scene(frame, truth, condition)


class Figure(NamedTuple):
    """An actor as the camera sees it, before anything stands in front of it."""

    solid: Solid
    place: Placement
    box_xyxy: np.ndarray  # (4,) pixels, may reach beyond the picture
    hull: np.ndarray  # (K, 1, 2) float32, pixels of a picture _MASK_WIDTH wide
    shapes: List[Shape]
    opacity: float = 1.0


def figure_of(actor: Actor, street: Street, view: View, look: Look) -> Optional[Figure]:
    """None if the actor is beside the picture, too small, or lost in the air."""
    solid, place = actor.solid, actor.place
    is_object = solid.class_id >= 0
    points_px = None if is_object and look.hides(place.z_m) else project_solid(solid, place, view)
    if points_px is None:
        return None
    box_xyxy, counted_px = outline(solid, points_px, place, view)
    if is_object and _too_small(box_xyxy, view.width):
        return None
    light = float(street.lamp_light(np.array(place.x_m), np.array(place.z_m))) * look.lamps if look.lamps else 0.0
    hull = cv2.convexHull((counted_px * (_MASK_WIDTH / view.width)).astype(np.float32))
    return Figure(solid, place, box_xyxy, hull, shapes_of(solid, points_px, place, view, look, light))


def far_to_near(figures: Sequence[Figure]) -> List[Figure]:
    """The order to paint in."""
    return sorted(figures, key=lambda figure: -figure.place.z_m)


def paint_shadows(frame: np.ndarray, figures: Sequence[Figure], view: View, look: Look) -> None:
    """Paint the shadows on the ground into frame, in place."""
    for figure in figures:
        _paint_shadow(frame, figure.solid, figure.place, view, look)


def paint_figures(frame: np.ndarray, figures: Sequence[Figure], view: View, look: Look, glow: Glow) -> None:
    """Paint figures into frame, in place and in the given order; glow adds the light of their lamps."""
    for figure in figures:
        if figure.opacity < 1.0:
            _paint_faint(frame, figure)
        else:
            draw(frame, figure.shapes)
        if look.lamps:
            _paint_glows(frame, figure, view, look, glow)


def _paint_faint(frame: np.ndarray, figure: Figure) -> None:
    # Only what moves fades, and there the box holds all that is painted.
    low, high = np.floor(figure.box_xyxy[:2]) - 2, np.ceil(figure.box_xyxy[2:]) + 2
    left, top, right, bottom = np.maximum(np.concatenate([low, high]), 0).astype(int).tolist()
    region = frame[top:bottom, left:right]
    before = region.copy()
    draw(frame, figure.shapes)
    if before.size:
        cv2.addWeighted(before, 1.0 - figure.opacity, region, figure.opacity, 0.0, dst=region)


def _too_small(box_xyxy: np.ndarray, width: int) -> bool:
    sides = sorted(((box_xyxy[2:] - box_xyxy[:2]) * (640.0 / width)).tolist())
    return bool(sides[0] < LEAST_SHORT_SIDE_PX or sides[1] < LEAST_LONG_SIDE_PX)


def truth_of(figures: Sequence[Figure], view: View) -> Detections:
    """What a detector should find among figures painted in this order, by the rule of `render_scene`."""
    boxes, class_ids = [], []
    limit = np.array([view.width, view.height, view.width, view.height], np.float32)
    for figure, share in zip(figures, _visible_shares(figures, view)):
        box = np.clip(figure.box_xyxy, 0, limit)
        shown = share >= LEAST_VISIBLE and figure.opacity >= 0.5
        if figure.solid.class_id >= 0 and shown and not _too_small(box, view.width):
            boxes.append(box)
            class_ids.append(figure.solid.class_id)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32), np.array(class_ids, np.int32)
    )


def _visible_shares(figures: Sequence[Figure], view: View) -> List[float]:
    """For each figure, farthest first, how much of its hull is in the picture and not painted over; clutter has 0."""
    scale = _MASK_WIDTH / view.width
    owners = np.zeros((int(np.ceil(view.height * scale)), _MASK_WIDTH), np.uint16)
    for index, figure in enumerate(figures):
        cv2.fillConvexPoly(owners, np.round(figure.hull * 16).astype(np.int32), index + 1, cv2.LINE_8, 4)
    shares = []
    for index, figure in enumerate(figures):
        count = 0
        if figure.solid.class_id >= 0:
            low, high = figure.hull.min(axis=(0, 1)).tolist(), figure.hull.max(axis=(0, 1)).tolist()
            count = int(np.count_nonzero(owners[_span(low[1], high[1]), _span(low[0], high[0])] == index + 1))
        shares.append(min(1.0, count / max(_drawn_area(figure.hull), 1.0)) if count else 0.0)
    return shares


def _drawn_area(hull: np.ndarray) -> float:
    """About how many pixels fillConvexPoly colours: it also takes the pixels on the edge."""
    return float(cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True))


def _span(low: float, high: float) -> slice:
    return slice(max(0, int(low) - 1), max(0, int(high) + 3))


def _paint_shadow(frame: np.ndarray, solid: Solid, place: Placement, view: View, look: Look) -> None:
    if look.shadow < 0.05 or place.z_m > 70:
        return
    half_w, half_l = min(solid.half_width_m, 1.4) * 0.95, solid.half_length_m * 0.98
    base = [(-half_w, 0.0, -half_l), (half_w, 0.0, -half_l), (half_w, 0.0, half_l), (-half_w, 0.0, half_l)]
    ground = placed(np.array(base), place)
    height_m = min(solid.height_m, 4.0)
    thrown = ground + np.array([look.sun_x, 0.0, look.sun_z]) * height_m * 0.8
    hull = cv2.convexHull(view.project(np.concatenate([ground, thrown])).astype(np.float32))
    dark = look.shade(np.array([[62.0, 58.0, 56.0]]) * (1.3 - look.shadow), place.z_m)[0].tolist()
    if thrown[:, 2].min() > 2.5 and ground[:, 2].min() > 2.5:
        cv2.fillConvexPoly(frame, np.round(hull * 16).astype(np.int32), dark, cv2.LINE_AA, 4)


def _paint_glows(frame: np.ndarray, figure: Figure, view: View, look: Look, glow: Glow) -> None:
    for lamp in figure.solid.lamps:
        towards = float(np.cos(figure.place.yaw_rad)) * -lamp.facing
        strength = 1.0 if lamp.facing == 0 else max(0.0, towards)
        if strength < 0.2:
            continue
        point = placed(np.array([lamp.point]), figure.place)
        if point[0, 2] < 3:
            continue
        spot = view.project(point)[0]
        strength *= look.lamps * float(np.exp(-look.haze_per_m * point[0, 2]))
        radius = lamp.radius_m * view.focal_px / point[0, 2]
        shine = strength * figure.opacity
        glow(frame, spot[0], spot[1], radius, tuple(channel * shine * 0.8 for channel in lamp.colour))
