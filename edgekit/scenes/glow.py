"""Soft round lights around lamps: exact ones for single pictures, cached sprites for video."""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Dict, Optional, Tuple

import cv2
import numpy as np

Glow = Callable[[np.ndarray, float, float, float, Tuple[float, ...]], None]

_SHAPES: Dict[int, np.ndarray] = {}
_MOST_SHAPES = 64


def add_glow(frame: np.ndarray, x_px: float, y_px: float, radius_px: float, colour: Tuple[float, ...]) -> None:
    """Add a soft round light to frame (H, W, 3) uint8, in place. colour: up to 204, as the core is 1.23 times that."""
    radius = _radius(frame, radius_px)
    windows = _windows(frame, x_px, y_px, radius)
    if windows is not None:
        region, (rows, columns) = windows
        shape = _shape(radius)[rows, columns]
        light = np.multiply(shape[:, :, None], np.array(colour, np.float32)).astype(np.uint8)
        cv2.add(region, light, dst=region)


class GlowSprites:
    """Adds lights whose size and colour are rounded to steps, so that the next frames find them ready made."""

    _STEP = 1.05  # between neighbouring radii: too little to be seen to jump
    _LEVELS = 6.0  # between neighbouring levels of a colour
    _LARGEST_EXACT_PX = 96  # larger sprites are enlarged from this one

    def __init__(self, most_bytes: int = 24 << 20) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._sprites: OrderedDict[Tuple[float, ...], np.ndarray] = OrderedDict()

    def add(self, frame: np.ndarray, x_px: float, y_px: float, radius_px: float, colour: Tuple[float, ...]) -> None:
        """Add a soft round light to frame (H, W, 3) uint8, in place."""
        radius = _radius(frame, self._STEP ** round(float(np.log(max(radius_px, 2.0)) / np.log(self._STEP))))
        rounded = tuple(round(level / self._LEVELS) * self._LEVELS for level in colour)
        windows = _windows(frame, x_px, y_px, radius) if any(rounded) else None
        if windows is not None:
            region, window = windows
            cv2.add(region, self._sprite(radius, rounded)[window], dst=region)

    def _sprite(self, radius: int, colour: Tuple[float, ...]) -> np.ndarray:
        key = (radius, *colour)
        if key in self._sprites:
            self._sprites.move_to_end(key)
            return self._sprites[key]
        sprite = self._made(radius, colour)
        self._sprites[key] = sprite
        self._bytes += sprite.nbytes
        while self._bytes > self._most_bytes:
            self._bytes -= self._sprites.popitem(last=False)[1].nbytes
        return sprite

    def _made(self, radius: int, colour: Tuple[float, ...]) -> np.ndarray:
        shape = _shape(min(radius, self._LARGEST_EXACT_PX))
        light: np.ndarray = np.minimum(shape[:, :, None] * np.array(colour, np.float32), 255).astype(np.uint8)
        return light if len(light) == 2 * radius else cv2.resize(light, (2 * radius, 2 * radius))


def _radius(frame: np.ndarray, radius_px: float) -> int:
    return int(min(max(radius_px, 2), frame.shape[1] // 4))


def _windows(
    frame: np.ndarray, x_px: float, y_px: float, radius: int
) -> Optional[Tuple[np.ndarray, Tuple[slice, slice]]]:
    """The part of the frame under a square of light, and the part of the square over the frame; None if apart."""
    left, top = int(x_px) - radius, int(y_px) - radius
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + 2 * radius, frame.shape[1]), min(top + 2 * radius, frame.shape[0])
    if x1 <= x0 or y1 <= y0:
        return None
    return frame[y0:y1, x0:x1], (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _shape(radius: int) -> np.ndarray:
    """Strength (2 * radius, 2 * radius) float32 around the middle: a bright core in a wide veil."""
    if radius not in _SHAPES:
        if len(_SHAPES) >= _MOST_SHAPES:
            _SHAPES.clear()
        offset = (np.arange(2 * radius, dtype=np.float32) + 0.5 - radius) / radius
        square = offset[:, None] ** 2 + offset[None, :] ** 2
        _SHAPES[radius] = np.maximum(np.exp(-square * 9) + 0.25 * np.exp(-square * 2.5) - 0.02, 0).astype(np.float32)
    return _SHAPES[radius]
