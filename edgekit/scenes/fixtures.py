"""Traffic lights and signs (objects), and what stands beside the road without being one: posts, trees, bins, walls."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from edgekit.scenes.solids import (
    FACE,
    SHEET,
    Colour,
    Lamp,
    Part,
    Solid,
    any_paint,
    ball,
    block,
    circle,
    grey,
    inset,
    prism,
    scaled,
    solid_from_parts,
    stroke,
)

NOT_AN_OBJECT = -1
WALLS: Tuple[Colour, ...] = (
    (120, 135, 150), (90, 110, 150), (150, 150, 150), (110, 130, 165), (170, 180, 190), (80, 90, 120), (130, 120, 105),
)  # fmt: skip
RED, AMBER, GREEN = (40, 40, 240), (40, 180, 250), (120, 230, 60)


def traffic_light(rng: np.random.Generator, class_id: int) -> Solid:
    """Three lamps in a dark housing on a post; the box is around the housing."""
    base, tall = float(rng.uniform(2.3, 4.2)), float(rng.uniform(0.95, 1.3))
    wide = tall * float(rng.uniform(0.36, 0.44))
    parts: List[Part] = [stroke([(0, 0, 0.05), (0, base, 0.05)], grey(95), 0.12, counted=False)]
    parts.append(Part(SHEET, _upright(wide, base, tall), grey(float(rng.uniform(22, 60)))))
    state = int(rng.choice([0, 1, 2], p=[0.45, 0.1, 0.45]))
    lamps = []
    for index, colour in enumerate((RED, AMBER, GREEN)):
        centre = (0.0, base + tall * (0.82 - 0.32 * index), -0.02)
        lit = index == state
        parts.append(ball(centre, colour if lit else scaled(colour, 0.22), wide * 0.34, emits=lit))
        if lit:
            lamps.append(Lamp(centre, colour, 0.8, 0))
    return solid_from_parts(class_id, parts, lamps)


def traffic_sign(rng: np.random.Generator, class_id: int) -> Solid:
    """A plate on a post: limit, warning, stop, order or direction; the box is around the plate."""
    size, height = float(rng.uniform(0.4, 0.58)), float(rng.uniform(2.2, 3.2))
    parts: List[Part] = [stroke([(0, 0, 0.05), (0, height, 0.05)], grey(140), 0.08, counted=False)]
    kind = int(rng.integers(6))
    rim, middle, sides, turn = (
        ((45, 40, 205), (240, 240, 240), 16, 0.0),
        ((45, 40, 205), (240, 240, 240), 3, np.pi / 2),
        ((45, 40, 205), (45, 40, 205), 8, np.pi / 8),
        ((190, 95, 25), (190, 95, 25), 16, 0.0),
        ((60, 200, 240), (60, 200, 240), 4, 0.0),
        ((190, 95, 25), (190, 95, 25), 4, np.pi / 4),
    )[kind]
    parts.append(Part(SHEET, circle(height, size, sides, turn), rim))
    parts.append(Part(SHEET, circle(height, size * (0.55 if sides == 3 else 0.72), sides, turn, -0.01), middle))
    mark = grey(30) if kind in (0, 1, 4) else grey(240)
    parts.append(stroke([(-size * 0.3, height, -0.02), (size * 0.3, height, -0.02)], mark, size * 0.22))
    if kind in (3, 5):
        parts.append(stroke([(0, height - size * 0.3, -0.02), (0, height + size * 0.3, -0.02)], mark, size * 0.2))
    return solid_from_parts(class_id, parts)


def lamp_post(rng: np.random.Generator, lit: bool) -> Solid:
    """A street lamp; at night it glows."""
    height, reach = 6.5, float(rng.choice([-1.2, 1.2]))
    parts = [stroke([(0, 0, 0), (0, height, 0), (reach, height + 0.2, 0)], grey(85), 0.13)]
    glow = (150, 215, 255)
    parts.append(ball((reach, height + 0.1, 0), glow if lit else grey(160), 0.2, emits=lit))
    return solid_from_parts(NOT_AN_OBJECT, parts, [Lamp((reach, height + 0.1, 0), glow, 2.2, 0)])


def tree(rng: np.random.Generator, white: float) -> Solid:
    """A trunk and a crown of blobs; white 0-1 is the snow on it."""
    height = float(rng.uniform(3.5, 7.0))
    parts = [stroke([(0, 0, 0), (0, height * 0.7, 0)], (45, 65, 85), 0.28)]
    leaf = np.array(any_paint(rng, ((45, 105, 60), (40, 85, 45), (50, 120, 100), (60, 110, 150))))
    for _ in range(6):
        at = (float(rng.normal(0, 0.7)), height * float(rng.uniform(0.62, 1.0)), 0.0)
        tint = leaf * float(rng.uniform(0.75, 1.2)) * (1 - white) + 225.0 * white
        parts.append(ball(at, scaled(tint, 1.0), float(rng.uniform(0.6, 1.2))))
    return solid_from_parts(NOT_AN_OBJECT, parts)


def street_clutter(rng: np.random.Generator) -> Solid:
    """Something that is easily taken for an object: a bin, a crate, a board, a bollard, a hydrant, a shelter."""
    kind, paint = int(rng.integers(6)), any_paint(rng)
    if kind == 0:
        parts = block(prism((0.6, 0.6, 0.0, 0), (0.7, 0.7, 1.1, 0)), paint)
    elif kind == 1:
        side = float(rng.uniform(0.6, 1.5))
        crate = any_paint(rng, ((90, 130, 170), (120, 120, 120)))
        parts = block(prism((side, side, 0.0, 0), (side, side, side * 0.8, 0)), crate)
    elif kind == 2:
        wide, low = float(rng.uniform(1.2, 2.6)), float(rng.uniform(0.6, 2.2))
        board = _upright(wide, low, 1.3)
        parts = [stroke([(0, 0, 0.05), (0, low, 0.05)], grey(80), 0.12), Part(SHEET, board, paint)]
        parts.append(Part(SHEET, inset(board, 0.1, 0.9, 0.2, 0.8), any_paint(rng)))
    elif kind == 3:
        parts = [stroke([(0, 0.08, 0), (0, 0.95, 0)], paint, 0.2), ball((0, 1.0, 0), scaled(paint, 1.2), 0.12)]
    elif kind == 4:
        parts = [stroke([(x, 0, 0), (x, 1.0, 0)], grey(110), 0.07) for x in np.linspace(-1.6, 1.6, 7)]
        parts.append(stroke([(-1.6, 1.0, 0), (1.6, 1.0, 0)], grey(110), 0.09))
    else:
        parts = block(prism((1.0, 2.6, 2.2, 0), (1.1, 2.8, 2.4, 0)), grey(100))
        parts += [stroke([(0.45, 0, z), (0.45, 2.2, z)], grey(90), 0.1) for z in (-1.2, 1.2)]
    return solid_from_parts(NOT_AN_OBJECT, parts)


def building(rng: np.random.Generator, width_m: float, length_m: float, lit: bool) -> Solid:
    """A house front with rows of windows, some of them lit in the dark."""
    height = float(rng.uniform(6.0, 22.0))
    wall = any_paint(rng, WALLS)
    faces = prism((width_m, length_m, 0, 0), (width_m, length_m, height, 0))
    parts = block(faces, wall)
    floors, bays = max(2, int(height / 3.2)), max(2, int(length_m / 3.5))
    for side in ("left", "right", "rear"):
        columns = bays if side != "rear" else 3
        for floor in range(floors):
            for bay in range(columns):
                shines = lit and rng.random() < 0.25
                pane = _lit_pane(rng) if shines else scaled((110, 95, 80), float(rng.uniform(0.5, 1.3)))
                a, b = (bay + 0.25) / columns, (bay + 0.75) / columns
                hole = inset(faces[side], a, b, (floor + 0.3) / floors, (floor + 0.8) / floors)
                parts.append(Part(FACE, hole, pane, emits=shines))
    return solid_from_parts(NOT_AN_OBJECT, parts)


def _lit_pane(rng: np.random.Generator) -> Colour:
    return scaled(any_paint(rng, ((90, 190, 240),)), 0.6)


def _upright(wide_m: float, low_m: float, tall_m: float) -> np.ndarray:
    """An upright rectangle (4, 3) that faces the camera."""
    half, top_m = wide_m / 2, low_m + tall_m
    return np.array([(-half, low_m, 0), (half, low_m, 0), (half, top_m, 0), (-half, top_m, 0)])
