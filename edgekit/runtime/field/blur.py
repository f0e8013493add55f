"""People and number plates made unrecognisable before a picture is written.

What the detector does not see stays as it is: blurring is as good as the detector.
"""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np

_GROWN = 0.1  # of the box's width and height, on each side: boxes are rarely exact
# Text under a fine mosaic can be found again by trying what gives the same blocks. These are coarse, and so are their
# colours: of a drawn number plate 1 bit is left, where 8 blocks and fine colours leave 7 or more. Source: S. Hill and
# others, On the (In)effectiveness of Mosaicing and Blurring as Tools for Document Redaction (2016).
_BLOCKS = 4  # along the longer side, at most
_LEAST_BLOCK_PX = 8
_COLOUR_STEP = 64  # grey levels


def blurred(pixels: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """A copy (H, W, 3) uint8 whose boxes (N, 4), in pixels, are coarse blocks of their mean colour.

    Without boxes, or where none lies in the picture, the same array. Raises ValueError for a box that is no numbers.
    """
    height, width = pixels.shape[:2]
    regions = [_grown(box, width, height) for box in boxes_xyxy]
    regions = [region for region in regions if region[0] < region[2] and region[1] < region[3]]
    if not regions:
        return pixels
    copy: np.ndarray = pixels.copy()
    for left, top, right, bottom in regions:
        copy[top:bottom, left:right] = _mosaic(copy[top:bottom, left:right])
    return copy


def _grown(box: np.ndarray, width: int, height: int) -> Tuple[int, int, int, int]:
    """A box with a margin, in whole pixels of the picture."""
    left, top, right, bottom = (float(value) for value in box)
    across, down = (right - left) * _GROWN, (bottom - top) * _GROWN
    return (
        max(0, int(np.floor(left - across))),
        max(0, int(np.floor(top - down))),
        min(width, int(np.ceil(right + across))),
        min(height, int(np.ceil(bottom + down))),
    )


def _mosaic(region: np.ndarray) -> np.ndarray:
    """Blocks of the mean colour of what they cover."""
    high, wide = region.shape[:2]
    block_px = max(-(-max(high, wide) // _BLOCKS), _LEAST_BLOCK_PX)
    blocks = (max(1, wide // block_px), max(1, high // block_px))
    means = cv2.resize(region, blocks, interpolation=cv2.INTER_AREA)
    coarse = (means // _COLOUR_STEP) * _COLOUR_STEP + _COLOUR_STEP // 2
    return cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_NEAREST)
