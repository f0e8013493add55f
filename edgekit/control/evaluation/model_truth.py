"""What the model itself says of a set, at full precision on this machine: the yardstick where nobody labelled it.

An engine is then judged by how far it agrees with its model. That tells what quantisation did; it does not tell how
good the model is, and whoever shows such a figure says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.evaluation.accuracy import load_predictions
from edgekit.control.evaluation.predictions import known_predictions, note_predictions
from edgekit.control.evaluation.truth import PictureTruth, Truth, make_truth, objects_from_boxes, picture_size
from edgekit.control.once import Once
from edgekit.control.project import Project
from edgekit.control.reference import reference_outputs
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.detections import Detections
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PredictRequest
from edgekit.core.stats import LatencySummary
from edgekit.core.wire import digest, to_wire
from edgekit.files import replacing

_AT_ONCE = 16  # pictures whose raw outputs are held at a time
_NOT_TIMED = LatencySummary(0, 0.0, 0.0, 0.0, 0.0, None, 0.0)
_SHARED = Once()


def truth_from_model(project: Project, detector: Detector, made: MaterialisedSet, on_progress: OnProgress) -> Truth:
    """The FP32 model's answers that reach the detector's confidence, as if they were labels. Asked once for each set.

    They are cut from `model_predictions`, so that the model agrees with itself: its own mAP50-95 is 1. Raises
    VerifyError for a picture that cannot be read.
    """
    answers = load_predictions(model_predictions(project, detector, made, on_progress))
    return make_truth(made.name, {name: _sure(answers[name], detector, made, name) for name in answers})


def _sure(answer: PictureTruth, detector: Detector, made: MaterialisedSet, name: str) -> PictureTruth:
    found = answer.objects.select(answer.objects.scores >= detector.spec.confidence)
    objects = objects_from_boxes(found.boxes_xyxy, found.class_ids)
    return PictureTruth(answer.width_px, answer.height_px, objects, made.conditions.get(name, ""))


def model_predictions(project: Project, detector: Detector, made: MaterialisedSet, on_progress: OnProgress) -> Path:
    """The FP32 model's answers in the form of the verb `predict`, down to its low threshold. Raises VerifyError."""
    key = digest([to_wire(detector.spec), made.sha256])[:16]
    path = project.cache_dir / "predictions" / "model" / f"{detector.name}-{key}.jsonl"

    def make() -> Path:
        if known_predictions(path) is None:
            _ask_model(path, detector, made, on_progress)
        return path

    return _SHARED.get(str(path), make)


def _ask_model(path: Path, detector: Detector, made: MaterialisedSet, on_progress: OnProgress) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as lines:
        for done, (picture, (width, height), found) in enumerate(_seen(detector, made.paths), start=1):
            record = {"image": picture.name, "width": width, "height": height, "detections": found.to_records()}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            on_progress(f"the model on set {made.name}", done, len(made.paths))
    note_predictions(path, _NOT_TIMED)


def _seen(detector: Detector, paths: Sequence[Path]) -> Iterator[tuple[Path, tuple[int, int], Detections]]:
    """(picture, its width and height, what the model finds in it), boxes in picture pixels."""
    spec, remaining = detector.spec, iter(paths)
    best = spec.profile.optimum
    asked = {name: getattr(PredictRequest, name) for name in ("confidence", "iou", "max_detections")}
    while some := list(islice(remaining, _AT_ONCE)):
        for path, outputs in zip(some, reference_outputs(detector.model_path, spec, some), strict=True):
            size = picture_size(path)
            fit = GEOMETRIES[spec.input.geometry](*size, best.width, best.height)
            (found,) = detections_from_outputs(spec, outputs, [fit], **asked, multi_label=True)
            yield path, size, found
