"""DETR heads that need no suppression: RT-DETR in three forms, D-FINE, DEIM, RF-DETR. All are fed stretched frames."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import InputSpec
from edgekit.core.layouts.candidates import (
    DecodeContext,
    Outputs,
    candidates,
    named,
    the_table,
    wrong_shape,
    xyxy_from_cxcywh,
)
from edgekit.core.layouts.layout import Layout
from edgekit.core.layouts.signature import Signature
from edgekit.core.layouts.yolo import choose_classes

SIZES_INPUT = "orig_target_sizes"


def decode_rtdetr(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """labels (B, Q) int64, boxes (B, Q, 4) xyxy, scores (B, Q).

    The model scales its boxes to orig_target_sizes. It is always given the input's own size, so boxes are in input
    pixels here and reach the frame through the same Fit as every other layout's.
    Source: lyuwenyu/RT-DETR tools/export_onnx.py; D-FINE and DEIM export the same.
    """
    labels, boxes, scores = named(outputs, ("labels", "boxes", "scores"))
    if not (boxes.ndim == 3 and boxes.shape[2] == 4 and labels.shape == scores.shape == boxes.shape[:2]):
        raise wrong_shape("labels (batch, n), boxes (batch, n, 4), scores (batch, n)", outputs)
    pictures = []
    for picture in range(len(scores)):
        sure = scores[picture] >= context.confidence
        pictures.append(candidates(boxes[picture][sure], scores[picture][sure], labels[picture][sure], context))
    return pictures


def rtdetr_sizes(batch: int, input_width: int, input_height: int) -> Dict[str, np.ndarray]:
    """orig_target_sizes (batch, 2) int64: width, height of the input in px; see decode_rtdetr."""
    return {SIZES_INPUT: np.tile(np.array([[input_width, input_height]], np.int64), (batch, 1))}


def decode_rtdetr_ultralytics(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, 300, 4 + nc): cx, cy, w, h in 0-1 of the input, class scores after the sigmoid; the best class of each query.

    Source: Ultralytics models/rtdetr/predict.py RTDETRPredictor.postprocess.
    """
    table = the_table(outputs)
    if table.shape[2] != 4 + context.num_classes:
        raise wrong_shape(f"(batch, queries, {4 + context.num_classes})", outputs)
    return [_decode_queries(rows.astype(np.float32, copy=False), context) for rows in table]


def _decode_queries(rows: np.ndarray, context: DecodeContext) -> Detections:
    scores = rows[:, 4:]
    queries, class_ids = choose_classes(scores.T, context)
    boxes = xyxy_from_cxcywh(rows[queries, :4]) * _input_px(context)
    return candidates(boxes, scores[queries, class_ids], class_ids, context)


