"""What is between the street and the file: rain, snow, a low sun, motion blur, sensor noise. Layers are made once."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from edgekit.scenes.look import Look

_SHIFTS = ((7, 131), (53, 17), (29, 263))  # one plane, moved, serves as independent grain for each colour
_RAIN_STEP, _SNOW_STEP = 0.11, 0.009  # how far what falls comes in one tick, picture heights


class Weather:
    """Adds the look's weather to frames of one size; layers are cached and moved, so a frame costs little.

    margin_px is how much larger the noise is than the picture, so that each tick shows another part of it.
    """

    def __init__(self, rng: np.random.Generator, look: Look, width: int, height: int, margin_px: int = 0) -> None:
        self._blur_px = max(3, round(look.blur_px * width / 640)) if look.blur_px else 0
        self._margin_px = margin_px
        self._step_px = int(height * (_RAIN_STEP if look.rain else _SNOW_STEP))
        self._falling = _falling_layer(rng, look, width, height)
        self._noise = _noise_tile(rng, look.noise, width + margin_px, height + margin_px)
        self._glare = _sun_glare(rng, look.glare, width, height) if look.glare else None

    def apply(self, frame: np.ndarray, tick: int) -> None:
        """Change frame (H, W, 3) uint8 in place. tick, counted up, moves what falls and the noise."""
        if self._blur_px:
            cv2.blur(frame, (self._blur_px, max(1, self._blur_px // 4)), dst=frame)
        if self._falling is not None:
            _add_rolled(frame, self._falling, tick * self._step_px % len(frame))
        if self._glare is not None:
            cv2.add(frame, self._glare, dst=frame)
        if self._noise is not None:
            height, width = frame.shape[:2]
            top, left = tick * 23 % (self._margin_px + 1), tick * 41 % (self._margin_px + 1)
            plus, minus = (part[top : top + height, left : left + width] for part in self._noise)
            cv2.add(frame, plus, dst=frame)
            cv2.subtract(frame, minus, dst=frame)


def _add_rolled(frame: np.ndarray, layer: np.ndarray, down_px: int) -> None:
    """Add a layer that came down by some rows; what leaves below comes in again above."""
    kept = len(layer) - down_px
    cv2.add(frame[down_px:], layer[:kept], dst=frame[down_px:])
    if down_px:
        cv2.add(frame[:down_px], layer[kept:], dst=frame[:down_px])


def _noise_tile(
    rng: np.random.Generator, deviation: float, width: int, height: int
) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """What to add and what to take away, each (height, width, 3) uint8. Grain is a pixel of a 640-wide picture."""
    if not deviation:
        return None
    plane = rng.standard_normal((-(-height * 640 // width), 640), dtype=np.float32) * np.float32(deviation)
    coloured = [plane * np.float32(0.8) + np.roll(plane, shift, axis=(0, 1)) * np.float32(0.6) for shift in _SHIFTS]
    grain = np.stack(coloured, axis=2)
    parts = np.clip(grain, 0, 255).astype(np.uint8), np.clip(-grain, 0, 255).astype(np.uint8)
    if width != 640:
        parts = tuple(cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST) for part in parts)
    return parts[0][:height], parts[1][:height]


def _falling_layer(rng: np.random.Generator, look: Look, width: int, height: int) -> Optional[np.ndarray]:
    if not (look.rain or look.flakes):
        return None
    scale = width / 640
    layer = np.zeros((height, width, 3), np.uint8)
    for _ in range(int(260 * look.rain)):
        _draw_streak(layer, rng, scale)
    for _ in range(int(420 * look.flakes)):
        _draw_flake(layer, rng, scale)
    return layer


def _draw_streak(layer: np.ndarray, rng: np.random.Generator, scale: float) -> None:
    height, width = layer.shape[:2]
    x, y = float(rng.uniform(0, width)), float(rng.uniform(-20, height))
    length, level = float(rng.uniform(8, 30)) * scale, float(rng.uniform(25, 85))
    end = (int(x - length * 0.18), int(y + length))
    cv2.line(layer, (int(x), int(y)), end, (level, level, level), max(1, round(scale * 0.8)), cv2.LINE_AA)


def _draw_flake(layer: np.ndarray, rng: np.random.Generator, scale: float) -> None:
    height, width = layer.shape[:2]
    centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
    radius = scale * float(0.6 + 3.2 * rng.random() ** 5)
    level = float(rng.uniform(70, 190)) / max(1.0, radius / scale * 0.8)
    cv2.circle(layer, centre, max(1, round(radius)), (level, level, level), -1, cv2.LINE_AA)


def _sun_glare(rng: np.random.Generator, strength: float, width: int, height: int) -> np.ndarray:
    x, y = float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.05, 0.2))
    columns, rows = np.meshgrid(np.linspace(0, 1, 160), np.linspace(0, 0.5625, 90))
    distance = np.hypot(columns - x, rows - y)
    light = 255 * np.exp(-((distance / 0.045) ** 2)) + 150 * np.exp(-distance / 0.22) + 22
    bgr = light[:, :, None] * np.array((0.62, 0.85, 1.0)) * strength
    small = np.clip(bgr, 0, 255).astype(np.uint8)
    glare: np.ndarray = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return glare
