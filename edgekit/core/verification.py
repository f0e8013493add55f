"""Does an engine still answer as its model does, and which precision may ship?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate, kept_text, refusal_text, unsure_text
from edgekit.core.layouts import DecodeContext, decode, find_layout
from edgekit.core.layouts.suppressed import EFFICIENTNMS_NAMES
from edgekit.core.results import Accuracy
from edgekit.core.stats import LatencySummary
from edgekit.errors import VerifyError

# Told wherever INT8 loses too much.
REMEDIES = "edgekit calib inspect shows what the calibration set lacks, edgekit sensitivity which layers cost the most"

# How far an engine's answers may lie from the model's on golden frames. INT8's limits only catch a broken engine;
# whether INT8 is good enough is decided by mAP. Raw outputs: 1 - cosine similarity of the flattened tensors. Finished
# detections: 1 - F1, because their rows are sorted by score and change places for a rounding error.
_RAW_LIMITS = {"fp32": 1e-4, "fp16": 1e-3, "int8": 0.05}
_FINISHED_LIMITS = {"fp32": 0.02, "fp16": 0.05, "int8": 0.5}
_SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class Verification:
    """What checking one engine gave. accuracy is None without a labelled frozen set."""

    engine_id: str
    precision: str
    golden_frames: int
    golden_distance: float  # see golden_limit
    accuracy: Optional[Accuracy]
    inference: LatencySummary
    schema: int = 1


@dataclass(frozen=True)
class Decision:
    """The engine that ships, and why, in a sentence for people."""

    engine_id: str
    precision: str
    decision: str


def golden_limit(precision: str, *, finished: bool) -> float:
    """The largest golden distance allowed at a precision, of raw outputs or of finished detections."""
    return (_FINISHED_LIMITS if finished else _RAW_LIMITS)[precision]


def answering_precision(engine: EngineManifest) -> str:
    """The precision whose limits an engine's answers are held to: INT8's wherever layers compute in INT8.

    A model trained for INT8 computes so in an engine of any precision.
    """
    return "int8" if engine.layers_quantised or engine.route == "trained" else engine.precision


def gives_finished_detections(spec: DetectorSpec) -> bool:
    """True for layouts whose network suppresses duplicates itself; their rows are compared as detections."""
    return not find_layout(spec.layout).needs_nms


def outputs_distance(
    spec: DetectorSpec, expected: Sequence[Mapping[str, np.ndarray]], actual: Sequence[Mapping[str, np.ndarray]]
) -> float:
    """How far an engine's outputs for golden pictures lie from the model's, the worst of all; see `golden_limit`.

    One mapping of output name to array (1, ...) for each picture. 1.0 for NaN, infinity, missing or constant outputs,
    and for an engine that finds nothing where the model is sure.
    """
    if len(expected) != len(actual) or any(not_finite(spec, outputs) for outputs in actual):
        return 1.0
    if gives_finished_detections(spec):
        return finished_distance(_decoded(spec, expected), _decoded(spec, actual))
    distance = max((golden_distance(one, two) for one, two in zip(expected, actual)), default=1.0)
    # Boxes in pixels outweigh scores by far in a cosine: scores that all died hardly change it.
    return 1.0 if distance < 1.0 and is_blind(spec, expected, actual) else distance


def not_finite(spec: DetectorSpec, outputs: Mapping[str, np.ndarray]) -> Tuple[str, ...]:
    """Names of the outputs with NaN or infinity in what is read of them; empty is good."""
    parts = _parts_read(spec, outputs)
    return tuple(sorted(name for name, array in parts.items() if not np.isfinite(array).all()))


def is_blind(
    spec: DetectorSpec, expected: Sequence[Mapping[str, np.ndarray]], actual: Sequence[Mapping[str, np.ndarray]]
) -> bool:
    """True if the model finds something at the detector's confidence and the engine nothing at half the best score."""
    best = max((float(found.scores.max()) for found in _decoded(spec, expected) if len(found)), default=0.0)
    return best > 0 and not any(len(found) for found in _decoded(spec, actual, best / 2))


