"""Checking an engine on its device: golden frames against the model, then accuracy on the frozen set."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.calibration_sets import CalibrationSet, MaterialisedSet, load_set, materialise
from edgekit.control.detectors import Detector
from edgekit.control.evaluate import evaluate
from edgekit.control.golden import spread
from edgekit.control.link import Link, engine_dir, gathered
from edgekit.control.project import Project
from edgekit.control.reference import golden_distance_to, shared_reference_outputs
from edgekit.control.scene_sets import SceneRecipe
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import GoldenAnswer, GoldenRequest, PredictAnswer, PredictRequest
from edgekit.core.results import Accuracy
from edgekit.core.stats import LatencySummary
from edgekit.core.verification import Verification, answering_precision, gives_finished_detections, golden_limit
from edgekit.core.wire import digest, from_wire, to_wire
from edgekit.errors import EdgekitError, VerifyError
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
    try:
        return from_wire(Verification, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError, EdgekitError):
        return None


def verify(
    link: Link, detector: Detector, engine: EngineManifest, yardstick: Yardstick, record: Path, on_progress: OnProgress
) -> Verification:
    """Check an engine and keep the record. Raises VerifyError if its outputs are not the model's."""
    with gathered(yardstick.golden) as golden, link.work_folder() as work, tempfile.TemporaryDirectory() as here:
        call = _Call(link, detector, engine, work, Path(here), on_progress)
        distance = _golden(call, Path(golden))
        accuracy, inference = _accuracy(call, yardstick.frozen, Path(golden))
    result = Verification(engine.engine_id, engine.precision, len(yardstick.golden), distance, accuracy, inference)
    write_json(record, to_wire(result))
    return result


@dataclass(frozen=True)
class _Call:
    """What asking for an engine's answers takes: they are written to `work` on the device and fetched to `here`."""

    link: Link
    detector: Detector
    engine: EngineManifest
    work: str
    here: Path
    on_progress: OnProgress

    @property
    def engine_dir(self) -> str:
        return engine_dir(self.link, self.engine.engine_id)

    def fetch(self, name: str) -> Path:
        self.link.fetch(f"{self.work}/{name}", self.here / name)
        return self.here / name


def _golden(call: _Call, pictures: Path) -> float:
    spec, engine = call.detector.spec, call.engine
    request = GoldenRequest(call.engine_dir, spec, call.link.place(pictures), f"{call.work}/golden.npz")
    call.link.call("golden", request, GoldenAnswer, call.on_progress)
    expected = shared_reference_outputs(call.detector.model_path, spec, sorted(pictures.iterdir()))
    distance = golden_distance_to(spec, expected, call.fetch("golden.npz"))
    limit = golden_limit(answering_precision(engine), finished=gives_finished_detections(spec))
    if distance > limit:
        raise VerifyError(
            f"the {engine.precision.upper()} engine does not answer as the model does: "
            f"distance {distance:.2g} on golden frames, {limit:.2g} is allowed",
            why="its outputs are NaN, constant or far from the model's",
            hint=f"edgekit build {engine.detector} --precision {engine.precision} --force, or deploy another precision",
        )
    return round(distance, 9)


def _accuracy(call: _Call, frozen: MaterialisedSet | None, golden: Path) -> tuple[Accuracy | None, LatencySummary]:
    pictures = call.link.place(frozen.folder if frozen else golden)
    request = PredictRequest(call.engine_dir, call.detector.spec, pictures, f"{call.work}/predictions.jsonl")
    answer = call.link.call("predict", request, PredictAnswer, call.on_progress)
    if frozen is None or frozen.truth is None:
        return None, answer.inference
    predictions = call.fetch("predictions.jsonl")
    return evaluate(predictions, frozen.truth, call.detector.spec.labels), answer.inference
