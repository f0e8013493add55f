"""Average precision of one set under any weights of its pictures: what the bootstrap needs, and it gives COCO's figure.

Which detection hits which object is settled picture by picture and does not depend on the other pictures. So it is done
once; a resample only changes how often each picture counts, and average precision is computed anew from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.control.evaluation.accuracy import MAX_DETECTIONS
from edgekit.control.evaluation.truth import PictureTruth, Truth
from edgekit.core.detections import Detections

IOUS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_LATE = np.arange(101) / 100 < _RECALLS  # recalls that a rounding error of COCO's table puts out of exact reach
_MOST_ELEMENTS = 8_000_000  # of an array, when many draws are judged at a time


@dataclass(frozen=True)
class _Class:
    """The detections of one class over all pictures, best score first, and how many objects each picture has.

    picture (D,); hit and counted (10, D) bool for the IoU thresholds; objects (P,) without crowds.
    """

    picture: np.ndarray
    hit: np.ndarray
    counted: np.ndarray
    objects: np.ndarray


@dataclass(frozen=True)
class Matches:
    """What one engine hit, by class; pictures in the order of `names`."""

    names: tuple[str, ...]
    classes: tuple[_Class, ...]


def match(truth: Truth, predictions: Mapping[str, PictureTruth], classes: int) -> Matches:
    """Settle hits as the COCO evaluation does: best score first, each detection takes the best free object of its class
    that overlaps enough, crowds swallow what fits nothing else; at most 100 detections a picture and class."""
    names = tuple(truth.pictures)
    return Matches(names, tuple(_match_class(truth, predictions, names, number) for number in range(classes)))


def mean_ap(matches: Matches, weights: np.ndarray) -> float:
    """mAP50-95 if picture i counts weights[i] times; classes without an object in them are left out, 0 without any."""
    values = [ap for one in matches.classes if (ap := _average_precision(one, weights)) is not None]
    return float(np.mean(values)) if values else 0.0


def mean_ap_each(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """(R,) mAP50-95 for each row of weights (R, P) of whole numbers: what `mean_ap` gives, of many draws at a time."""
    per_draw = weights.T.astype(np.float32)
    total, known = np.zeros(len(weights)), np.zeros(len(weights))
    for one in matches.classes:
        objects = weights @ one.objects
        judged = objects > 0
        if judged.any():
            total[judged] += _average_precision_each(one, per_draw[:, judged], objects[judged])
            known += judged
    return total / np.maximum(known, 1.0)


def of_pictures(matches: Matches, rows: np.ndarray) -> Matches:
    """The same, of the pictures in those rows alone."""
    if len(rows) == len(matches.names):
        return matches
    position = np.full(len(matches.names), -1)
    position[rows] = np.arange(len(rows))
    classes = []
    for one in matches.classes:
        used = position[one.picture] >= 0
        classes.append(_Class(position[one.picture[used]], one.hit[:, used], one.counted[:, used], one.objects[rows]))
    return Matches(tuple(matches.names[row] for row in rows), tuple(classes))


def _average_precision(one: _Class, weights: np.ndarray) -> float | None:
    """Mean over the ten thresholds of COCO's 101-point average precision; None without an object."""
    objects = float(weights @ one.objects)
    if objects <= 0:
        return None
    of_detection = weights[one.picture]
    used = of_detection > 0
    of_detection = of_detection[used]
    hits = np.cumsum(one.hit[:, used] * of_detection, axis=1)
    tried = np.cumsum(one.counted[:, used] * of_detection, axis=1)
    precision = hits / np.maximum(tried, np.finfo(float).tiny)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return float(np.mean([_sampled(row, best) for row, best in zip(hits / objects, envelope, strict=True)]))


