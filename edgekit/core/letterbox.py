"""How a frame is placed in the network's input, and how boxes find their way back.

The rounding is that of the training tools, to the pixel: an edge that is one pixel off costs accuracy silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict

import numpy as np


@dataclass(frozen=True)
class Fit:
    """Where one frame lies in the input: resized to resized_width x resized_height, its corner at (left, top), in px.

    scale_x and scale_y are input pixels for each frame pixel; they are equal unless the frame was stretched.
    """

    frame_width: int
    frame_height: int
    input_width: int
    input_height: int
    resized_width: int
    resized_height: int
    left: int
    top: int
    scale_x: float
    scale_y: float

    @property
    def rows(self) -> slice:
        """The rows of the input that hold the frame."""
        return slice(self.top, self.top + self.resized_height)

    @property
    def cols(self) -> slice:
        """The columns of the input that hold the frame."""
        return slice(self.left, self.left + self.resized_width)

    def to_frame(self, boxes_input_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) in input pixels -> new array (N, 4) float32 in frame pixels, clipped to the frame."""
        boxes = boxes_input_xyxy.astype(np.float32)
        x, y = boxes[:, 0::2], boxes[:, 1::2]
        x -= self.left
        y -= self.top
        x /= self.scale_x
        y /= self.scale_y
        for values, limit in ((x, self.frame_width), (y, self.frame_height)):
            # As np.clip does, which takes ten times as long over the few boxes of a picture.
            np.maximum(values, 0, out=values)
            np.minimum(values, limit, out=values)
        return boxes

    def to_input(self, boxes_frame_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) in frame pixels -> new array (N, 4) float32 in input pixels, not clipped."""
        boxes = boxes_frame_xyxy.astype(np.float32)
        x, y = boxes[:, 0::2], boxes[:, 1::2]
        x *= self.scale_x
        y *= self.scale_y
        x += self.left
        y += self.top
        return boxes


def fit_letterbox(frame_width: int, frame_height: int, input_width: int, input_height: int) -> Fit:
    """The largest picture of the same shape, centred; small frames are enlarged.

    Source: Ultralytics, data/augment.py LetterBox (auto=False, scaleup=True, center=True) and utils/ops.py scale_boxes.
    A side that would round to 0 px becomes 1 px, where Ultralytics fails.
    """
    scale = _common_scale(frame_width, frame_height, input_width, input_height)
    # round() is half to even here and in Ultralytics; the 0.1 sends an odd pixel to the right and the bottom.
    width, height = max(1, round(frame_width * scale)), max(1, round(frame_height * scale))
    left = round((input_width - width) / 2 - 0.1)
    top = round((input_height - height) / 2 - 0.1)
    return Fit(frame_width, frame_height, input_width, input_height, width, height, left, top, scale, scale)


def fit_top_left(frame_width: int, frame_height: int, input_width: int, input_height: int) -> Fit:
    """The largest picture of the same shape in the top left corner; the free part is right or below.

    Source: YOLOX, yolox/data/data_augment.py preproc, which cuts the resized size off (int), never rounds it.
    """
    scale = _common_scale(frame_width, frame_height, input_width, input_height)
    width, height = max(1, int(frame_width * scale)), max(1, int(frame_height * scale))
    return Fit(frame_width, frame_height, input_width, input_height, width, height, 0, 0, scale, scale)


def fit_stretch(frame_width: int, frame_height: int, input_width: int, input_height: int) -> Fit:
    """The whole input filled, the frame's shape given up: RT-DETR, D-FINE, DEIM and RF-DETR."""
    _check_sizes(frame_width, frame_height, input_width, input_height)
    scale_x, scale_y = input_width / frame_width, input_height / frame_height
    return Fit(frame_width, frame_height, input_width, input_height, input_width, input_height, 0, 0, scale_x, scale_y)


GEOMETRIES: Dict[str, Callable[[int, int, int, int], Fit]] = {
    "letterbox": fit_letterbox,
    "top-left": fit_top_left,
    "stretch": fit_stretch,
}


def _common_scale(frame_width: int, frame_height: int, input_width: int, input_height: int) -> float:
    _check_sizes(frame_width, frame_height, input_width, input_height)
    return min(input_height / frame_height, input_width / frame_width)


def _check_sizes(*sizes_px: int) -> None:
    if min(sizes_px) < 1:
        raise ValueError(f"expected sizes of at least 1 px, got {sizes_px}")