def decode_rtdetr_paddle(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(N, 6) class id, score, x1, y1, x2, y2 for the whole batch, and (B,) int: the rows of each picture, in order.

    With im_shape the input's size and scale_factor 1 the boxes are in input pixels.
    Source: PaddleDetection ppdet/modeling/post_process.py DETRPostProcess.
    """
    tables = [array for array in outputs.values() if array.ndim == 2 and array.shape[1] == 6]
    counts = [array for array in outputs.values() if array.ndim == 1 and array.dtype.kind in "iu"]
    if len(tables) != 1 or len(counts) != 1:
        raise wrong_shape("(rows, 6) and (batch,) of a whole number type", outputs)
    ends = np.cumsum(np.maximum(counts[0], 0).astype(np.int64))
    return [_decode_paddle(rows, context) for rows in np.split(tables[0], ends)[:-1]]


def _decode_paddle(rows: np.ndarray, context: DecodeContext) -> Detections:
    rows = rows[rows[:, 1] >= context.confidence].astype(np.float32)
    return candidates(rows[:, 2:], rows[:, 1], rows[:, 0], context)


def paddle_sizes(batch: int, input_width: int, input_height: int) -> Dict[str, np.ndarray]:
    """im_shape (batch, 2) float32: height, width of the input in px; scale_factor (batch, 2) float32 of 1."""
    im_shape = np.tile(np.array([[input_height, input_width]], np.float32), (batch, 1))
    return {"im_shape": im_shape, "scale_factor": np.ones((batch, 2), np.float32)}


def decode_rfdetr(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """dets (B, Q, 4) cx, cy, w, h in 0-1 of the input, and labels (B, Q, C) logits: the top_k of all Q x C sigmoids.

    C is the model's, often one more than the names; a query may appear with several classes.
    Source: roboflow/rf-detr rfdetr/models/lwdetr.py PostProcess.
    """
    boxes, logits = named(outputs, ("dets", "labels"))
    if not (boxes.ndim == logits.ndim == 3 and boxes.shape[2] == 4 and boxes.shape[:2] == logits.shape[:2]):
        raise wrong_shape("dets (batch, queries, 4) and labels (batch, queries, classes)", outputs)
    return [_decode_ranked(boxes[picture], logits[picture], context) for picture in range(len(boxes))]


def _decode_ranked(boxes: np.ndarray, logits: np.ndarray, context: DecodeContext) -> Detections:
    flat = logits.astype(np.float32).ravel()
    top = _top(flat, context.top_k)
    scores = 1 / (1 + np.exp(-flat[top]))
    sure = scores >= context.confidence
    top, scores = top[sure], scores[sure]
    queries, class_ids = np.divmod(top, logits.shape[1])
    return candidates(xyxy_from_cxcywh(boxes[queries]) * _input_px(context), scores, class_ids, context)


def _top(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` largest, falling; equal values keep their order, NaN is last, as numpy sorts it."""
    chosen = np.arange(len(values))
    if len(values) > count:
        chosen = np.sort(np.argpartition(-values, count)[:count])
    return np.asarray(chosen[np.argsort(-values[chosen], kind="stable")])


def _input_px(context: DecodeContext) -> np.ndarray:
    return np.array([context.input_width, context.input_height] * 2, np.float32)


def _shape(signature: Signature, name: str) -> Tuple[Optional[int], ...]:
    spec = signature.output(name)
    return spec.shape if spec else ()


def _is_rtdetr(signature: Signature) -> bool:
    boxes = _shape(signature, "boxes")
    flat = len(_shape(signature, "labels")) == len(_shape(signature, "scores")) == 2
    return flat and len(boxes) == 3 and boxes[2] in (4, None) and SIZES_INPUT in signature.input_names


def _is_rtdetr_ultralytics(signature: Signature) -> bool:
    width = signature.query_width
    if width is None or width < 5 or len(signature.outputs) != 1:
        return False
    # A YOLO that Ultralytics exported puts its classes in dimension 1, so 300 rows of it are end to end.
    if signature.family == "yolo" or signature.is_end_to_end:
        return False
    return signature.num_classes in (None, width - 4)


def _is_rtdetr_paddle(signature: Signature) -> bool:
    shapes = sorted((spec.shape for spec in signature.outputs), key=len)
    if len(shapes) != 2 or "im_shape" not in signature.input_names:
        return False
    return len(shapes[0]) == 1 and len(shapes[1]) == 2 and shapes[1][1] in (6, None)


def _is_rfdetr(signature: Signature) -> bool:
    boxes, logits = _shape(signature, "dets"), _shape(signature, "labels")
    return len(boxes) == len(logits) == 3 and boxes[2] in (4, None)


def _ultralytics_classes(signature: Signature) -> Optional[int]:
    width = signature.table[2] if signature.table else None
    return width - 4 if width else None


def _rfdetr_classes(signature: Signature) -> Optional[int]:
    logits = _shape(signature, "labels")
    return logits[2] if len(logits) == 3 else None


RTDETR = Layout(
    "rtdetr",
    "RT-DETR (lyuwenyu), D-FINE, DEIM: labels (B, 300), boxes (B, 300, 4) x1 y1 x2 y2, scores (B, 300)",
    False,
    InputSpec(name="images", geometry="stretch"),
    _is_rtdetr,
    decode_rtdetr,
    rtdetr_sizes,
)
RTDETR_ULTRALYTICS = Layout(
    "rtdetr-ultralytics",
    "RT-DETR from Ultralytics: (B, 300, 4+nc) normalised cx cy w h classes",
    False,
    InputSpec(name="images", geometry="stretch"),
    _is_rtdetr_ultralytics,
    decode_rtdetr_ultralytics,
    classes_from=_ultralytics_classes,
)
RTDETR_PADDLE = Layout(
    "rtdetr-paddle",
    "RT-DETR from PaddleDetection: (N, 6) class score x1 y1 x2 y2, and rows per picture (B,)",
    False,
    InputSpec(name="image", geometry="stretch"),
    _is_rtdetr_paddle,
    decode_rtdetr_paddle,
    paddle_sizes,
)
RFDETR = Layout(
    "rfdetr",
    "RF-DETR: dets (B, 300, 4) normalised cx cy w h, labels (B, 300, classes) logits",
    False,
    InputSpec(name="input", geometry="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    _is_rfdetr,
    decode_rfdetr,
    classes_from=_rfdetr_classes,
)
