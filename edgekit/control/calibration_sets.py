"""calib_sets/<name>/set.yaml -> a flat folder of checked pictures with one digest, and truth if there are labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from edgekit.control import picture_sets, scene_sets
from edgekit.control.project import Project
from edgekit.control.truth import PictureTruth, Truth, load_coco_truth, load_yolo_truth, make_truth
from edgekit.control.yaml_files import Section, known_names, load_yaml
from edgekit.core.detections import Detections
from edgekit.core.labels import labels_from_mapping, parse_labels_txt
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest
from edgekit.errors import ConfigError, NotFoundError

SET_FILE = "set.yaml"


@dataclass(frozen=True)
class CalibrationSet:
    """A set as its set.yaml names it: scenes to draw, or pictures on disk, and where their labels are."""

    name: str
    folder: Path
    scenes: scene_sets.SceneRecipe | None
    pictures: picture_sets.PictureSource | None
    yolo: Path | None = None  # folder of .txt files
    coco: Path | None = None
    classes: tuple[str, ...] = ()  # of the YOLO labels, by class id


@dataclass(frozen=True)
class MaterialisedSet:
    """A set ready for use. `folder` holds nothing but `paths`, sorted by name.

    sha256 is over names and contents of the pictures, not over labels: Truth.sha256 is. counts: pictures by
    condition, "" where none is known. skipped: pictures that cannot be read, with the reason.
    """

    name: str
    folder: Path
    paths: tuple[Path, ...]
    sha256: str
    counts: Mapping[str, int]
    truth: Truth | None = None
    skipped: tuple[str, ...] = ()


def set_names(project: Project) -> list[str]:
    """Names of the folders in calib_sets/ that hold a set.yaml, sorted."""
    return sorted(path.parent.name for path in project.calib_sets_dir.glob(f"*/{SET_FILE}"))


def load_set(project: Project, name: str) -> CalibrationSet:
    """The set of that name. Raises NotFoundError for an unknown name, ConfigError with every problem of set.yaml."""
    folder = project.calib_sets_dir / name
    names = set_names(project)
    if name not in names:
        raise NotFoundError(
            f"no calibration set named {name!r} in {project.calib_sets_dir}",
            why=known_names(name, names) or "the folder holds no set",
            hint=f"use one of these names, or make {folder / SET_FILE}",
        )
    place = f"calib_sets/{name}/{SET_FILE}"
    document = load_yaml(_Document, folder / SET_FILE, place)
    _check_document(document, place)
    return _set_from_document(document, folder, place)


def materialise(
    project: Project,
    calibration_set: CalibrationSet,
    on_progress: OnProgress,
    labels: Sequence[str] | None = None,
) -> MaterialisedSet:
    """Draw or read the pictures of a set; what was done before is found again by digest and costs nothing.

    With `labels` (a detector's), class ids of the truth are positions in them; without, in the set's own classes.
    Raises CalibrationError if no picture is usable, NotFoundError for missing files, ConfigError for wrong labels.
    """
    project.ensure_state()
    cache = project.cache_dir / "calib_sets"
    if calibration_set.scenes is not None:
        rendered = scene_sets.render_set(calibration_set.name, calibration_set.scenes, cache, on_progress)
        truth = _renumbered(rendered.truth, rendered.classes, labels, calibration_set.name)
        conditions = {name: picture.condition for name, picture in rendered.truth.pictures.items()}
        return _materialised(calibration_set.name, rendered.folder, rendered.digests, conditions, truth, ())
    assert calibration_set.pictures is not None
    view = picture_sets.view_pictures(calibration_set.name, calibration_set.pictures, cache, on_progress)
    truth_on_disk = _truth_on_disk(calibration_set, view, labels)
    return _materialised(calibration_set.name, view.folder, view.digests, view.conditions, truth_on_disk, view.skipped)


class _Images(Section):
    folder: str | None = None
    glob: str | None = None


_Pixels = Annotated[int, Field(ge=64, le=8192)]


class _Scenes(Section):
    split: Literal["train", "val", "test", "calib", "frozen"] = "calib"
    count: int = Field(ge=1, le=100_000)
    width: _Pixels = 1280
    height: _Pixels = 720
    conditions: tuple[str, ...] | Literal["all"] = "all"


class _Labels(Section):
    yolo: str | None = None
    coco: str | None = None
    classes: str | tuple[str, ...] | None = None


class _Document(Section):
    images: _Images | None = None
    scenes: _Scenes | None = None
    labels: _Labels | None = None


def _check_document(document: _Document, place: str) -> None:
    problems = []
    if (document.images is None) == (document.scenes is None):
        problems.append("expected one of images: (pictures on disk) and scenes: (drawn by edgekit)")
    if document.images is not None and (document.images.folder is None) == (document.images.glob is None):
        problems.append("images: expected one of folder: and glob:")
    if document.scenes is not None and document.labels is not None:
        problems.append("labels: scenes bring their own")
    if document.scenes is not None:
        problems += scene_sets.condition_problems(document.scenes.conditions)
    labels = document.labels
    if labels is not None and (labels.yolo is None) == (labels.coco is None):
        problems.append("labels: expected one of yolo: (a folder of .txt files) and coco: (a JSON file)")
    if labels is not None and labels.yolo is not None and labels.classes is None:
        problems.append("labels.classes: missing; a list of class names, or a file with one name a line")
    if problems:
        raise ConfigError(f"{place} cannot be used", problems=[f"{place}: {problem}" for problem in problems])


def _set_from_document(document: _Document, folder: Path, place: str) -> CalibrationSet:
    scenes, pictures = None, None
    if document.scenes is not None:
        scenes = scene_sets.SceneRecipe.of(**document.scenes.model_dump())
    if document.images is not None:
        pictures = picture_sets.PictureSource(folder, document.images.folder, document.images.glob)
    labels = document.labels or _Labels()
    return CalibrationSet(
        name=folder.name,
        folder=folder,
        scenes=scenes,
        pictures=pictures,
        yolo=folder / labels.yolo if labels.yolo else None,
        coco=folder / labels.coco if labels.coco else None,
        classes=_classes(labels.classes, folder, place),
    )


def _classes(given: str | tuple[str, ...] | None, folder: Path, place: str) -> tuple[str, ...]:
    if not isinstance(given, str):
        return labels_from_mapping(given) if given else ()
    try:
        return parse_labels_txt((folder / given).read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{place}: labels.classes: no file {folder / given}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: labels.classes: {folder / given} cannot be read: {error}") from None


def _truth_on_disk(
    calibration_set: CalibrationSet, view: picture_sets.PictureView, labels: Sequence[str] | None
) -> Truth | None:
    if calibration_set.coco is not None:
        names = labels or coco_classes(calibration_set.coco)
        return _only(load_coco_truth(calibration_set.coco, names, dataset=calibration_set.name), view, calibration_set)
    if calibration_set.yolo is not None:
        folder = picture_sets.view_labels(view, calibration_set.yolo)
        paths = [view.folder / name for name in view.digests]
        own = calibration_set.classes
        truth = load_yolo_truth(folder, paths, own, dataset=calibration_set.name, conditions=view.conditions)
        return _renumbered(truth, own, labels, calibration_set.name)
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


def _only(truth: Truth, view: picture_sets.PictureView, calibration_set: CalibrationSet) -> Truth:
    """The truth of the pictures that are there. Every one of them must be in the label file."""
    missing = sorted(set(view.digests) - set(truth.pictures))
    if missing:
        raise ConfigError(
            f"{calibration_set.coco} does not name {len(missing)} of the {len(view.digests)} pictures of the set",
            why=f"the first: {missing[0]}; sub-folders are part of that name, written with two underscores",
            hint="keep the pictures of a set with COCO labels in one folder, without others",
        )
    return make_truth(truth.dataset, {name: truth.pictures[name] for name in view.digests})


def _renumbered(truth: Truth, classes: Sequence[str], labels: Sequence[str] | None, name: str) -> Truth:
    """Truth with class ids as positions in `labels` instead of `classes`."""
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


def _materialised(
    name: str,
    folder: Path,
    digests: Mapping[str, str],
    conditions: Mapping[str, str],
    truth: Truth | None,
    skipped: Sequence[str],
) -> MaterialisedSet:
    names = sorted(digests)
    counts: dict[str, int] = {}
    for picture in names:
        condition = conditions.get(picture, "")
        counts[condition] = counts.get(condition, 0) + 1
    return MaterialisedSet(
        name=name,
        folder=folder,
        paths=tuple(folder / picture for picture in names),
        sha256=digest([[picture, digests[picture]] for picture in names]),
        counts=dict(sorted(counts.items())),
        truth=truth,
        skipped=tuple(skipped),
    )
