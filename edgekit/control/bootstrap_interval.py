"""How sure a difference of accuracy is: both engines saw the same pictures, so the pictures are drawn again, in pairs.

Which detection hits which object is settled picture by picture and does not depend on the other pictures. So it is done
once; a resample only changes how often each picture counts, and average precision is computed anew from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.control.evaluate import MAX_DETECTIONS
from edgekit.control.truth import PictureTruth, Truth
from edgekit.core.detections import Detections

IOUS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval: the 2.5 and 97.5 percentiles over the resamples."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """True if zero lies outside."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class PairedDifference:
    """mAP50-95 of the second less that of the first, 0 to 1: over all pictures, and over those of each condition."""

    overall: Interval
    per_condition: dict[str, Interval]
    resamples: int


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


def paired_difference(
    truth: Truth, first: Matches, second: Matches, *, resamples: int = 1000, seed: int = 0
) -> PairedDifference:
    """Second less first with intervals. Pictures are drawn again within their condition, as many as there were, and
    both engines are judged on the same draw; the spread of the differences is the interval."""
    conditions = np.array([truth.pictures[name].condition for name in first.names])
    groups = {str(name): np.flatnonzero(conditions == name) for name in np.unique(conditions)}
    rng = np.random.default_rng(seed)
    ones = np.ones(len(conditions))
    draws = [_draw(groups, len(conditions), rng) for _ in range(resamples)]
    named = {name: rows for name, rows in groups.items() if name}
    return PairedDifference(
        overall=_interval(first, second, ones, draws),
        per_condition={
            name: _interval(first, second, _only(ones, rows), [_only(draw, rows) for draw in draws])
            for name, rows in named.items()
        },
        resamples=resamples,
    )


def _draw(groups: Mapping[str, np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(count)
    for rows in groups.values():
        weights += np.bincount(rng.choice(rows, len(rows)), minlength=count)
    return weights


def _only(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(weights)
    kept[rows] = weights[rows]
    return kept


def _interval(first: Matches, second: Matches, ones: np.ndarray, draws: Sequence[np.ndarray]) -> Interval:
    spread = [mean_ap(second, draw) - mean_ap(first, draw) for draw in draws]
    low, high = np.percentile(spread, [2.5, 97.5])
    return Interval(round(mean_ap(second, ones) - mean_ap(first, ones), 6), round(float(low), 6), round(float(high), 6))


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
    overlap, swallowed = _overlaps(found, plain), _overlaps(found, crowd, of_found=True)
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


def _overlaps(found: np.ndarray, real: np.ndarray, *, of_found: bool = False) -> np.ndarray:
    """IoU (D, G) float64; of_found: the intersection over the detection's own area, as crowds are judged by."""
    a, b = found.astype(np.float64)[:, None, :], real.astype(np.float64)[None, :, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=2)
    area_a = np.prod(np.maximum(a[..., 2:] - a[..., :2], 0.0), axis=2)
    area_b = np.prod(np.maximum(b[..., 2:] - b[..., :2], 0.0), axis=2)
    whole = area_a if of_found else area_a + area_b - shared
    return np.asarray(shared / np.maximum(whole, 1e-12))
