"""An engine of a device judged on a set, beside another engine or the model itself: `edgekit eval`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.build import Order, fulfil, place_order
from edgekit.control.detectors import Detector
from edgekit.control.evaluation.accuracy import evaluate, load_predictions
from edgekit.control.evaluation.gate import engine_name, gate_of, judge
from edgekit.control.evaluation.judged_sets import Judged, judged_by
from edgekit.control.evaluation.model_truth import model_predictions
from edgekit.control.evaluation.predictions import predictions_dir, predictions_of
from edgekit.control.evaluation.truth import PictureTruth
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.sets.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.core.engine import EngineManifest
from edgekit.core.evaluation import EngineFigures, Evaluation
from edgekit.core.gate import Gate
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError

MODEL = "model"
MODEL_NAME = "FP32 model itself"


@dataclass(frozen=True)
class Asked:
    """What is to be judged: an order for the engine, another for what it is held against (None: nothing, or the model),
    and the set, with the detector's labels."""

    candidate: Order
    baseline: Order | None
    against_model: bool
    made: MaterialisedSet

    @property
    def detector(self) -> Detector:
        """The detector of both."""
        return self.candidate.detector


@dataclass(frozen=True)
class Evaluated:
    """The figures, and what they were taken from. baseline is None where there is none."""

    evaluation: Evaluation
    judged: Judged
    made: MaterialisedSet
    candidate: Mapping[str, PictureTruth]
    baseline: Mapping[str, PictureTruth] | None


@dataclass(frozen=True)
class _Answers:
    """engine is None for the model."""

    figures: EngineFigures
    predictions: Path
    engine: EngineManifest | None


def ask_for(
    ground: Groundwork,
    device: Device,
    link: Link,
    on_progress: OnProgress,
    *,
    detector: str | None = None,
    precision: str | None = None,
    on: str | None = None,
    against: str | None = None,
    calibration: str | None = None,
) -> Asked:
    """What to judge; nothing is built or sent yet. precision None: the back end's baseline. on: a set, None: the
    detector's frozen one. against: a precision, "model", or None: INT8 against the baseline, others against nothing.
    calibration: the set of the engine that is judged; an INT8 engine that it is held against has the device's own.

    Raises UsageError where there is no set to judge on, or both would be the same engine.
    """
    candidate = place_order(ground, device, link, precision, on_progress, detector=detector, calibration=calibration)
    model, baseline = candidate.detector, None
    if against is None and candidate.request.precision == "int8":
        baseline = place_order(ground, device, link, None, on_progress, detector=detector)
    elif against is not None and against != MODEL:
        baseline = place_order(ground, device, link, against, on_progress, detector=detector)
    _refuse_equal(candidate, baseline)
    name = on or model.frozen
    if not name:
        raise UsageError(
            f"{model.name} names no frozen set, so there is nothing to judge on",
            why="`frozen:` is missing in its detector.yaml",
            hint="name a set of calib_sets/: edgekit eval --on SET",
        )
    made = materialise(ground.project, load_set(ground.project, name), on_progress, labels=model.spec.labels)
    return Asked(candidate, baseline, against == MODEL, made)


def _refuse_equal(candidate: Order, baseline: Order | None) -> None:
    if baseline is None or baseline.request.engine_id != candidate.request.engine_id:
        return
    raise UsageError(
        f"--against {baseline.request.precision} is the engine that is to be judged: {baseline.request.engine_id}",
        hint="name another --precision, --against or --calibration",
    )


def evaluate_engines(asked: Asked, on_progress: OnProgress) -> Evaluated:
    """Build what is missing, ask the device, and judge. Raises what building and predicting end with, ConfigError for a
    set in which there is nothing to find."""
    order = asked.candidate
    judged = judged_by(order.ground.project, asked.detector, asked.made, on_progress)
    candidate = _of_engine(asked, order, judged, on_progress)
    baseline = _of_model(asked, judged, on_progress) if asked.against_model else None
    if asked.baseline is not None:
        baseline = _of_engine(asked, asked.baseline, judged, on_progress)
    evaluation = Evaluation(
        device=order.link.device,
        detector=asked.detector.name,
        dataset=judged.truth.dataset,
        dataset_sha256=judged.truth.sha256,
        labelled_by=judged.labelled_by,
        candidate=candidate.figures,
        baseline=baseline.figures if baseline else None,
        gate=_gate(asked, judged, candidate, baseline, on_progress) if baseline else None,
    )
    return Evaluated(
        evaluation,
        judged,
        asked.made,
        load_predictions(candidate.predictions),
        load_predictions(baseline.predictions) if baseline else None,
    )


def _of_engine(asked: Asked, order: Order, judged: Judged, on_progress: OnProgress) -> _Answers:
    engine = fulfil(order, on_progress)
    keep = predictions_dir(order.ground.project, order.link.device)
    found = predictions_of(order.link, order.detector, engine, asked.made, keep, on_progress)
    accuracy = evaluate(found.path, judged.truth, order.detector.spec.labels, judged.strata)
    figures = EngineFigures(engine_name(engine), engine.engine_id, engine.precision, accuracy, found.inference)
    return _Answers(figures, found.path, engine)


def _of_model(asked: Asked, judged: Judged, on_progress: OnProgress) -> _Answers:
    path = model_predictions(asked.candidate.ground.project, asked.detector, asked.made, on_progress)
    accuracy = evaluate(path, judged.truth, asked.detector.spec.labels, judged.strata)
    return _Answers(EngineFigures(MODEL_NAME, "", "fp32", accuracy, None), path, None)


def _gate(asked: Asked, judged: Judged, candidate: _Answers, baseline: _Answers, on_progress: OnProgress) -> Gate:
    if baseline.engine is not None and candidate.engine is not None:
        project, link = asked.candidate.ground.project, asked.candidate.link
        pair = baseline.engine, candidate.engine
        return gate_of(project, link.device, link, asked.detector, *pair, asked.made, on_progress)
    return judge(
        judged.truth,
        load_predictions(baseline.predictions),
        load_predictions(candidate.predictions),
        asked.detector.spec.labels,
        judged.strata,
        baseline_name=baseline.figures.name,
        candidate_name=candidate.figures.name,
        labelled_by=judged.labelled_by,
    )
