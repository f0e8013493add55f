"""Checking an engine on its device: golden frames against the model, then accuracy on the frozen set."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.evaluation.accuracy import evaluate
from edgekit.control.evaluation.judged_sets import judged_by
from edgekit.control.evaluation.predictions import predictions_dir, predictions_of
from edgekit.control.golden import spread
from edgekit.control.link import Link, engine_dir, gathered
from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.control.reference import golden_distance_to, shared_reference_outputs
from edgekit.control.sets.calibration_sets import CalibrationSet, MaterialisedSet, load_set, materialise
from edgekit.control.sets.scene_sets import SceneRecipe
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import GoldenAnswer, GoldenRequest, PredictAnswer, PredictRequest
from edgekit.core.results import Accuracy
from edgekit.core.stats import LatencySummary
from edgekit.core.verification import Verification, answering_precision, gives_finished_detections, golden_limit
from edgekit.core.wire import digest, to_wire
from edgekit.errors import VerifyError
from edgekit.files import write_json

GOLDEN_FRAMES = 8


@dataclass(frozen=True)
class Yardstick:
    """The pictures engines are checked with. frozen is None where the detector names no labelled set."""

    frozen: MaterialisedSet | None
    golden: tuple[Path, ...]

    @property
    def sha256(self) -> str:
        """Digest of the pictures and of what is said to be in them."""
        truth = self.frozen.truth.sha256 if self.frozen and self.frozen.truth else None
        return digest([self.frozen.sha256 if self.frozen else None, truth, [path.name for path in self.golden]])


def prepare_yardstick(project: Project, detector: Detector, on_progress: OnProgress) -> Yardstick:
    """The frozen set of a detector, made ready, and golden frames spread over it.

    Without a frozen set the golden frames come from the calibration set, without that from drawn scenes: they only
    compare an engine with its model, for which any picture serves.
    """
    frozen = None
    if detector.frozen:
        frozen = materialise(project, load_set(project, detector.frozen), on_progress, labels=detector.spec.labels)
    pictures = frozen or materialise(project, _unlabelled(project, detector), on_progress)
    return Yardstick(frozen, spread(pictures.paths, GOLDEN_FRAMES))


def _unlabelled(project: Project, detector: Detector) -> CalibrationSet:
    if detector.calibration:
        return load_set(project, detector.calibration)
    recipe = SceneRecipe.of("frozen", GOLDEN_FRAMES, 1280, 720, "all")
    return CalibrationSet("golden", project.calib_sets_dir, recipe, None)


def record_path(
    project: Project, device: str, engine: EngineManifest, detector: DetectorSpec, yardstick: Yardstick
) -> Path:
    """Where the verification of an engine is kept. Another file, yardstick or threshold makes another record."""
    checked = digest([engine.file_sha256, yardstick.sha256, to_wire(detector)])
    return project.state_dir / "verified" / device / f"{engine.engine_id}-{checked[:12]}.json"


def load_record(path: Path) -> Verification | None:
    """A verification done before, None if there is none that can be read."""
    return read_record(Verification, path)


def verify(
    project: Project,
    link: Link,
    detector: Detector,
    engine: EngineManifest,
    yardstick: Yardstick,
    record: Path,
    on_progress: OnProgress,
) -> Verification:
    """Check an engine and keep the record; what it finds in the frozen set is kept too, for `gate_of`.

    Raises VerifyError if its outputs are not the model's.
    """
    with gathered(yardstick.golden) as folder:
        golden = Path(folder)
        distance = _golden(link, detector, engine, golden, on_progress)
        if yardstick.frozen is None:
            accuracy, inference = None, _timed(link, detector, engine, golden, on_progress)
        else:
            accuracy, inference = _accuracy(project, link, detector, engine, yardstick.frozen, on_progress)
    result = Verification(engine.engine_id, engine.precision, len(yardstick.golden), distance, accuracy, inference)
    write_json(record, to_wire(result))
    return result


def _golden(link: Link, detector: Detector, engine: EngineManifest, pictures: Path, on_progress: OnProgress) -> float:
    spec = detector.spec
    with link.work_folder() as work, tempfile.TemporaryDirectory() as here:
        answers = Path(here) / "golden.npz"
        request = GoldenRequest(
            engine_dir(link, engine.engine_id), spec, link.place(pictures), f"{work}/{answers.name}"
        )
        link.call("golden", request, GoldenAnswer, on_progress)
        link.fetch(request.out_path, answers)
        expected = shared_reference_outputs(detector.model_path, spec, sorted(pictures.iterdir()))
        distance = golden_distance_to(spec, expected, answers)
    limit = golden_limit(answering_precision(engine), finished=gives_finished_detections(spec))
    if distance > limit:
        raise VerifyError(
            f"the {engine.precision.upper()} engine does not answer as the model does: "
            f"distance {distance:.2g} on golden frames, {limit:.2g} is allowed",
            why="its outputs are NaN, constant or far from the model's",
            hint=f"edgekit build {engine.detector} --precision {engine.precision} --force, or deploy another precision",
        )
    return round(distance, 9)


def _timed(
    link: Link, detector: Detector, engine: EngineManifest, pictures: Path, on_progress: OnProgress
) -> LatencySummary:
    with link.work_folder() as work:
        folder, out = engine_dir(link, engine.engine_id), f"{work}/predictions.jsonl"
        request = PredictRequest(folder, detector.spec, link.place(pictures), out)
        return link.call("predict", request, PredictAnswer, on_progress).inference


def _accuracy(
    project: Project,
    link: Link,
    detector: Detector,
    engine: EngineManifest,
    frozen: MaterialisedSet,
    on_progress: OnProgress,
) -> tuple[Accuracy | None, LatencySummary]:
    keep = predictions_dir(project, link.device)
    predicted = predictions_of(link, detector, engine, frozen, keep, on_progress)
    if frozen.truth is None:
        return None, predicted.inference
    strata = judged_by(project, detector, frozen, on_progress).strata
    return evaluate(predicted.path, frozen.truth, detector.spec.labels, strata), predicted.inference
