"""Non-maximum suppression: of boxes that overlap, keep the surest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np

MAX_CANDIDATES = 30_000
"""As many as Ultralytics looks at (max_nms); the surest are taken."""

# Large enough that 300 candidates need few rounds, small enough that one round's tables stay in the cache.
_BLOCK = 128


@dataclass(frozen=True)
class Suppression:
    """Which boxes go: the parameters of `nms`, as a detector has them."""

    iou: float
    max_detections: int = 300
    class_agnostic: bool = False


def nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    class_ids: np.ndarray,
    iou: float,
    max_detections: int = 300,
    class_agnostic: bool = False,
) -> np.ndarray:
    """Row numbers of the boxes to keep, surest first; equal scores keep their order.

    boxes (N, 4) float32 xyxy, scores (N,) float32, class_ids (N,) int; result (K,) int64, K <= max_detections.
    A box goes if its IoU with a kept, surer box of its class (of any class if class_agnostic) is above `iou`,
    as in torchvision. Classes are compared, where Ultralytics shifts boxes by class * 7680 px and loses fractions of a
    pixel; otherwise the answer is the same.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    ranked = _Ranked(boxes[order], class_ids[order], iou, class_agnostic)
    kept = np.zeros(0, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(order), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(order)))
            if len(kept):
                block = block[~ranked.overlap(kept, block).any(axis=0)]
            kept = np.concatenate([kept, block[_greedy(ranked.overlap(block, block))]])
            if len(kept) >= max_detections:
                break
    return np.asarray(order[kept[:max_detections]])


class _Ranked:
    """Boxes by falling score, coordinates as contiguous columns, areas computed once."""

    def __init__(self, boxes: np.ndarray, class_ids: np.ndarray, iou: float, class_agnostic: bool) -> None:
        self._columns = np.ascontiguousarray(boxes.T, np.float32)
        left, top, right, bottom = self._columns
        self._areas = (right - left) * (bottom - top)
        self._iou = np.float32(iou)
        mixed = not class_agnostic and len(class_ids) > 0 and bool((class_ids != class_ids[0]).any())
        self._class_ids = class_ids if mixed else None

    def overlap(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """True (len(first), len(second)) where two boxes are of one class and their IoU is above the limit."""
        left, top, right, bottom = self._columns[:, first, None]
        other_left, other_top, other_right, other_bottom = self._columns[:, second]
        width = np.minimum(right, other_right)
        width -= np.maximum(left, other_left)
        shared = np.minimum(bottom, other_bottom)
        shared -= np.maximum(top, other_top)
        np.maximum(width, 0, out=width)
        np.maximum(shared, 0, out=shared)
        shared *= width
        union = np.add(self._areas[first, None], self._areas[second], out=width)
        union -= shared
        union *= self._iou
        close = shared > union
        if self._class_ids is not None:
            close &= self._class_ids[first, None] == self._class_ids[second]
        return np.asarray(close)


def _greedy(overlap: np.ndarray) -> np.ndarray:
    """Rows that no kept earlier row overlaps; overlap (N, N) bool."""
    packed = np.packbits(overlap, axis=1, bitorder="little")
    return np.array(keep_from_bits(packed.tobytes(), len(overlap), len(overlap)), np.int64)


def keep_from_bits(overlaps: bytes, count: int, max_detections: int) -> List[int]:
    """The first rows that no kept earlier row overlaps, of `count` rows ordered by falling score.

    overlaps has an equal number of bytes for each row; bit j of row i, the lowest of the first byte being bit 0, says
    that rows i and j overlap. Integers are the bit sets, as numpy calls for each row cost more.
    """
    width = len(overlaps) // max(count, 1)
    left = (1 << count) - 1
    kept: List[int] = []
    while left and len(kept) < max_detections:
        row = (left & -left).bit_length() - 1
        kept.append(row)
        left &= left - 1
        left &= ~int.from_bytes(overlaps[row * width : (row + 1) * width], "little")
    return kept
