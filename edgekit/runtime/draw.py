"""Boxes and labels on a picture, readable from 320 px to 4K."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

from edgekit.core.detections import Detections

Colour = Tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 22  # of capitals at scale 1, thickness 1

# Steps of the golden ratio around the colour circle keep any number of neighbours apart.
_GOLDEN_STEP = 0.61803398875
_BRIGHTNESS = (1.0, 0.75, 0.9)


@dataclass(frozen=True)
class _Style:
    line_px: int
    text_px: int
    font_scale: float
    text_line_px: int
    margin_px: int


def annotate(
    pixels: np.ndarray,
    detections: Detections,
    labels: Sequence[str],
    track_ids: Optional[np.ndarray] = None,
    text_scale: float = 1.0,
) -> np.ndarray:
    """A copy of pixels (H, W, 3) uint8 BGR with every detection drawn. Boxes are in its pixels.

    track_ids: (N,) the number of each detection's object, which its label then shows: "car 17 0.83"; 0 for one of no
    object yet, None where objects are not followed. text_scale: larger letters for a picture that is shown small. The
    best score is drawn last, so that it stays on top. Labels lie inside the picture, whatever the box.
    """
    canvas: np.ndarray = pixels.copy()
    style = _style_for(canvas, text_scale)
    order = np.argsort(detections.scores, kind="stable")
    for row in order:
        box = _pixel_box(detections.boxes_xyxy[row], canvas)
        cv2.rectangle(canvas, box[:2], box[2:], class_colour(int(detections.class_ids[row])), style.line_px)
    for row in order:
        class_id = int(detections.class_ids[row])
        name = labels[class_id] if 0 <= class_id < len(labels) else str(class_id)
        number = f" {track_ids[row]}" if track_ids is not None and track_ids[row] else ""
        text = f"{name}{number} {detections.scores[row]:.2f}"
        _draw_label(canvas, text, _pixel_box(detections.boxes_xyxy[row], canvas), class_colour(class_id), style)
    return canvas


@lru_cache(maxsize=None)
def class_colour(class_id: int) -> Colour:
    """The BGR colour of a class: always the same, and unlike those of the classes around it."""
    hue = (0.02 + class_id * _GOLDEN_STEP) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, _BRIGHTNESS[class_id % len(_BRIGHTNESS)])
    return round(blue * 255), round(green * 255), round(red * 255)


def _style_for(canvas: np.ndarray, text_scale: float) -> _Style:
    side = float(canvas.shape[0] * canvas.shape[1]) ** 0.5
    text_px = max(8, round(side / 75 * text_scale))
    scale = text_px / _FONT_HEIGHT_PX
    return _Style(max(1, round(side / 500)), text_px, scale, max(1, round(scale * 1.6)), max(2, round(text_px / 3)))


def _pixel_box(box_xyxy: np.ndarray, canvas: np.ndarray) -> Tuple[int, int, int, int]:
    height, width = canvas.shape[:2]
    limits = (width - 1, height - 1, width - 1, height - 1)
    left, top, right, bottom = (int(min(max(round(float(value)), 0), limit)) for value, limit in zip(box_xyxy, limits))
    return left, top, right, bottom


def _draw_label(canvas: np.ndarray, text: str, box: Tuple[int, int, int, int], colour: Colour, style: _Style) -> None:
    (text_width, _), below = cv2.getTextSize(text, _FONT, style.font_scale, style.text_line_px)
    width, height = text_width + 2 * style.margin_px, style.text_px + below + style.margin_px
    left, top = _label_corner(canvas, box, width, height)
    cv2.rectangle(canvas, (left, top), (left + width, top + height), colour, cv2.FILLED)
    baseline = (left + style.margin_px, top + height - below)
    cv2.putText(canvas, text, baseline, _FONT, style.font_scale, _text_colour(colour), style.text_line_px, cv2.LINE_AA)


def _label_corner(canvas: np.ndarray, box: Tuple[int, int, int, int], width: int, height: int) -> Tuple[int, int]:
    """Above the box; inside its top edge where there is no room; never outside the picture."""
    left, top = box[:2]
    above = top - height
    left = max(0, min(left, canvas.shape[1] - 1 - width))
    return left, max(0, min(above if above >= 0 else top, canvas.shape[0] - 1 - height))


def _text_colour(background: Colour) -> Colour:
    blue, green, red = background
    luminance = 0.114 * blue + 0.587 * green + 0.299 * red
    return (0, 0, 0) if luminance > 110 else (255, 255, 255)
