"""Accuracy of an engine: COCO average precision of its predictions on a labelled set."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.control.evaluation.truth import PictureTruth, Truth
from edgekit.core.detections import Detections
from edgekit.core.gate import stratum_order
from edgekit.core.results import Accuracy
from edgekit.errors import ConfigError, VerifyError

MAX_DETECTIONS = 100  # a picture and class, as the COCO evaluation counts
# Areas of the labelled box in px², from and to. Source: cocodataset.org, detection evaluation, metrics.
SIZES: Mapping[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
_IOU_50 = 0  # index of IoU 0.50 among the ten thresholds 0.50, 0.55 .. 0.95


def evaluate(
    predictions_path: Path,
    truth: Truth,
    labels: Sequence[str],
    strata: Mapping[str, tuple[str, ...]] | None = None,
) -> Accuracy:
    """COCO average precision of a file written by the device's verb `predict`. strata: by picture, told if given.

    Classes without an object in the truth are left out of the mean. Pictures of the file that the truth does not know
    are ignored; a picture of the truth that the file lacks is an error. A condition or stratum is judged on its own
    pictures, a size on all of them: objects of other sizes neither count nor harm.
    Raises ConfigError for a truth without objects, VerifyError for a damaged, incomplete or foreign file.
    """
    predictions = load_predictions(predictions_path)
    check_comparable(predictions, truth, len(labels), str(predictions_path))
    session = _CocoSession(truth, predictions, len(labels))
    by_size = session.precision(sorted(truth.pictures), tuple(SIZES))
    precision, conditions = by_size["all"], _by_condition(truth)
    return Accuracy(
        dataset=truth.dataset,
        dataset_sha256=truth.sha256,
        images=len(truth.pictures),
        map50_95=_mean(precision),
        map50=_mean(precision[_IOU_50]),
        per_condition={name: _mean(session.precision(pictures)["all"]) for name, pictures in conditions.items()},
        per_class={
            labels[class_id]: _mean(precision[:, :, class_id])
            for class_id in range(len(labels))
            if (precision[:, :, class_id] > -1).any()
        },
        per_stratum={
            name: _mean(session.precision(sorted(pictures))["all"])
            for name, pictures in pictures_by_stratum(truth, strata or {}).items()
            if name not in conditions and any(len(truth.pictures[picture].objects) for picture in pictures)
        },
        per_size={name: _mean(by_size[name]) for name in SIZES if name != "all" and (by_size[name] > -1).any()},
    )


def load_predictions(path: Path) -> dict[str, PictureTruth]:
    """Picture name -> size and detections in picture pixels, from JSON lines as `core.requests.PredictRequest` says."""
    found: dict[str, PictureTruth] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(f"the predictions {path} cannot be read", why=str(error)) from error
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            name = record["image"]
            detections = Detections.from_records(record["detections"])
            picture = PictureTruth(record["width"], record["height"], detections)
        except (ValueError, KeyError, TypeError) as error:
            raise VerifyError(f"{path}:{number}: not a prediction: {line[:60]!r}", why=repr(error)) from error
        if name in found:
            raise VerifyError(f"{path}:{number}: picture {name!r} was already predicted")
        found[name] = picture
    return found


def check_comparable(predictions: Mapping[str, PictureTruth], truth: Truth, classes: int, source: str) -> None:
    """Raise unless every picture of the truth was predicted, at its size, by a detector of that many classes.

    ConfigError for a truth without objects, VerifyError for the predictions. source: where they come from.
    """
    _check_truth(truth, classes)
    _check_predictions(predictions, truth, classes, source)


def _check_truth(truth: Truth, classes: int) -> None:
    class_ids = [int(value) for picture in truth.pictures.values() for value in picture.objects.class_ids]
    if not class_ids:
        raise ConfigError(
            f"{truth.dataset} has {len(truth.pictures)} pictures and no labelled object",
            why="accuracy is measured against labelled objects",
            hint="add labels: to the set's set.yaml, or name another set as frozen: in detector.yaml",
        )
    if not 0 <= min(class_ids) <= max(class_ids) < classes:
        raise ConfigError(
            f"{truth.dataset} has class ids from {min(class_ids)} to {max(class_ids)}, "
            f"the detector knows 0 to {classes - 1}"
        )


def _check_predictions(predictions: Mapping[str, PictureTruth], truth: Truth, classes: int, source: str) -> None:
    missing = [name for name in truth.pictures if name not in predictions]
    if missing:
        raise VerifyError(
            f"{len(missing)} of {len(truth.pictures)} pictures of {truth.dataset} have no prediction",
            why=f"the first is {missing[0]}; {source} is incomplete, or belongs to another set",
        )
    for name, real in truth.pictures.items():
        picture = predictions[name]
        if (picture.width_px, picture.height_px) != (real.width_px, real.height_px):
            raise VerifyError(
                f"{name} was predicted at {picture.width_px}x{picture.height_px}, "
                f"its labels are for {real.width_px}x{real.height_px}"
            )
        _check_objects(name, picture.objects, classes)


def _check_objects(name: str, found: Detections, classes: int) -> None:
    if not np.isfinite(found.boxes_xyxy).all() or not np.isfinite(found.scores).all():
        raise VerifyError(f"{name} has a box or score that is not a number", why="the engine's outputs are broken")
    if len(found) and not 0 <= found.class_ids.min() <= found.class_ids.max() < classes:
        raise VerifyError(f"{name} has a class id outside 0 to {classes - 1}", why="the engine is another detector's")


def _by_condition(truth: Truth) -> dict[str, list[str]]:
    """Condition -> its pictures, for conditions in which there is an object to find."""
    groups = {
        condition: [name for name, picture in truth.pictures.items() if picture.condition == condition]
        for condition in truth.conditions
    }
    return {
        condition: names
        for condition, names in groups.items()
        if any(len(truth.pictures[name].objects) for name in names)
    }


def pictures_by_stratum(truth: Truth, strata: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Stratum -> its pictures, in the order of `stratum_order`. strata: picture name -> what it counts for.

    Left out are strata of all pictures, and those of the very same pictures as one before.
    """
    named = {name for picture in truth.pictures for name in strata.get(picture, ())}
    told = {frozenset(truth.pictures)}
    groups = {}
    for name in sorted(named, key=stratum_order):
        pictures = frozenset(picture for picture in truth.pictures if name in strata.get(picture, ()))
        if pictures not in told:
            groups[name] = pictures
            told.add(pictures)
    return groups


