"""A set as labels see it: its classes, and for each picture its boxes by class name, if somebody labelled it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.control.detectors import Detector
from edgekit.control.evaluation.truth import PictureTruth, picture_size
from edgekit.control.labels.boxes import HandedPicture, LabelBox
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import CalibrationSet, MaterialisedSet, coco_classes, load_set, materialise
from edgekit.control.sets.coverage import choose_detector
from edgekit.core.detections import Detections
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError


@dataclass(frozen=True)
class LabelledSet:
    """A set with its labels. pictures: name -> the picture, with origin "labels", or "none" if nobody labelled it."""

    wanted: CalibrationSet
    made: MaterialisedSet
    classes: tuple[str, ...]
    pictures: Mapping[str, HandedPicture]

    @property
    def labelled(self) -> int:
        """How many pictures somebody has labelled."""
        return sum(picture.labelled for picture in self.pictures.values())


def load_labelled(
    project: Project,
    name: str,
    detector: str | None,
    on_progress: OnProgress,
    further_classes: Sequence[str] = (),
) -> LabelledSet:
    """A set with its labels. Its classes are its own, then those that it lacks of a detector, then further ones.

    detector: one of the project, "none", or None for one that uses the set, or any if the set has no classes. Raises
    what `load_set` and `materialise` do, and UsageError if there are no classes at all.
    """
    wanted = load_set(project, name)
    own = own_classes(project, wanted)
    classes = tuple(dict.fromkeys([*own, *_detector_classes(project, name, detector, own), *further_classes]))
    if not classes:
        raise UsageError(
            f"set {name} has no labels, and no detector says what classes there are",
            hint="name a detector of this project: --detector NAME",
        )
    made = materialise(project, wanted, on_progress, classes)
    truths = made.truth.pictures if made.truth else {}
    pictures = {}
    for done, path in enumerate(made.paths, start=1):
        truth = truths.get(path.name)
        condition = made.conditions.get(path.name, "")
        if truth is None:
            on_progress(f"sizes of set {name}", done, len(made.paths))
            pictures[path.name] = HandedPicture(path.name, *picture_size(path), "none", (), condition)
        else:
            pictures[path.name] = _labelled(path.name, truth, classes, condition)
    return LabelledSet(wanted, made, classes, pictures)


def _detector_classes(project: Project, name: str, detector: str | None, own: Sequence[str]) -> tuple[str, ...]:
    chosen = choose_detector(project, name, detector)
    if chosen is None:
        return ()
    is_meant = detector is not None or name in (chosen.calibration, chosen.frozen)
    return chosen.spec.labels if is_meant or not own else ()


def own_classes(project: Project, wanted: CalibrationSet) -> tuple[str, ...]:
    """The classes that the labels of a set have, by class id; empty without labels. Raises as `load_set` does."""
    if wanted.coco is not None:
        return coco_classes(wanted.coco)
    if wanted.yolo is not None:
        return wanted.classes
    if wanted.scenes is not None:
        from edgekit.scenes import CLASSES

        return tuple(CLASSES)
    parts = wanted.pick.from_sets if wanted.pick else ()
    return tuple(dict.fromkeys(label for part in parts for label in own_classes(project, load_set(project, part))))


def boxes_of(found: Detections, classes: Sequence[str], *, crowd: bool = False) -> tuple[LabelBox, ...]:
    """Detections in picture pixels as boxes by name."""
    return tuple(
        LabelBox(classes[class_id], (left, top, right, bottom), crowd, score)
        for (left, top, right, bottom), class_id, score in zip(
            found.boxes_xyxy.astype(float).tolist(),
            found.class_ids.tolist(),
            found.scores.astype(float).tolist(),
            strict=True,
        )
    )


def _labelled(name: str, truth: PictureTruth, classes: Sequence[str], condition: str) -> HandedPicture:
    boxes = (*boxes_of(truth.objects, classes), *boxes_of(truth.crowd, classes, crowd=True))
    return HandedPicture(name, truth.width_px, truth.height_px, "labels", boxes, truth.condition or condition)


def proposals(
    detector: Detector, labelled: LabelledSet, names: Sequence[str], on_progress: OnProgress
) -> dict[str, tuple[LabelBox, ...]]:
    """What a detector's model sees in these pictures, at its own thresholds, in FP32 on this machine.

    Raises VerifyError for a picture that can no longer be read.
    """
    from edgekit.control.sets.embeddings import Backbone

    backbone = Backbone(detector.model_path, detector.spec)
    found = {}
    for done, name in enumerate(names, start=1):
        picture = labelled.pictures[name]
        seen = backbone.see(labelled.made.folder / name, picture.width_px, picture.height_px)
        found[name] = boxes_of(seen.found, detector.spec.labels)
        on_progress(f"boxes of {detector.name}", done, len(names))
    return found
