"""The street itself: sky, ground, road, lamps and house fronts, painted once for each look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

from edgekit.scenes.fixtures import building, tree
from edgekit.scenes.look import Look
from edgekit.scenes.painter import Placement, paint
from edgekit.scenes.solids import any_paint, grey, scaled
from edgekit.scenes.view import View

_FAR_M = 400.0


@dataclass(frozen=True)
class Street:
    """The plan of a street in metres; its picture depends on the view and the look."""

    seed: int
    lanes_each_way: int
    lane_m: float
    pavement_m: float
    crossing_z_m: float  # a side street comes in here; 0 means none
    lamps_xz: Tuple[Tuple[float, float], ...]

    @property
    def half_road_m(self) -> float:
        """From the middle line to the kerb."""
        return self.lanes_each_way * self.lane_m

    @property
    def edge_m(self) -> float:
        """From the middle line to the house fronts."""
        return self.half_road_m + self.pavement_m

    def lamp_light(self, x_m: np.ndarray, z_m: np.ndarray) -> np.ndarray:
        """What the street lamps add to the light at places on the ground, about 0-1."""
        total = np.zeros(np.broadcast(x_m, z_m).shape, np.float32)
        for lamp_x, lamp_z in self.lamps_xz:
            total += np.exp(-(((x_m - lamp_x) / 4.5) ** 2 + ((z_m - lamp_z) / 6.0) ** 2))
        light: np.ndarray = np.minimum(total, 1.2) * np.float32(0.55)
        return light


def random_street(rng: np.random.Generator) -> Street:
    """A street of two or four lanes with pavements, lamps and perhaps a side street."""
    lanes, lane_m = int(rng.integers(1, 3)), float(rng.uniform(3.1, 3.7))
    half = lanes * lane_m
    start, step = float(rng.uniform(8, 22)), float(rng.uniform(18, 28))
    sides = [-1, 1] if rng.random() < 0.5 else [int(rng.choice([-1, 1]))]
    lamps = [(side * (half + 0.6), start + step * index) for index in range(4) for side in sides]
    return Street(
        seed=int(rng.integers(1 << 31)),
        lanes_each_way=lanes,
        lane_m=lane_m,
        pavement_m=float(rng.uniform(3.0, 5.5)),
        crossing_z_m=float(rng.uniform(20, 42)) if rng.random() < 0.5 else 0.0,
        lamps_xz=tuple(lamps),
    )


def paint_street(street: Street, view: View, look: Look) -> np.ndarray:
    """The empty street (H, W, 3) uint8 BGR."""
    rng = np.random.default_rng(street.seed)
    frame = np.empty((view.height, view.width, 3), np.uint8)
    _paint_sky(frame, view, look, rng)
    _paint_ground(frame, street, view, look, rng)
    _paint_skyline(frame, view, look, rng)
    _paint_houses(frame, street, view, look, rng)
    return frame


def _paint_sky(frame: np.ndarray, view: View, look: Look, rng: np.random.Generator) -> None:
    rows = view.first_ground_row_px + 1
    mix = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    sky = np.array(look.sky_top, np.float32) * (1 - mix) + np.array(look.sky_low, np.float32) * mix
    clouds = cv2.GaussianBlur(rng.random((24, 40)).astype(np.float32), (0, 0), 2.0)
    clouds = np.clip((cv2.resize(clouds, (view.width, rows), interpolation=cv2.INTER_CUBIC) - 0.5) * 6, 0, 1)
    white = np.array((240, 238, 236), np.float32) * np.minimum(np.array(look.ambient, np.float32), 1.0)
    amount = clouds[:, :, None] * np.float32(0.5)
    frame[:rows] = np.clip(sky * (1 - amount) + white * amount, 0, 255)


def _paint_ground(frame: np.ndarray, street: Street, view: View, look: Look, rng: np.random.Generator) -> None:
    top = view.first_ground_row_px
    _paint_surfaces(frame, street, view, look, rng)
    ground = frame[top:].astype(np.float32)
    distance_m = view.row_distance_m(np.arange(top, view.height, dtype=np.float32))
    grain = rng.normal(0, 1, (90, 160)).astype(np.float32)
    grain = cv2.resize(grain, (view.width, len(ground)), interpolation=cv2.INTER_LINEAR) * 5.0
    ground += grain[:, :, None]
    if look.snow:
        ground += (np.float32(228) - ground) * np.float32(look.snow * 0.8)
    light = np.ones((*ground.shape[:2], 3), np.float32) * np.array(look.ambient, np.float32)
    if look.lamps:
        lamp_colour = np.array((0.55, 0.8, 1.0), np.float32)
        light += _ground_light(street, view, distance_m)[:, :, None] * lamp_colour * look.lamps
    clear = np.exp(-look.haze_per_m * distance_m)[:, None, None].astype(np.float32)
    shaded = np.minimum(ground * light, 255) * clear + np.array(look.haze, np.float32) * (1 - clear)
    frame[top:] = np.clip(shaded, 0, 255)


def _ground_light(street: Street, view: View, distance_m: np.ndarray) -> np.ndarray:
    columns = np.linspace(0, view.width, 160, dtype=np.float32)
    rows_m = distance_m[:: max(1, len(distance_m) // 120)]
    x_m = view.camera_x_m + (columns[None, :] - view.centre_x_px) * rows_m[:, None] / view.focal_px
    small = street.lamp_light(x_m, rows_m[:, None])
    return cv2.resize(small.astype(np.float32), (view.width, len(distance_m)), interpolation=cv2.INTER_LINEAR)


def _paint_surfaces(frame: np.ndarray, street: Street, view: View, look: Look, rng: np.random.Generator) -> None:
    half, edge = street.half_road_m, street.edge_m
    frame[view.first_ground_row_px :] = any_paint(rng, ((90, 130, 110), (120, 130, 135), (80, 120, 95)))
    pavement = any_paint(rng, ((150, 155, 160), (130, 140, 155), (165, 165, 165)))
    tone = any_paint(rng, ((96, 92, 90), (75, 74, 76), (108, 110, 112)))
    asphalt = scaled(0.35 * np.array(tone) + 0.65 * np.array(grey(float(np.mean(tone)))), 1 - 0.3 * look.wet)
    _strip(frame, view, (-edge, edge), (3.0, _FAR_M), pavement)
    if street.crossing_z_m:
        _strip(frame, view, (-200, 200), (street.crossing_z_m - 3.5, street.crossing_z_m + 3.5), asphalt)
    _strip(frame, view, (-half - 0.25, half + 0.25), (3.0, _FAR_M), tuple(0.8 * level for level in pavement))
    _strip(frame, view, (-half, half), (3.0, _FAR_M), asphalt)
    for _ in range(int(rng.integers(3, 9))):
        x, z = float(rng.uniform(-half, half)), float(rng.uniform(5, 50))
        tint = scaled(asphalt, float(rng.uniform(0.75, 1.12)))
        _strip(frame, view, (x, x + float(rng.uniform(0.5, 2.5))), (z, z + float(rng.uniform(1, 6))), tint)
    _paint_markings(frame, street, view, rng)


def _paint_markings(frame: np.ndarray, street: Street, view: View, rng: np.random.Generator) -> None:
    white, half = (215, 218, 220), street.half_road_m
    for lane in range(-street.lanes_each_way + 1, street.lanes_each_way):
        x = lane * street.lane_m
        dashes = [(3.0, _FAR_M)] if lane == 0 and rng.random() < 0.5 else [(z, z + 3.0) for z in np.arange(4.0, 90, 7)]
        for start, end in dashes:
            _strip(frame, view, (x - 0.08, x + 0.08), (start, end), white)
    for x in (-half + 0.25, half - 0.25):
        _strip(frame, view, (x - 0.07, x + 0.07), (3.0, _FAR_M), white)
    if street.crossing_z_m:
        near = street.crossing_z_m - 7.5
        for x in np.arange(-half + 0.4, half - 0.4, 1.0):
            _strip(frame, view, (x, x + 0.5), (near, near + 3.0), white)


def _strip(
    frame: np.ndarray, view: View, x_m: Tuple[float, float], z_m: Tuple[float, float], colour: Tuple[float, ...]
) -> None:
    corners = [(x_m[0], 0, z_m[0]), (x_m[1], 0, z_m[0]), (x_m[1], 0, z_m[1]), (x_m[0], 0, z_m[1])]
    points = view.project(np.array(corners, np.float64))
    fixed = np.round(np.clip(points, -2e5, 2e5) * 16).astype(np.int32)
    cv2.fillConvexPoly(frame, fixed, colour, cv2.LINE_AA, 4)


def _paint_skyline(frame: np.ndarray, view: View, look: Look, rng: np.random.Generator) -> None:
    base = view.first_ground_row_px + 1
    colour = look.shade(np.array([[130, 120, 110]], np.float32), 220.0)[0].tolist()
    for _ in range(14):
        left = int(rng.uniform(-0.05, 1.0) * view.width)
        right = left + int(rng.uniform(0.02, 0.12) * view.width)
        height = int(rng.uniform(0.01, 0.09) * view.height)
        cv2.rectangle(frame, (left, base - height), (right, base), colour, -1)


def _paint_houses(frame: np.ndarray, street: Street, view: View, look: Look, rng: np.random.Generator) -> None:
    plots = []
    for side in (-1, 1):
        z = float(rng.uniform(6, 14))
        while z < 120:
            length = float(rng.uniform(9, 20))
            plots.append((z + length / 2, side, length, rng.random() < 0.72))
            z += length + float(rng.uniform(0.5, 6))
    for z, side, length, built in sorted(plots, reverse=True):
        gap = street.crossing_z_m and abs(z - street.crossing_z_m) < length / 2 + 4
        width = 12.0 if built else 0.0
        solid = building(rng, width, length, look.lamps > 0.5) if built else tree(rng, look.snow)
        if not gap:
            place = Placement(side * (street.edge_m + width / 2 + 0.5), z)
            light = float(street.lamp_light(np.array(side * street.edge_m), np.array(z))) * look.lamps
            paint(frame, solid, place, view, look, light * 0.5)
