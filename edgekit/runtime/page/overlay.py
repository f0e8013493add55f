"""Zones and lines on a picture."""

from __future__ import annotations

import math
from typing import Tuple

import cv2
import numpy as np

from edgekit.core.events import EventSettings
from edgekit.core.zones import Line, Point, Zone

Pixel = Tuple[int, int]

_ZONE, _LINE, _DARK = (190, 184, 63), (74, 149, 224), (30, 24, 20)  # BGR
_FILL_SHARE = 0.14
_PAD_PX = 3
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FRACTION_BITS = 4  # cv2 draws at 16ths of a pixel


def draw_places(canvas: np.ndarray, settings: EventSettings, stream: str, scale: float = 1.0) -> None:
    """Draw the zones and lines of one stream into (H, W, 3) uint8 BGR.

    scale: how much smaller the canvas is than the frame; places in pixels are of the frame.
    """
    height, width = canvas.shape[:2]
    size = (float(width), float(height)) if settings.units == "relative" else (scale, scale)
    for zone in settings.zones:
        if zone.stream in ("", stream):
            _draw_zone(canvas, zone, size)
    for line in settings.lines:
        if line.stream in ("", stream):
            _draw_line(canvas, line, size)


def _draw_zone(canvas: np.ndarray, zone: Zone, size: Point) -> None:
    corners = np.array([_fixed(point, size) for point in zone.points], np.int32)
    _tint(canvas, corners >> _FRACTION_BITS)
    for colour, thick in ((_DARK, _line_px(canvas) + 2), (_ZONE, _line_px(canvas))):
        cv2.polylines(canvas, [corners], True, colour, thick, cv2.LINE_AA, _FRACTION_BITS)
    top = min(zone.points, key=lambda point: point[1])
    _write(canvas, zone.name, _pixel(top, size), _ZONE)


def _tint(canvas: np.ndarray, corners: np.ndarray) -> None:
    """Lay a thin coat of the zone's colour over its inside, touching only the rectangle around it."""
    left, top, width, height = cv2.boundingRect(corners)
    left, right = (min(max(0, value), canvas.shape[1]) for value in (left, left + width))
    top, bottom = (min(max(0, value), canvas.shape[0]) for value in (top, top + height))
    if right <= left or bottom <= top:
        return
    part = canvas[top:bottom, left:right]
    coat = part.copy()
    cv2.fillPoly(coat, [corners - np.array([left, top], np.int32)], _ZONE)
    cv2.addWeighted(coat, _FILL_SHARE, part, 1 - _FILL_SHARE, 0, dst=part)


def _draw_line(canvas: np.ndarray, line: Line, size: Point) -> None:
    start, end = _fixed(line.start, size), _fixed(line.end, size)
    middle, across = _middle_and_across(canvas, line, size)
    for colour, thick in ((_DARK, _line_px(canvas) + 2), (_LINE, _line_px(canvas))):
        cv2.line(canvas, start, end, colour, thick, cv2.LINE_AA, _FRACTION_BITS)
        cv2.arrowedLine(
            canvas, _rounded(middle - across), _rounded(middle + across), colour, thick, cv2.LINE_AA, 0, 0.3
        )
    _write(canvas, line.name, _pixel(line.start, size), _LINE)
    _write(canvas, line.to_right, _rounded(middle + 1.2 * across), _LINE)


def _middle_and_across(canvas: np.ndarray, line: Line, size: Point) -> Tuple[np.ndarray, np.ndarray]:
    """The middle of a line, and from there the way of those who go `to_right`, a 24th of the picture long."""
    start, end = (np.array([point[0] * size[0], point[1] * size[1]]) for point in (line.start, line.end))
    along = end - start
    # y runs down, so the right-hand side of (x, y) is (-y, x).
    right = np.array([-along[1], along[0]]) / max(1e-6, float(np.hypot(along[0], along[1])))
    return (start + end) / 2, right * canvas.shape[1] / 24


def _write(canvas: np.ndarray, text: str, corner: Pixel, colour: Tuple[int, int, int]) -> None:
    """Text on a dark plate whose upper left corner is near `corner`, inside the picture."""
    scale = max(0.4, _side(canvas) / 1300)
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    width, tall = width + 2 * _PAD_PX, height + below + 2
    left = max(0, min(corner[0], canvas.shape[1] - 1 - width))
    top = max(0, min(corner[1], canvas.shape[0] - 1 - tall))
    cv2.rectangle(canvas, (left, top), (left + width, top + tall), _DARK, cv2.FILLED)
    cv2.putText(canvas, text, (left + _PAD_PX, top + 1 + height), _FONT, scale, colour, 1, cv2.LINE_AA)


def _line_px(canvas: np.ndarray) -> int:
    return max(1, round(_side(canvas) / 330))


def _side(canvas: np.ndarray) -> float:
    height, width = canvas.shape[:2]
    return math.sqrt(height * width)


def _fixed(point: Point, size: Point) -> Pixel:
    one = 1 << _FRACTION_BITS
    return round(point[0] * size[0] * one), round(point[1] * size[1] * one)


def _pixel(point: Point, size: Point) -> Pixel:
    return round(point[0] * size[0]), round(point[1] * size[1])


def _rounded(point: np.ndarray) -> Pixel:
    return round(float(point[0])), round(float(point[1]))