def _parts_read(spec: DetectorSpec, outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """All outputs; of EfficientNMS only the rows that it counts, for the others hold whatever was there before."""
    names = next((names for names in EFFICIENTNMS_NAMES if all(name in outputs for name in names)), None)
    if spec.layout != "efficientnms" or names is None:
        return outputs
    used = np.maximum(outputs[names[0]].reshape(-1).astype(np.int64), 0)
    rows = {name: [array[:count] for array, count in zip(outputs[name], used)] for name in names[1:]}
    return {name: np.concatenate(parts) for name, parts in rows.items() if parts}


def _decoded(
    spec: DetectorSpec, pictures: Sequence[Mapping[str, np.ndarray]], confidence: Optional[float] = None
) -> List[Detections]:
    best = spec.profile.optimum
    least = spec.confidence if confidence is None else confidence
    context = DecodeContext(best.width, best.height, len(spec.labels), least)
    return [decode(spec.layout, outputs, context)[0] for outputs in pictures]


def finished_distance(expected: Sequence[Detections], actual: Sequence[Detections]) -> float:
    """1 - F1 of the detections of all frames together: an object is the same if class and place (IoU 0.5) are.

    0.0 where neither side finds anything.
    """
    total = sum(len(one) + len(two) for one, two in zip(expected, actual))
    matched = sum(_count_matches(one, two) for one, two in zip(expected, actual))
    return 1.0 - 2 * matched / total if total else 0.0


def _count_matches(expected: Detections, actual: Detections) -> int:
    """Pairs of one class with IoU of at least 0.5, each box in at most one pair, surest expected box first."""
    free = np.ones(len(actual), bool)
    matched = 0
    for box, class_id in zip(expected.boxes_xyxy, expected.class_ids):
        ious = _ious(box, actual.boxes_xyxy) * (free & (actual.class_ids == class_id))
        if len(ious) and ious.max() >= _SAME_OBJECT_IOU:
            free[ious.argmax()] = False
            matched += 1
    return matched


def _ious(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - shared
    return np.asarray(shared / np.maximum(areas, 1e-9))


def golden_distance(expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]) -> float:
    """1 - cosine similarity, the worst of all outputs; 1.0 for NaN, constant or missing outputs and other shapes."""
    return max((_distance(value, actual.get(name)) for name, value in expected.items()), default=1.0)


def _distance(expected: np.ndarray, actual: Optional[np.ndarray]) -> float:
    if actual is None or actual.shape != expected.shape or not np.isfinite(actual).all():
        return 1.0
    a, b = expected.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
    if b.size > 1 and np.ptp(b) == 0 and np.ptp(a) > 0:
        return 1.0
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm == 0:
        return 0.0 if np.array_equal(a, b) else 1.0
    return max(0.0, 1.0 - float(a @ b) / norm)


def choose(
    wanted: str, checked: Sequence[Verification], int8_failure: str = "", gate: Optional[Gate] = None
) -> Decision:
    """Pick the engine to ship. wanted is "auto" or a precision; checked holds the baseline first, INT8 after it.

    int8_failure says why there is no INT8 engine although one was tried. gate: INT8 against the baseline on the frozen
    set, None where there is no labelled one; INT8 then ships only if it was asked for outright.
    Raises VerifyError where INT8 was asked for outright and the gate refuses it.
    """
    by_precision: Dict[str, Verification] = {item.precision: item for item in checked}
    baseline = checked[0]
    if wanted not in ("auto", "int8"):
        only = by_precision[wanted]
        return Decision(only.engine_id, wanted, f"{wanted.upper()} as asked{_accuracy_note(only)}")
    int8 = by_precision.get("int8")
    if int8 is None:
        sentence = f"{baseline.precision.upper()}: {int8_failure or 'there is no calibration set to make INT8 with'}"
        return Decision(baseline.engine_id, baseline.precision, sentence)
    refusal = int8_refusal(baseline, int8, gate)
    if refusal and wanted == "auto":
        remedy = f"; {REMEDIES}" if gate and not gate.passed else ""
        sentence = f"{baseline.precision.upper()} is enough here: {refusal}{remedy}"
        return Decision(baseline.engine_id, baseline.precision, sentence)
    if gate is not None and not gate.passed:
        raise VerifyError(refusal, why=REMEDIES, hint="use --precision auto, or a calibration set that covers more")
    return Decision(int8.engine_id, "int8", f"INT8: {refusal or 'it ' + _gain(baseline, int8, gate)}")


def int8_refusal(baseline: Verification, int8: Verification, gate: Optional[Gate]) -> str:
    """Why INT8 should not ship, or "" if it may."""
    if gate is None:
        return "accuracy was not measured (the detector names no labelled frozen set)"
    if not gate.passed:
        return f"INT8 is refused, {refusal_text(gate)}"
    if int8.inference.p50_ms >= baseline.inference.p50_ms:
        return f"INT8 is no faster ({int8.inference.p50_ms:.1f} ms against {baseline.inference.p50_ms:.1f} ms)"
    return ""


def _gain(baseline: Verification, int8: Verification, gate: Optional[Gate]) -> str:
    speedup = baseline.inference.p50_ms / int8.inference.p50_ms
    faster = f"its inference is {speedup:.2f} x as fast"
    return f"{kept_text(gate)} and {faster}{unsure_text(gate)}" if gate else faster


def _accuracy_note(item: Verification) -> str:
    return f" (mAP50-95 {item.accuracy.map50_95:.3f})" if item.accuracy else " (accuracy was not measured)"
