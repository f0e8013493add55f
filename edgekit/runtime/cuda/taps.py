"""Which pixels and weights each pixel of a resized picture is made of, as OpenCV's INTER_LINEAR has them.

The tables are made on the CPU once for each frame size, so that the kernel has integers alone to work with, and a GPU
whose double precision is slow computes none.
Source: OpenCV modules/imgproc/src/resize.cpp, resize for uchar: positions in float, weights rounded to 1/2048.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from edgekit.core.letterbox import Fit

_ONE = 2048
_PIXEL_BYTES = 3


@dataclass(frozen=True)
class FrameRows:
    """The rows of a frame that a resize reads: `count` of them from `first` on, every `step`-th."""

    first: int
    step: int
    count: int


@dataclass(frozen=True, eq=False)
class Taps:
    """Tables (n, 4) int32 of first and second pixel and their weights in 1/2048.

    columns, one for each column of the resized picture, count bytes from the start of a row. rows count the rows that
    `frame_rows` names.
    """

    columns: np.ndarray
    rows: np.ndarray
    frame_rows: FrameRows


def taps_for(fit: Fit) -> Taps:
    """The tables for one geometry."""
    columns = _across(fit.frame_width, fit.resized_width)
    columns[:, :2] *= _PIXEL_BYTES
    rows, frame_rows = _only_used(_down(fit.frame_height, fit.resized_height), fit.frame_height)
    return Taps(columns.astype(np.int32), rows.astype(np.int32), frame_rows)


def _across(source_px: int, target_px: int) -> np.ndarray:
    """Columns beyond the edge are the edge's own, with all the weight."""
    start, fraction = _positions(source_px, target_px)
    fraction[(start < 0) | (start >= source_px - 1)] = 0
    return _table(np.clip(start, 0, source_px - 1), fraction, source_px)


def _down(source_px: int, target_px: int) -> np.ndarray:
    """Rows beyond the edge are the edge's own too, but keep their weights, each of which is rounded by itself."""
    return _table(*_positions(source_px, target_px), source_px)


def _positions(source_px: int, target_px: int) -> Tuple[np.ndarray, np.ndarray]:
    scale = 1 / (target_px / source_px)
    at = ((np.arange(target_px) + 0.5) * scale - 0.5).astype(np.float32)
    start = np.floor(at).astype(np.int64)
    return start, at - start.astype(np.float32)


def _table(start: np.ndarray, fraction: np.ndarray, source_px: int) -> np.ndarray:
    weights = [np.rint((np.float32(1) - fraction) * np.float32(_ONE)), np.rint(fraction * np.float32(_ONE))]
    first, second = np.clip(start, 0, source_px - 1), np.clip(start + 1, 0, source_px - 1)
    return np.stack([first, second, weights[0].astype(np.int64), weights[1].astype(np.int64)], axis=1)


def _only_used(rows: np.ndarray, source_px: int) -> Tuple[np.ndarray, FrameRows]:
    """Where each result comes from one row, as 1080p to 640 wide does, the others need not reach the GPU."""
    steps = np.unique(np.diff(rows[:, 0]))
    if rows[:, 3].any() or len(steps) > 1 or (len(steps) == 1 and steps[0] < 1):
        return rows, FrameRows(0, 1, source_px)
    packed = rows.copy()
    packed[:, 0] = packed[:, 1] = np.arange(len(rows))
    return packed, FrameRows(int(rows[0, 0]), int(steps[0]) if len(steps) else 1, len(rows))
