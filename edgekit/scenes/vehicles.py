"""Cars, trucks and buses: blocks with windows, wheels and lamps."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np

from edgekit.scenes.solids import (
    FACE,
    Colour,
    Lamp,
    Part,
    Solid,
    any_paint,
    block,
    grey,
    inset,
    prism,
    scaled,
    solid_from_parts,
    wheel,
)

PAINTS: Tuple[Colour, ...] = (
    (235, 235, 235), (180, 182, 185), (110, 112, 115), (45, 45, 48), (25, 25, 28), (40, 40, 170), (150, 70, 30),
    (120, 50, 20), (50, 90, 40), (60, 190, 220), (30, 110, 220), (140, 160, 170), (90, 60, 90),
)  # fmt: skip
CARGO_PAINTS: Tuple[Colour, ...] = (
    (235, 235, 235), (200, 205, 210), (150, 90, 40), (50, 60, 180), (60, 140, 60), (40, 150, 220), (120, 120, 125),
)  # fmt: skip
BUS_PAINTS: Tuple[Colour, ...] = (
    (50, 50, 200), (60, 190, 235), (170, 110, 30), (80, 150, 60), (225, 225, 225), (40, 120, 235),
)  # fmt: skip
GLASS: Colour = (92, 78, 62)
TYRE: Colour = (28, 28, 30)
HEADLIGHT: Colour = (215, 240, 255)
TAIL_LIGHT: Colour = (30, 30, 225)


def car(rng: np.random.Generator, class_id: int) -> Solid:
    """A saloon, hatchback, estate, sport utility or van."""
    width, length = rng.uniform(1.7, 2.0), rng.uniform(3.7, 4.9)
    belt, roof = rng.uniform(0.85, 1.05), rng.uniform(1.4, 1.95)
    cabin, shift = rng.uniform(0.45, 0.85), -rng.uniform(0.0, 0.09)
    paint = any_paint(rng, PAINTS)
    hull = prism((width, length, 0.28, 0), (width * 0.98, length * 0.97, belt, 0))
    top = prism(
        (width * 0.96, length * cabin, belt, length * shift),
        (width * rng.uniform(0.72, 0.88), length * cabin * rng.uniform(0.6, 0.85), roof, length * (shift - 0.02)),
    )
    parts = _treads(width, length) + block(hull, paint) + _wheels(width, length, 0.33) + block(top, paint)
    glass = scaled(GLASS, rng.uniform(0.5, 1.5))
    parts += [Part(FACE, inset(top[side], 0.08, 0.92, 0.12, 0.88), glass) for side in ("rear", "front")]
    for side in ("left", "right"):
        panes = (inset(top[side], a, b, 0.14, 0.86) for a, b in ((0.1, 0.48), (0.53, 0.9)))
        parts += [Part(FACE, pane, scaled(glass, 0.85)) for pane in panes]
    parts.append(Part(FACE, inset(hull["front"], 0.3, 0.7, 0.15, 0.5), grey(40)))
    parts.append(Part(FACE, inset(hull["rear"], 0.36, 0.64, 0.35, 0.58), grey(215)))
    lit, lamps = _lamps(hull, width, length, belt * 0.75, (0.55, 0.85))
    return solid_from_parts(class_id, parts + lit, lamps)


def truck(rng: np.random.Generator, class_id: int, oncoming: bool = False) -> Solid:
    """A cab with a box, a tank or an open load behind it; an oncoming one is painted with its cab in front."""
    width, length = rng.uniform(2.2, 2.6), rng.uniform(6.0, 9.5)
    height, cab_length = rng.uniform(2.6, 3.8), rng.uniform(1.7, 2.2)
    cab_height = rng.uniform(2.1, 2.8)
    cab_paint, cargo_paint = any_paint(rng, PAINTS), any_paint(rng, CARGO_PAINTS)
    floor = 0.95
    frame = prism((width * 0.9, length, 0.5, 0), (width * 0.9, length, floor, 0))
    rear_shift = -cab_length / 2 - 0.1
    load_length = length - cab_length - 0.25
    narrow = rng.uniform(0.6, 0.75) if rng.random() < 0.2 else 1.0
    load_top = height if rng.random() < 0.8 else floor + rng.uniform(0.4, 0.9)
    load = prism((width, load_length, floor, rear_shift), (width * narrow, load_length, load_top, rear_shift))
    cab_shift = (length - cab_length) / 2
    cab_floor = (width * 0.96, cab_length, 0.5, cab_shift)
    cab = prism(cab_floor, (width * 0.9, cab_length * 0.85, cab_height, cab_shift - 0.1))
    cab_parts = _truck_cab(cab, cab_paint)
    load_parts = block(load, cargo_paint) + _truck_load(rng, load, cargo_paint)
    lit, lamps = _lamps({"front": cab["front"], "rear": frame["rear"]}, width, length, 0.8, (0.12, 0.26), (0.1, 0.9))
    axles = (-0.38, -0.25, 0.36)
    shell = _treads(width, length, axles) + block(frame, grey(45)) + _wheels(width, length, 0.5, axles)
    body = load_parts + cab_parts if oncoming else cab_parts + load_parts
    return solid_from_parts(class_id, shell + body + lit, lamps)


def bus(rng: np.random.Generator, class_id: int) -> Solid:
    """A city bus or a coach, with its band of windows."""
    width, length, height = rng.uniform(2.4, 2.6), rng.uniform(8.5, 12.5), rng.uniform(2.9, 3.4)
    paint = any_paint(rng, BUS_PAINTS)
    hull = prism((width, length, 0.35, 0), (width * 0.97, length * 0.99, height, 0))
    axles = (-0.28, 0.32)
    parts = _treads(width, length, axles) + block(hull, paint) + _wheels(width, length, 0.48, axles)
    glass = scaled(GLASS, rng.uniform(0.5, 1.4))
    low = rng.uniform(0.38, 0.48)
    count = int(rng.integers(5, 8))
    for side in ("left", "right"):
        edges = np.linspace(0.03, 0.97, count + 1)
        spans = zip(edges[:-1] + 0.008, edges[1:] - 0.008)
        parts += [Part(FACE, inset(hull[side], a, b, low, 0.86), glass) for a, b in spans]
    parts.append(Part(FACE, inset(hull["right"], 0.8, 0.9, 0.05, 0.86), scaled(glass, 0.7)))
    parts.append(Part(FACE, inset(hull["front"], 0.06, 0.94, 0.32, 0.84), glass))
    parts.append(Part(FACE, inset(hull["front"], 0.2, 0.8, 0.87, 0.97), (40, 160, 230), emits=True))
    parts.append(Part(FACE, inset(hull["rear"], 0.12, 0.88, 0.5, 0.84), glass))
    if rng.random() < 0.5:
        stripe = any_paint(rng, BUS_PAINTS)
        parts += [Part(FACE, inset(hull[side], 0, 1, 0.16, 0.26), stripe) for side in ("left", "right", "rear")]
    lit, lamps = _lamps(hull, width, length, 0.9, (0.1, 0.2))
    return solid_from_parts(class_id, parts + lit, lamps)


def _truck_cab(cab: Dict[str, np.ndarray], paint: Colour) -> List[Part]:
    glass = [Part(FACE, inset(cab["front"], 0.07, 0.93, 0.5, 0.9), GLASS)]
    glass += [Part(FACE, inset(cab[side], 0.2, 0.8, 0.52, 0.88), GLASS) for side in ("left", "right")]
    return block(cab, paint) + glass + [Part(FACE, inset(cab["front"], 0.2, 0.8, 0.12, 0.4), scaled(paint, 0.6))]


def _truck_load(rng: np.random.Generator, load: Dict[str, np.ndarray], paint: Colour) -> List[Part]:
    seam = scaled(paint, 0.65)
    parts = [Part(FACE, inset(load["rear"], 0.49, 0.51, 0.03, 0.97), seam)]
    parts += [Part(FACE, inset(load["rear"], a, a + 0.03, 0.05, 0.95), seam) for a in (0.06, 0.91)]
    if rng.random() < 0.6:
        slogan = any_paint(rng)
        parts += [Part(FACE, inset(load[side], 0.2, 0.7, 0.4, 0.75), slogan) for side in ("left", "right")]
    return parts


def _wheels(width: float, length: float, radius: float, axles: Sequence[float] = (-0.31, 0.31)) -> List[Part]:
    parts = []
    for x in (-width / 2 - 0.01, width / 2 + 0.01):
        for axle in axles:
            parts.append(Part(FACE, wheel(x, radius, axle * length, radius), TYRE))
            parts.append(Part(FACE, wheel(x * 1.01, radius, axle * length, radius * 0.52, 6), grey(150)))
    return parts


def _treads(width: float, length: float, axles: Sequence[float] = (-0.31, 0.31)) -> List[Part]:
    """What shows of the tyres from ahead and from behind; painted before the body, which hides their upper part."""
    parts = []
    for axle, name in ((axles[0], "rear"), (axles[-1], "front")):
        for x in (-width / 2 + 0.14, width / 2 - 0.14):
            tread = prism((0.24, 0.3, 0.0, axle * length), (0.24, 0.3, 0.6, axle * length))[name]
            parts.append(Part(FACE, tread + np.array([x, 0.0, 0.0]), TYRE))
    return parts


def _lamps(
    hull: Dict[str, np.ndarray],
    width: float,
    length: float,
    height_m: float,
    band: Tuple[float, float],
    rear_band: Tuple[float, float] = (0.5, 0.85),
) -> Tuple[List[Part], List[Lamp]]:
    parts, lamps = [], []
    for a, b, x in ((0.03, 0.22, -1.0), (0.78, 0.97, 1.0)):
        parts.append(Part(FACE, inset(hull["front"], a, b, *band), HEADLIGHT, emits=True))
        rear = rear_band if len(hull) == 2 else band
        parts.append(Part(FACE, inset(hull["rear"], a, b - 0.03, *rear), scaled(TAIL_LIGHT, 0.8), emits=True))
        lamps.append(Lamp((x * width * 0.38, height_m, length / 2), HEADLIGHT, 1.5, 1))
        lamps.append(Lamp((x * width * 0.38, height_m, -length / 2), TAIL_LIGHT, 0.6, -1))
    return parts, lamps
