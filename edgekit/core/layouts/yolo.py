"""Raw YOLO heads with finished boxes: YOLOv5 and v7 (objectness), v8 to 12 and v5u (none). They need suppression.

-seg and -pose variants put mask coefficients or keypoints after the classes; only the boxes are read.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import InputSpec
from edgekit.core.layouts.candidates import (
    DecodeContext,
    Outputs,
    candidates,
    the_table,
    wrong_shape,
    xyxy_from_cxcywh,
)
from edgekit.core.layouts.layout import Layout
from edgekit.core.layouts.signature import Signature


def decode_yolov5(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, anchors, 5 + nc [+ extra]): cx, cy, w, h px, objectness, class scores; score = objectness * class score.

    Source: ultralytics/yolov5 utils/general.py non_max_suppression; YOLOX decode_in_inference has the same rows.
    """
    table = the_table(outputs)
    if table.shape[2] < 5 + context.num_classes:
        raise wrong_shape(f"(batch, anchors, {5 + context.num_classes})", outputs)
    return [_decode_rows(rows, context) for rows in table]


def _decode_rows(rows: np.ndarray, context: DecodeContext) -> Detections:
    # A class score is at most 1, so objectness alone rules most anchors out before a class is looked at.
    rows = rows[rows[:, 4] >= context.confidence].astype(np.float32)
    scores = rows[:, 5 : 5 + context.num_classes] * rows[:, 4:5]
    anchors, class_ids = choose_classes(scores.T, context)
    return candidates(xyxy_from_cxcywh(rows[anchors, :4]), scores[anchors, class_ids], class_ids, context)


def decode_yolov8(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, 4 + nc [+ extra], anchors): cx, cy, w, h px, class scores; there is no objectness.

    Source: Ultralytics nn/modules/head.py Detect and utils/nms.py.
    """
    table = the_table(outputs)
    if table.shape[1] < 4 + context.num_classes:
        raise wrong_shape(f"(batch, {4 + context.num_classes}, anchors)", outputs)
    return [_decode_columns(columns, context) for columns in table]


def decode_yolov8_transposed(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, anchors, 4 + nc [+ extra]): decode_yolov8 with the last two dimensions exchanged."""
    table = the_table(outputs)
    if table.shape[2] < 4 + context.num_classes:
        raise wrong_shape(f"(batch, anchors, {4 + context.num_classes})", outputs)
    return [_decode_columns(rows.T, context) for rows in table]


def _decode_columns(columns: np.ndarray, context: DecodeContext) -> Detections:
    scores = columns[4 : 4 + context.num_classes]
    anchors, class_ids = choose_classes(scores, context)
    return candidates(xyxy_from_cxcywh(columns[:4, anchors].T), scores[class_ids, anchors], class_ids, context)


def choose_classes(scores: np.ndarray, context: DecodeContext) -> Tuple[np.ndarray, np.ndarray]:
    """(anchor indices (N,), class ids (N,)) of the scores (nc, anchors) that reach the confidence.

    The best class of each anchor, the first of equals; with multi_label every class that reaches it.
    """
    anchors = np.flatnonzero(_best_scores(scores) >= context.confidence)
    scores = scores[:, anchors]
    if context.multi_label:
        rows, class_ids = np.nonzero((scores >= context.confidence).T)
        return anchors[rows], class_ids
    return anchors, scores.argmax(axis=0)


def _best_scores(scores: np.ndarray) -> np.ndarray:
    """The maximum of each column (anchors,); NaN where a class of the anchor is NaN."""
    if scores.dtype != np.float16:
        return np.asarray(scores.max(axis=0))
    # Halves >= 0 sort like their bits read as integers, for which numpy has vector instructions and for halves none.
    # Scores below 0 do not occur after a sigmoid, and as integers they stay below every score >= 0.
    return np.asarray(scores.view(np.int16).max(axis=0).view(np.float16))


def _is_rows(signature: Signature, channels_before: int, boxes_per_cell: int) -> bool:
    shape = signature.table
    if shape is None or (shape[1] is not None and shape[2] is not None and shape[1] < shape[2]):
        return False
    return signature.may_be_anchors(shape[1], boxes_per_cell) and signature.width_fits(shape[2], channels_before)


def _is_yolov5(signature: Signature) -> bool:
    return not signature.is_ultralytics and _is_rows(signature, 5, 3)


def _is_yolov8(signature: Signature) -> bool:
    shape = signature.table
    if shape is None or (shape[1] is not None and shape[2] is not None and shape[1] > shape[2]):
        return False
    return signature.may_be_anchors(shape[2]) and signature.width_fits(shape[1], 4)


def _is_yolov8_transposed(signature: Signature) -> bool:
    return not signature.is_ultralytics and _is_rows(signature, 4, 1)


def _classes(signature: Signature, axis: int, channels_before: int) -> Optional[int]:
    """Classes by what the row leaves for them; None for a pose model, whose keypoints look like classes."""
    width = signature.table[axis] if signature.table else None
    if width is None or signature.task == "pose":
        return None
    return width - channels_before - (signature.mask_coefficients or 0)


YOLO_INPUT = InputSpec(name="images")

YOLOV5 = Layout(
    "yolov5",
    "YOLOv5, YOLOv7: (B, 25200, 5+nc) cx cy w h objectness classes",
    True,
    YOLO_INPUT,
    _is_yolov5,
    decode_yolov5,
    classes_from=lambda signature: _classes(signature, 2, 5),
)
YOLOV8 = Layout(
    "yolov8",
    "YOLOv8, v9, 11, 12, v5u, 26 without end2end, -seg, -pose: (B, 4+nc, 8400) cx cy w h classes",
    True,
    YOLO_INPUT,
    _is_yolov8,
    decode_yolov8,
    classes_from=lambda signature: _classes(signature, 1, 4),
)
YOLOV8_TRANSPOSED = Layout(
    "yolov8-transposed",
    "as yolov8 with rows and columns exchanged: (B, 8400, 4+nc)",
    True,
    YOLO_INPUT,
    _is_yolov8_transposed,
    decode_yolov8_transposed,
    classes_from=lambda signature: _classes(signature, 2, 4),
)