def _mean(precision: np.ndarray) -> float:
    """The mean over all entries that count; -1 marks a class without truth."""
    counted = precision[precision > -1]
    return round(float(counted.mean()), 6) if counted.size else 0.0


class _CocoSession:
    """Truth and predictions as faster-coco-eval wants them, read once and judged on any subset of the pictures."""

    def __init__(self, truth: Truth, predictions: dict[str, PictureTruth], classes: int) -> None:
        from faster_coco_eval import COCO

        logging.getLogger("faster_coco_eval").setLevel(logging.ERROR)
        self._ids = {name: index + 1 for index, name in enumerate(sorted(truth.pictures))}
        self._classes = classes
        dataset = {
            "info": {},
            "images": [
                {"id": self._ids[name], "width": picture.width_px, "height": picture.height_px, "file_name": name}
                for name, picture in truth.pictures.items()
            ],
            "categories": [{"id": class_id + 1, "name": str(class_id)} for class_id in range(classes)],
            "annotations": _numbered(
                annotation
                for name, picture in truth.pictures.items()
                for annotation in _truth_annotations(self._ids[name], picture)
            ),
        }
        self._truth = COCO(dataset)
        self._found = self._truth.loadRes(
            [
                box
                for name in sorted(truth.pictures)
                for box in _scored_boxes(self._ids[name], predictions[name].objects)
            ]
        )

    def precision(self, names: Sequence[str], sizes: Sequence[str] = ("all",)) -> dict[str, np.ndarray]:
        """Size -> precision (10 IoU thresholds, 101 recalls, classes) on the named pictures; -1 without truth."""
        from faster_coco_eval import COCOeval_faster

        session = COCOeval_faster(self._truth, self._found, iouType="bbox")
        session.params.imgIds = [self._ids[name] for name in names]
        session.params.catIds = list(range(1, self._classes + 1))
        session.params.maxDets = [MAX_DETECTIONS]
        session.params.areaRng = [list(SIZES[size]) for size in sizes]
        session.params.areaRngLbl = list(sizes)
        session.evaluate()
        session.accumulate()
        precision = np.asarray(session.eval["precision"], np.float64).reshape(10, 101, self._classes, len(sizes))
        return {size: precision[..., index] for index, size in enumerate(sizes)}


def _boxes(image_id: int, objects: Detections) -> list[dict[str, Any]]:
    boxes = objects.boxes_xyxy.astype(np.float64)
    return [
        {
            "image_id": image_id,
            "category_id": int(class_id) + 1,
            # A box turned inside out would get an overlap out of the library's arithmetic: here it has no area.
            "bbox": [left, top, max(0.0, right - left), max(0.0, bottom - top)],
            "area": max(0.0, right - left) * max(0.0, bottom - top),
        }
        for (left, top, right, bottom), class_id in zip(boxes.tolist(), objects.class_ids, strict=True)
    ]


def _scored_boxes(image_id: int, found: Detections) -> list[dict[str, Any]]:
    return [{**box, "score": float(score)} for box, score in zip(_boxes(image_id, found), found.scores, strict=True)]


def _truth_annotations(image_id: int, picture: PictureTruth) -> list[dict[str, Any]]:
    return [
        *({**box, "iscrowd": 0} for box in _boxes(image_id, picture.objects)),
        *({**box, "iscrowd": 1} for box in _boxes(image_id, picture.crowd)),
    ]


def _numbered(annotations: Any) -> list[dict[str, Any]]:
    return [{**annotation, "id": index} for index, annotation in enumerate(annotations, start=1)]
