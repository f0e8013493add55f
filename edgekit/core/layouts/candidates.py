"""What every decoder shares: its context, the choice of output, and the last steps to Detections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Sequence

import numpy as np

from edgekit.core.detections import Detections
from edgekit.errors import LayoutError

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class DecodeContext:
    """What the numbers alone do not say.

    input_width and input_height [px] are the network's input; candidates below `confidence` are dropped. At most
    max_candidates of the surest remain; top_k is for layouts that rank queries x classes. multi_label lets one anchor
    stand for several classes, as Ultralytics does when it measures mAP.
    """

    input_width: int
    input_height: int
    num_classes: int
    confidence: float = 0.25
    max_candidates: int = 30_000
    top_k: int = 300
    multi_label: bool = False


def the_table(outputs: Outputs) -> np.ndarray:
    """The one three-dimensional output. Raises LayoutError if there is not exactly one."""
    tables = [array for array in outputs.values() if array.ndim == 3]
    if len(tables) != 1:
        raise wrong_shape("one output of three dimensions", outputs)
    return tables[0]


def named(outputs: Outputs, names: Sequence[str]) -> List[np.ndarray]:
    """The outputs of these names, in their order. Raises LayoutError if one is missing."""
    if any(name not in outputs for name in names):
        raise wrong_shape(f"outputs called {', '.join(names)}", outputs)
    return [outputs[name] for name in names]


def wrong_shape(expected: str, outputs: Outputs) -> LayoutError:
    """The error for outputs that do not fit the layout asked for."""
    seen = ", ".join(f"{name} {tuple(array.shape)} {array.dtype}" for name, array in outputs.items())
    return LayoutError(
        f"the model's outputs do not fit the layout: expected {expected}, got {seen or 'none'}",
        hint="set `layout:` and the labels in detector.yaml to those of the model",
    )


def xyxy_from_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) centre x, centre y, width, height -> (N, 4) float32 left, top, right, bottom."""
    boxes = boxes.astype(np.float32)
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def candidates(boxes_xyxy: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, context: DecodeContext) -> Detections:
    """Rows (N) as Detections: finite and sure enough, the surest max_candidates if there are more.

    A network that overflowed in FP16 gives NaN and infinity for single boxes; they are not detections. The confidence
    is compared again because decoders may have compared halves, whose threshold is rounded.
    """
    boxes_xyxy, scores = boxes_xyxy.astype(np.float32, copy=False), scores.astype(np.float32, copy=False)
    sound = np.isfinite(boxes_xyxy).all(axis=1) & np.isfinite(scores) & np.isfinite(class_ids)
    sound &= scores >= context.confidence
    if not sound.all():
        boxes_xyxy, scores, class_ids = boxes_xyxy[sound], scores[sound], class_ids[sound]
    found = Detections(boxes_xyxy, scores, class_ids.astype(np.int32))
    if len(found) <= context.max_candidates:
        return found
    return found.select(np.argsort(-scores, kind="stable")[: context.max_candidates])
