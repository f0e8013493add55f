"""People on foot, on bicycles and on motorcycles: strokes for limbs, tubes and tyres, balls for heads."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from edgekit.scenes.solids import (
    RING,
    Colour,
    Lamp,
    Part,
    Solid,
    any_paint,
    ball,
    grey,
    scaled,
    solid_from_parts,
    stroke,
    wheel,
)

SKIN: Tuple[Colour, ...] = ((150, 180, 225), (105, 140, 195), (70, 100, 150), (45, 65, 100))
TROUSERS: Tuple[Colour, ...] = ((90, 60, 45), (40, 40, 42), (120, 120, 125), (60, 90, 120), (30, 30, 60))
HELMETS: Tuple[Colour, ...] = ((235, 235, 235), (30, 30, 32), (40, 40, 200), (60, 200, 220), (180, 90, 30))


def person(rng: np.random.Generator, class_id: int) -> Solid:
    """Someone standing or walking, perhaps with a bag or a coat."""
    tall = float(rng.uniform(1.5, 1.92)) if rng.random() < 0.88 else float(rng.uniform(1.05, 1.35))
    skin, shirt, trousers = any_paint(rng, SKIN), any_paint(rng), any_paint(rng, TROUSERS)
    stride = float(rng.uniform(0.02, 0.34)) * tall / 1.7
    hip, neck = tall * 0.5, tall * 0.81
    limb = 0.085 * tall
    parts: List[Part] = []
    for side, swing in ((-1, stride), (1, -stride)):
        foot = (side * 0.1, limb / 2, swing)
        parts.append(stroke([(side * 0.08, hip, 0), (side * 0.1, hip * 0.52, swing * 0.6), foot], trousers, limb))
        parts.append(ball(foot, grey(35), limb * 0.55))
    coat = 0.35 if rng.random() < 0.25 else 0.5
    parts.append(stroke([(0, tall * (coat + 0.06), 0), (0, neck - 0.1 * tall, 0)], shirt, 0.2 * tall))
    for side, swing in ((-1, -stride), (1, stride)):
        hand = (side * 0.2 * tall / 1.7, tall * 0.46, swing * 0.8)
        parts.append(stroke([(side * 0.15 * tall / 1.7, neck - 0.04, 0), hand], scaled(shirt, 0.8), limb * 0.75))
        parts.append(ball(hand, skin, limb * 0.4))
    parts += _head(rng, skin, tall * 0.925, 0.07 * tall, 0.0)
    if rng.random() < 0.3:
        parts.append(stroke([(0.22, tall * 0.4, 0), (0.22, tall * 0.32, 0)], any_paint(rng), 0.2))
    return solid_from_parts(class_id, parts)


def bicycle(rng: np.random.Generator, class_id: int) -> Solid:
    """A bicycle with its rider; they are one object."""
    frame = any_paint(rng)
    radius = 0.34
    parts = [stroke(wheel(0.001, radius, z, radius, 16), grey(30), 0.05, kind=RING) for z in (-0.52, 0.52)]
    hub, pedal, saddle, bars = (0, radius, -0.52), (0, 0.3, -0.05), (0, 0.9, -0.2), (0, 1.02, 0.38)
    parts.append(stroke([hub, saddle, pedal, hub], frame, 0.045))
    parts.append(stroke([saddle, (0, 0.85, 0.36), pedal], frame, 0.045))
    parts.append(stroke([(0, radius, 0.52), bars], frame, 0.045))
    parts.append(stroke([(-0.26, 1.02, 0.38), (0.26, 1.02, 0.38)], grey(40), 0.045))
    parts += _rider(rng, seat_m=(0.95, -0.2), hands_m=(1.04, 0.36), feet_m=(0.22, 0.0), lean_m=0.22)
    return solid_from_parts(class_id, parts, [Lamp((0, 0.85, 0.6), grey(240), 0.5, 1)])


def motorcycle(rng: np.random.Generator, class_id: int) -> Solid:
    """A motorcycle or scooter with its rider; they are one object."""
    paint = any_paint(rng)
    radius = float(rng.uniform(0.27, 0.33))
    parts = [stroke(wheel(0.001, radius, z, radius * 0.85, 12), grey(28), 0.15, kind=RING) for z in (-0.66, 0.68)]
    parts.append(stroke([(0, radius, 0.68), (0, 0.95, 0.42)], grey(150), 0.1))
    parts.append(stroke([(0, 0.45, -0.3), (0, 0.45, 0.25)], grey(60), 0.32))
    parts.append(stroke([(0, 0.72, -0.55), (0, 0.78, 0.3)], paint, 0.28))
    parts.append(stroke([(-0.36, 1.05, 0.36), (0.36, 1.05, 0.36)], grey(45), 0.06))
    parts.append(stroke([(0, 0.9, 0.5), (0, 1.2, 0.4)], scaled(paint, 0.9), 0.24))
    parts += _rider(rng, seat_m=(0.9, -0.25), hands_m=(1.06, 0.34), feet_m=(0.35, 0.0), lean_m=0.14, helmet=True)
    parts.append(ball((0, 0.92, 0.56), (215, 240, 255), 0.1, emits=True))
    parts.append(ball((0, 0.72, -0.75), (30, 30, 215), 0.07, emits=True))
    lamps = [Lamp((0, 0.92, 0.6), (215, 240, 255), 1.3, 1), Lamp((0, 0.72, -0.8), (30, 30, 225), 0.5, -1)]
    return solid_from_parts(class_id, parts, lamps)


def _rider(
    rng: np.random.Generator,
    seat_m: Tuple[float, float],
    hands_m: Tuple[float, float],
    feet_m: Tuple[float, float],
    lean_m: float,
    helmet: bool = False,
) -> List[Part]:
    skin, shirt, trousers = any_paint(rng, SKIN), any_paint(rng), any_paint(rng, TROUSERS)
    (seat_y, seat_z), (hand_y, hand_z), (foot_y, foot_z) = seat_m, hands_m, feet_m
    shoulder_y, shoulder_z = seat_y + 0.5, seat_z + lean_m
    parts = []
    for side in (-1, 1):
        knee = (side * 0.17, (seat_y + foot_y) / 2 + 0.12, seat_z + 0.34)
        lift = 0.12 * side if not helmet else 0.0
        parts.append(stroke([(side * 0.1, seat_y, seat_z), knee, (side * 0.14, foot_y + lift, foot_z)], trousers, 0.14))
    parts.append(stroke([(0, seat_y + 0.1, seat_z), (0, shoulder_y - 0.08, shoulder_z)], shirt, 0.36))
    for side in (-1, 1):
        arm = [(side * 0.19, shoulder_y - 0.03, shoulder_z), (side * 0.24, hand_y, hand_z)]
        parts.append(stroke(arm, scaled(shirt, 0.8), 0.1))
    head_y, head_z = shoulder_y + 0.24, shoulder_z + 0.06
    if helmet:
        return [*parts, ball((0, head_y, head_z), any_paint(rng, HELMETS), 0.165)]
    return parts + _head(rng, skin, head_y, 0.125, head_z)


def _head(rng: np.random.Generator, skin: Colour, y_m: float, radius_m: float, z_m: float) -> List[Part]:
    hair = any_paint(rng, ((30, 35, 45), (40, 70, 100), (90, 150, 190), (150, 150, 155), (40, 40, 190)))
    covered = ball((0, y_m + radius_m * 0.15, z_m), hair, radius_m)
    return [covered, ball((0, y_m - radius_m * 0.2, z_m), skin, radius_m * 0.75)]
