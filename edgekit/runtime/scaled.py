"""A frame with its boxes, made smaller for people to look at."""

from __future__ import annotations

from typing import Sequence

import cv2
import numpy as np

from edgekit.runtime.draw import annotate
from edgekit.runtime.pipeline import DetectedFrame


def annotate_scaled(
    detected: DetectedFrame, labels: Sequence[str], most_wide_px: int, text_scale: float = 1.0
) -> np.ndarray:
    """An annotated copy (h, w, 3) uint8 BGR of a frame, at most so wide; drawn after scaling: text stays sharp."""
    pixels, detections = detected.frame.pixels, detected.detections
    height, width = pixels.shape[:2]
    if width > most_wide_px:
        scale = most_wide_px / width
        size = (most_wide_px, max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        detections = detections.with_boxes(detections.boxes_xyxy * np.float32(scale))
    return annotate(pixels, detections, labels, detected.track_ids, text_scale)
