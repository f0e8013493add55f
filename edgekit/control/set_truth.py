"""The truth of a set whose labels lie on disk, in the class ids of whoever asks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.control import picture_sets
from edgekit.control.truth import PictureTruth, Truth, load_coco_truth, load_yolo_truth, make_truth
from edgekit.core.detections import Detections
from edgekit.errors import ConfigError, NotFoundError


def truth_on_disk(
    name: str,
    view: picture_sets.PictureView,
    *,
    coco: Path | None,
    yolo: Path | None,
    classes: Sequence[str],
    labels: Sequence[str] | None,
) -> Truth | None:
    """What labels: of a set.yaml says of its pictures; None without labels. classes: names of the YOLO class ids.

    labels: a detector's; None: the set's own. Raises ConfigError for labels that do not fit, NotFoundError for missing.
    """
    if coco is not None:
        return _only(load_coco_truth(coco, labels or coco_classes(coco), dataset=name), view, coco)
    if yolo is not None:
        folder = picture_sets.view_labels(view, yolo)
        paths = [view.folder / picture for picture in view.digests]
        truth = load_yolo_truth(folder, paths, classes, dataset=name, conditions=view.conditions)
        return renumbered(truth, classes, labels, name)
    return None


def coco_classes(path: Path) -> tuple[str, ...]:
    """The category names of a COCO file in the order of their ids. Raises ConfigError if it is something else."""
    try:
        categories = json.loads(path.read_text("utf-8"))["categories"]
        return tuple(str(entry["name"]) for entry in sorted(categories, key=lambda entry: int(entry["id"])))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", hint="check labels: in the set's set.yaml") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a COCO file: {error}") from None


def _only(truth: Truth, view: picture_sets.PictureView, path: Path) -> Truth:
    """The truth of the pictures that are there. Every one of them must be in the label file."""
    missing = sorted(set(view.digests) - set(truth.pictures))
    if missing:
        raise ConfigError(
            f"{path} does not name {len(missing)} of the {len(view.digests)} pictures of the set",
            why=f"the first: {missing[0]}; sub-folders are part of that name, written with two underscores",
            hint="keep the pictures of a set with COCO labels in one folder, without others",
        )
    return make_truth(truth.dataset, {name: truth.pictures[name] for name in view.digests})


def renumbered(truth: Truth, classes: Sequence[str], labels: Sequence[str] | None, name: str) -> Truth:
    """Truth with class ids as positions in `labels` instead of `classes`. ConfigError for a class not in `labels`."""
    if labels is None or tuple(classes) == tuple(labels):
        return truth
    position = {label: index for index, label in enumerate(labels)}
    used = sorted({int(number) for picture in truth.pictures.values() for number in picture.objects.class_ids})
    unknown = [classes[number] for number in used if classes[number] not in position]
    if unknown:
        raise ConfigError(
            f"set {name} has objects of classes that the detector does not know: {', '.join(unknown)}",
            why=f"the detector knows: {', '.join(labels[:20])}",
            hint="use a set made for this detector, or name the classes alike",
        )
    to_new = {number: position[classes[number]] for number in used}
    pictures = {key: _with_ids(picture, to_new) for key, picture in truth.pictures.items()}
    return make_truth(truth.dataset, pictures)


def _with_ids(picture: PictureTruth, to_new: Mapping[int, int]) -> PictureTruth:
    objects = picture.objects
    ids = np.array([to_new[int(number)] for number in objects.class_ids], np.int32)
    return replace(picture, objects=Detections(objects.boxes_xyxy, objects.scores, ids))
