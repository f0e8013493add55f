"""Non-maximum suppression and COCO-style average precision in plain numpy, for training and evaluation.

The same figures as pycocotools with all areas and 100 detections, with one difference: pycocotools takes the best 100
of a picture for each class, `found_in_output` keeps the best 100 of all classes together, as a detector reports them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

IOU_STEPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_DETECTIONS = 100  # of one picture, over all classes


class Found(NamedTuple):
    """boxes (N, 4) xyxy, scores (N,) in [0, 1], class_ids (N,); the best first."""

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


class Truth(NamedTuple):
    """boxes (M, 4) xyxy and class_ids (M,)."""

    boxes: np.ndarray
    class_ids: np.ndarray


def iou_matrix(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (N, M) of two lists of boxes."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared + 1e-9)


def found_in_output(output: np.ndarray, least: float = 0.001, most_iou: float = 0.7, candidates: int = 400) -> Found:
    """What one picture's output0 (4 + C, A) says, after suppression within each class."""
    scores_all = output[4:]
    class_ids, anchors = np.nonzero(scores_all > least)
    scores = scores_all[class_ids, anchors]
    order = np.argsort(-scores, kind="stable")[:candidates]
    class_ids, anchors, scores = class_ids[order], anchors[order], scores[order]
    centre, half = output[:2, anchors].T, output[2:4, anchors].T / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    kept = _suppressed(boxes + class_ids[:, None] * 10_000.0, most_iou)[:MOST_DETECTIONS]
    return Found(boxes[kept], scores[kept], class_ids[kept])


def _suppressed(boxes: np.ndarray, most_iou: float) -> np.ndarray:
    """Rows to keep, best first; boxes must be sorted by score."""
    overlaps = iou_matrix(boxes, boxes) > most_iou
    alive = np.ones(len(boxes), bool)
    for row in range(len(boxes)):
        if alive[row]:
            alive[row + 1 :] &= ~overlaps[row, row + 1 :]
    return np.flatnonzero(alive)


def average_precisions(found: list[Found], truth: list[Truth], classes: int) -> np.ndarray:
    """AP (classes, 10) at IoU 0.50 to 0.95, COCO's 101-point rule; NaN for a class without truth."""
    table = np.full((classes, len(IOU_STEPS)), np.nan)
    for class_id in range(classes):
        total = sum(int((one.class_ids == class_id).sum()) for one in truth)
        if total:
            scores, hits = _matched(found, truth, class_id)
            order = np.argsort(-scores, kind="stable")
            table[class_id] = [_precision_area(hits[order, step], total) for step in range(len(IOU_STEPS))]
    return table


def _matched(found: list[Found], truth: list[Truth], class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (K,) and hits (K, 10) of every detection of a class: each truth box counts once, for the best score."""
    scores, hits = [np.zeros(0)], [np.zeros((0, len(IOU_STEPS)), bool)]
    for one, real in zip(found, truth):
        mine = one.class_ids == class_id
        boxes = real.boxes[real.class_ids == class_id]
        scores.append(one.scores[mine])
        hits.append(_hits(iou_matrix(one.boxes[mine], boxes)))
    return np.concatenate(scores), np.concatenate(hits)


def _hits(overlaps: np.ndarray) -> np.ndarray:
    hits = np.zeros((overlaps.shape[0], len(IOU_STEPS)), bool)
    for step, least in enumerate(IOU_STEPS):
        free = np.ones(overlaps.shape[1], bool)
        for row in range(overlaps.shape[0] if overlaps.shape[1] else 0):
            best = np.where(free, overlaps[row], -1.0)
            column = int(best.argmax())
            if best[column] >= least:
                free[column], hits[row, step] = False, True
    return hits


def _precision_area(hits: np.ndarray, total: int) -> float:
    right = np.cumsum(hits)
    recall = right / total
    precision = right / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    # Beyond the highest recall that was reached precision counts as 0.
    return float(np.append(envelope, 0.0)[places].mean())


def mean_ap(table: np.ndarray) -> tuple[float, float]:
    """mAP50-95 and mAP50 over the classes that have truth."""
    return float(np.nanmean(table)), float(np.nanmean(table[:, 0]))