def _average_precision_each(one: _Class, per_draw: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """(R,) from per_draw (P, R) and the objects of each draw (R,), all above 0; in parts that fit into memory."""
    last = int(np.flatnonzero(one.hit.any(axis=0)).max(initial=-1)) + 1  # what follows the last hit changes nothing
    if last == 0:
        return np.zeros(per_draw.shape[1])
    parts = [slice(begin, begin + _width(last)) for begin in range(0, per_draw.shape[1], _width(last))]
    return np.concatenate([_part_each(one, last, per_draw[:, part], objects[part]) for part in parts])


def _width(detections: int) -> int:
    return max(1, _MOST_ELEMENTS // detections)


def _part_each(one: _Class, last: int, per_draw: np.ndarray, objects: np.ndarray) -> np.ndarray:
    weights = per_draw[one.picture[:last]]
    tried_by = np.cumsum(weights, axis=0)
    found = np.zeros(per_draw.shape[1])
    for hit, counted in zip(one.hit[:, :last], one.counted[:, :last], strict=True):
        at = np.flatnonzero(hit)
        if len(at):
            tried = tried_by[at]
            swallowed = np.flatnonzero(~counted)
            if len(swallowed):
                before = np.cumsum(weights[swallowed], axis=0)
                tried -= np.concatenate([np.zeros_like(before[:1]), before])[np.searchsorted(swallowed, at)]
            found += _sampled_each(np.cumsum(weights[at], axis=0), tried, objects.astype(np.float32))
    return found / len(one.hit)


def _sampled_each(hits: np.ndarray, tried: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """101-point average precision (R,) from the weights of hits and of all tries at each hit, (H, R).

    Precision is highest at hits, so nothing else is needed. All are whole numbers below 2**24, exact in float32.
    """
    precision = hits / np.maximum(tried, np.finfo(np.float32).tiny)
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    percent = 100 * hits / objects
    whole = np.floor(percent)
    reached = whole + 1 - ((percent == whole) & _LATE[whole.astype(np.int8)])
    steps = np.diff(reached, axis=0, prepend=np.float32(0))
    return np.asarray(np.einsum("hr,hr->r", steps, envelope, dtype=np.float64) / len(_RECALLS))


def _sampled(recall: np.ndarray, envelope: np.ndarray) -> float:
    at = np.searchsorted(recall, _RECALLS, side="left")
    reached = at < len(recall)
    return float(envelope[at[reached]].sum() / len(_RECALLS))


def _match_class(truth: Truth, predictions: Mapping[str, PictureTruth], names: Sequence[str], number: int) -> _Class:
    scores, pictures, hits, counted, objects = [], [], [], [], []
    for index, name in enumerate(names):
        real, found = truth.pictures[name], _of_class(predictions[name].objects, number)
        plain, crowd = _of_class(real.objects, number), _of_class(real.crowd, number)
        objects.append(len(plain))
        found = found.select(np.argsort(-found.scores, kind="stable")[:MAX_DETECTIONS])
        hit, counts = _match_picture(found.boxes_xyxy, plain.boxes_xyxy, crowd.boxes_xyxy)
        scores.append(found.scores)
        pictures.append(np.full(len(found), index))
        hits.append(hit)
        counted.append(counts)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _Class(
        np.concatenate(pictures)[order].astype(np.int64),
        np.concatenate(hits, axis=1)[:, order],
        np.concatenate(counted, axis=1)[:, order],
        np.array(objects, np.float64),
    )


def _of_class(objects: Detections, number: int) -> Detections:
    return objects.select(objects.class_ids == number)


def _match_picture(found: np.ndarray, plain: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hit, counted), each (10, D) bool, for the detections of one picture and class, best score first."""
    thresholds = np.minimum(IOUS, 1 - 1e-10)[:, None]
    overlap, swallowed = overlaps(found, plain), overlaps(found, crowd, of_found=True)
    free = np.ones((len(IOUS), len(plain)), bool)
    hit, counted = np.zeros((len(IOUS), len(found)), bool), np.ones((len(IOUS), len(found)), bool)
    for index in range(len(found)):
        fits = np.where(free & (overlap[index] >= thresholds), overlap[index], -1.0)
        if len(plain):
            best = fits.shape[1] - 1 - np.argmax(fits[:, ::-1], axis=1)  # of equals the last, as COCO takes
            hit[:, index] = fits.max(axis=1) >= 0
            rows = np.flatnonzero(hit[:, index])
            free[rows, best[rows]] = False
        if len(crowd):
            counted[:, index] = hit[:, index] | (swallowed[index].max() < thresholds[:, 0])
    return hit, counted


def overlaps(found: np.ndarray, real: np.ndarray, *, of_found: bool = False) -> np.ndarray:
    """IoU (D, G) float64; of_found: the intersection over the detection's own area, as crowds are judged by."""
    a, b = found.astype(np.float64)[:, None, :], real.astype(np.float64)[None, :, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=2)
    area_a = np.prod(np.maximum(a[..., 2:] - a[..., :2], 0.0), axis=2)
    area_b = np.prod(np.maximum(b[..., 2:] - b[..., :2], 0.0), axis=2)
    whole = area_a if of_found else area_a + area_b - shared
    return np.asarray(shared / np.maximum(whole, 1e-12))
