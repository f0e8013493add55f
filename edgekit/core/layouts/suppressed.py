"""Models with suppression inside the graph: TensorRT's EfficientNMS under four namings, ONNX NonMaxSuppression."""

from __future__ import annotations

import functools
from typing import Callable, List, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import InputSpec
from edgekit.core.layouts.candidates import DecodeContext, Outputs, candidates, wrong_shape, xyxy_from_cxcywh
from edgekit.core.layouts.layout import Layout
from edgekit.core.layouts.signature import Signature

EFFICIENTNMS_NAMES = (
    ("num_detections", "detection_boxes", "detection_scores", "detection_classes"),
    ("num_dets", "det_boxes", "det_scores", "det_classes"),
    ("num_dets", "bboxes", "scores", "labels"),
    ("num", "boxes", "scores", "classes"),
)
"""Count, boxes, scores, classes: TensorRT's samples, YOLOv7, triple-Mu/YOLOv8-TensorRT, others."""


def decode_efficientnms(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """count (B, 1) int32; boxes (B, K, 4) xyxy px; scores (B, K); classes (B, K) int32 (float in some engines).

    Rows from `count` on are left over from earlier pictures and are not read.
    Source: TensorRT plugin/efficientNMSPlugin/README.md.
    """
    names = next((names for names in EFFICIENTNMS_NAMES if all(name in outputs for name in names)), None)
    if names is None:
        raise wrong_shape("outputs called " + " or ".join("/".join(names) for names in EFFICIENTNMS_NAMES), outputs)
    count, boxes, scores, classes = (outputs[name] for name in names)
    if not (boxes.ndim == 3 and boxes.shape[2] == 4 and scores.shape == classes.shape == boxes.shape[:2]):
        raise wrong_shape("count (batch, 1), boxes (batch, n, 4), scores (batch, n), classes (batch, n)", outputs)
    if count.size != len(boxes):
        raise wrong_shape(f"a count for each of {len(boxes)} pictures", outputs)
    pictures = []
    for picture, used in enumerate(count.reshape(-1)):
        rows = np.flatnonzero(scores[picture][: max(0, int(used))] >= context.confidence)
        pictures.append(candidates(boxes[picture][rows], scores[picture][rows], classes[picture][rows], context))
    return pictures


def _is_efficientnms(signature: Signature) -> bool:
    present = {spec.name for spec in signature.outputs}
    return any(present.issuperset(names) for names in EFFICIENTNMS_NAMES)


def decode_onnx_nms(
    to_xyxy: Callable[[np.ndarray], np.ndarray], outputs: Outputs, context: DecodeContext
) -> List[Detections]:
    """selected_indices (n, 3) int: batch, class, box; boxes (B, N, 4) px; scores (B, nc, N).

    TensorRT pads the rows with -1; those and others outside the arrays are dropped.
    Source: ONNX operator NonMaxSuppression.
    """
    selected, boxes, scores = _onnx_nms_arrays(outputs)
    if not (boxes.shape[2] == 4 and boxes.shape[0] == scores.shape[0] and boxes.shape[1] == scores.shape[2]):
        raise wrong_shape("selected_indices (n, 3), boxes (batch, n, 4), scores (batch, classes, n)", outputs)
    limits = np.array([boxes.shape[0], scores.shape[1], boxes.shape[1]])
    selected = selected[((selected >= 0) & (selected < limits)).all(axis=1)]
    batch, class_ids, anchors = selected.T
    chosen = scores[batch, class_ids, anchors]
    sure = chosen >= context.confidence
    pictures = []
    for picture in range(len(boxes)):
        rows = sure & (batch == picture)
        pictures.append(candidates(to_xyxy(boxes[picture][anchors[rows]]), chosen[rows], class_ids[rows], context))
    return pictures


def _onnx_nms_arrays(outputs: Outputs) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(selected_indices, boxes, scores): the one integer table, then by name, else by the last dimension of 4."""
    flat = [array for array in outputs.values() if array.ndim == 2 and array.shape[1] == 3]
    selected = [array for array in flat if array.dtype.kind in "iu"]
    tables = {name: array for name, array in outputs.items() if array.ndim == 3}
    if len(selected) != 1 or len(tables) != 2:
        raise wrong_shape("selected_indices (n, 3), boxes (batch, n, 4), scores (batch, classes, n)", outputs)
    if tables.keys() == {"boxes", "scores"}:
        return selected[0], tables["boxes"], tables["scores"]
    boxes, scores = sorted(tables.values(), key=lambda array: array.shape[2] != 4)
    return selected[0], boxes, scores


def _xyxy_from_corners(boxes: np.ndarray) -> np.ndarray:
    """The operator allows either diagonal pair of corners, so they are put in order."""
    boxes = boxes.astype(np.float32)
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def _xyxy_from_yxyx(boxes: np.ndarray) -> np.ndarray:
    return _xyxy_from_corners(boxes[:, [1, 0, 3, 2]])


def _is_onnx_nms(center_point_box: str, signature: Signature) -> bool:
    """The order of box values is an attribute of the operator; `center_point_box` in the metadata carries it here."""
    tables = [spec for spec in signature.outputs if len(spec.shape) == 3]
    flat = [spec for spec in signature.outputs if len(spec.shape) == 2 and spec.shape[1] == 3]
    indices = [spec for spec in flat if "int" in spec.dtype]
    said = signature.metadata.get("center_point_box", center_point_box)
    return len(tables) == 2 and len(indices) == 1 and said == center_point_box


def _onnx_nms_classes(signature: Signature) -> Optional[int]:
    scores = signature.output("scores")
    return scores.shape[1] if scores and len(scores.shape) == 3 else None


def _onnx_nms_layout(order: str, to_xyxy: Callable[[np.ndarray], np.ndarray], center_point_box: str) -> Layout:
    return Layout(
        f"onnx-nms-{order}",
        f"ONNX NonMaxSuppression: selected_indices (n, 3), boxes (B, N, 4) as {order}, scores (B, nc, N)",
        False,
        InputSpec(name="images"),
        functools.partial(_is_onnx_nms, center_point_box),
        functools.partial(decode_onnx_nms, to_xyxy),
        classes_from=_onnx_nms_classes,
    )


EFFICIENTNMS = Layout(
    "efficientnms",
    "EfficientNMS: num_dets (B, 1), det_boxes (B, K, 4) x1 y1 x2 y2, det_scores (B, K), det_classes (B, K)",
    False,
    InputSpec(name="images"),
    _is_efficientnms,
    decode_efficientnms,
)
ONNX_NMS_XYXY = _onnx_nms_layout("xyxy", _xyxy_from_corners, "0")
ONNX_NMS_YXYX = _onnx_nms_layout("yxyx", _xyxy_from_yxyx, "0")
ONNX_NMS_CXCYWH = _onnx_nms_layout("cxcywh", xyxy_from_cxcywh, "1")
