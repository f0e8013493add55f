"""The truth of a set whose labels lie on disk, in the class ids of whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.control.evaluation.truth import PictureTruth, Truth, load_coco_truth, load_yolo_truth, make_truth
from edgekit.control.labels.picture_names import PictureNames
from edgekit.control.sets import picture_sets
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
    partial: bool = False,
) -> Truth | None:
    """What labels: of a set.yaml says of its pictures; None without labels. classes: names of the YOLO class ids.

    labels: a detector's; None: the set's own. partial: pictures that the labels do not name are left out of the truth.
    Raises ConfigError for labels that do not fit, NotFoundError for missing ones.
    """
    if coco is not None:
        return coco_truth(name, view.digests, coco, labels, partial=partial)
    if yolo is not None:
        folder = picture_sets.view_labels(view, yolo)
        paths = [view.folder / picture for picture in view.digests]
        if partial:
            paths = [path for path in paths if (folder / f"{path.stem}.txt").is_file()]
        truth = load_yolo_truth(folder, paths, classes, dataset=name, conditions=view.conditions)
        return renumbered(truth, classes, labels, name)
    return None


def coco_truth(name: str, pictures: Iterable[str], coco: Path, labels: Sequence[str] | None, *, partial: bool) -> Truth:
    """The truth of a set's pictures from a COCO file, in class ids of `labels`, a detector's, or else of the file.

    The file may call a picture by the end of its name in the set, "0001.jpg" for "night__0001.jpg", if no other ends
    like it. partial: those that it does not name are left out. Raises ConfigError for labels that do not fit.
    """
    truth = load_coco_truth(coco, labels or coco_classes(coco), dataset=name)
    names = PictureNames(pictures)
    found = {names.find(given): picture for given, picture in truth.pictures.items()}
    known = {picture: found[picture] for picture in names.all if picture in found}
    if len(known) < len(names.all) and not partial:
        _refuse_unnamed([picture for picture in names.all if picture not in known], len(names.all), coco)
    return make_truth(truth.dataset, known)


def coco_classes(path: Path) -> tuple[str, ...]:
    """The category names of a COCO file in the order of their ids. Raises ConfigError if it is something else."""
    try:
        categories = json.loads(path.read_text("utf-8"))["categories"]
        return tuple(str(entry["name"]) for entry in sorted(categories, key=lambda entry: int(entry["id"])))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", hint="check labels: in the set's set.yaml") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a COCO file: {error}") from None


def _refuse_unnamed(missing: Sequence[str], pictures: int, path: Path) -> None:
    raise ConfigError(
        f"{path} does not name {len(missing)} of the {pictures} pictures of the set",
        why=f"the first: {missing[0]}; sub-folders are part of that name, written with two underscores",
        hint="if nobody has labelled them yet, say so in set.yaml: labels: {coco: ..., partial: true}",
    )


def renumbered(truth: Truth, classes: Sequence[str], labels: Sequence[str] | None, name: str) -> Truth:
    """Truth with class ids as positions in `labels` instead of `classes`. ConfigError for a class not in `labels`."""
    if labels is None or tuple(classes) == tuple(labels):
        return truth
    position = {label: index for index, label in enumerate(labels)}
    boxes = [part for picture in truth.pictures.values() for part in (picture.objects, picture.crowd)]
    used = sorted({int(number) for part in boxes for number in part.class_ids})
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
    return replace(picture, objects=_renamed(picture.objects, to_new), crowd=_renamed(picture.crowd, to_new))


def _renamed(boxes: Detections, to_new: Mapping[int, int]) -> Detections:
    ids = np.array([to_new[int(number)] for number in boxes.class_ids], np.int32)
    return Detections(boxes.boxes_xyxy, boxes.scores, ids)
