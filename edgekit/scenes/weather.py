"""What is between the street and the file: rain, snow, a low sun, motion blur, sensor noise. Layers are made once."""

from __future__ import annotations

from typing import List, Tuple

import cv2
import numpy as np

from edgekit.scenes.look import Look

_STATES = 4
_SHIFTS = ((7, 131), (53, 17), (29, 263))  # one plane, moved, serves as independent grain for each colour


class Weather:
    """Adds the look's weather to frames of one size; layers are cached and shifted, so a frame costs little."""

    def __init__(self, rng: np.random.Generator, look: Look, width: int, height: int, states: int = _STATES) -> None:
        self._look = look
        self._size = (width, height)
        self._falling = _falling_layers(rng, look, width, height, states)
        self._noise = _noise_tiles(rng, look.noise, width, height, states)
        self._glare = _sun_glare(rng, look.glare, width, height) if look.glare else None

    def apply(self, frame: np.ndarray, tick: int) -> None:
        """Change frame (H, W, 3) uint8 in place. tick picks the state of what falls and of the noise."""
        if self._look.blur_px:
            length = max(3, round(self._look.blur_px * self._size[0] / 640))
            cv2.blur(frame, (length, max(1, length // 4)), dst=frame)
        if self._falling:
            cv2.add(frame, self._falling[tick % len(self._falling)], dst=frame)
        if self._glare is not None:
            cv2.add(frame, self._glare, dst=frame)
        if self._noise:
            plus, minus = self._noise[tick % len(self._noise)]
            cv2.add(frame, plus, dst=frame)
            cv2.subtract(frame, minus, dst=frame)


def _noise_tiles(
    rng: np.random.Generator, deviation: float, width: int, height: int, states: int
) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Pairs of what to add and what to take away. Grain has the size of a pixel of a 640-wide picture."""
    tiles: List[Tuple[np.ndarray, np.ndarray]] = []
    if not deviation:
        return tiles
    rows = -(-height * 640 // width)
    for _ in range(states):
        plane = rng.standard_normal((rows, 640), dtype=np.float32) * np.float32(deviation)
        coloured = [plane * np.float32(0.8) + np.roll(plane, shift, axis=(0, 1)) * np.float32(0.6) for shift in _SHIFTS]
        grain = np.stack(coloured, axis=2)
        if width != 640:
            grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_NEAREST)
        grain = grain[:height]
        tiles.append((np.clip(grain, 0, 255).astype(np.uint8), np.clip(-grain, 0, 255).astype(np.uint8)))
    return tiles


def _falling_layers(rng: np.random.Generator, look: Look, width: int, height: int, states: int) -> List[np.ndarray]:
    layers = []
    scale = width / 640
    for _ in range(states if look.rain or look.flakes else 0):
        layer = np.zeros((height, width, 3), np.uint8)
        for _ in range(int(260 * look.rain)):
            _draw_streak(layer, rng, scale)
        for _ in range(int(420 * look.flakes)):
            _draw_flake(layer, rng, scale)
        layers.append(layer)
    return layers


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
