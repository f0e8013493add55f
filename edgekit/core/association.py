"""Which detection is which known object: overlap of boxes, and the pairs that are made by it."""

from __future__ import annotations

import numpy as np

from edgekit.core.detections import Detections


def iou(first_xyxy: np.ndarray, second_xyxy: np.ndarray) -> np.ndarray:
    """(N, M) float32: area that two boxes share over the area that they cover; boxes (N, 4) and (M, 4) with an area."""
    left, top, right, bottom = first_xyxy.T[:, :, None]
    other_left, other_top, other_right, other_bottom = second_xyxy.T[:, None, :]
    width = np.maximum(np.minimum(right, other_right) - np.maximum(left, other_left), 0)
    height = np.maximum(np.minimum(bottom, other_bottom) - np.maximum(top, other_top), 0)
    shared = width * height
    covered = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top) - shared
    return shared / covered  # type: ignore[no-any-return]


def assign(overlap: np.ndarray, objects: np.ndarray, detections: np.ndarray, least: float, rows: np.ndarray) -> None:
    """Pair objects with detections, the largest overlap first, and write each object's detection into rows, in place.

    overlap (N, M); objects (N,) and detections (M,) bool say who may be paired; rows (N,) int, -1 for none. Who has a
    pair already keeps it. Equal overlaps go by row, then by column.
    """
    open_ = objects[:, None] & detections & (overlap >= least) & (overlap > 0)
    taken = rows[rows >= 0]
    open_[rows >= 0] = False
    open_[:, taken] = False
    first, second = np.nonzero(open_)
    order = np.argsort(-overlap[first, second], kind="stable")
    busy = set()
    for row, column in zip(first[order].tolist(), second[order].tolist()):
        if rows[row] < 0 and column not in busy:
            rows[row] = column
            busy.add(column)


def canonical_order(detections: Detections, least_score: float) -> np.ndarray:
    """Row numbers of the detections that can be followed, the surest first, in an order that their own says nothing of.

    Left out are scores below the least, boxes without an area and boxes that are no numbers.
    """
    boxes, scores = detections.boxes_xyxy, detections.scores
    with np.errstate(invalid="ignore"):
        good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (scores >= least_score)
    good &= np.isfinite(boxes).all(axis=1)
    rows = np.flatnonzero(good)
    keys = (detections.class_ids[rows], *boxes[rows].T[::-1], -scores[rows])
    return rows[np.lexsort(keys)]
