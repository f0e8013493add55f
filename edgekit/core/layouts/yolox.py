"""YOLOX (Megvii): raw offsets on three grids, or already decoded. Shape and names are the same for both."""

from __future__ import annotations

import functools
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
from edgekit.core.layouts.signature import STRIDE_SETS, Signature, anchor_count
from edgekit.core.layouts.yolo import choose_classes, decode_yolov5


def decode_yolox(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, anchors, 5 + nc): dx, dy, log w, log h in grid cells, objectness, class scores; score = objectness * class.

    cx = (dx + column) * stride, w = exp(log w) * stride; grids by rising stride, each row by row.
    Source: YOLOX yolox/utils/demo_utils.py demo_postprocess (export_onnx.py without --decode_in_inference).
    """
    table = the_table(outputs)
    strides = _strides_for((context.input_width, context.input_height), table.shape[1])
    if strides is None or table.shape[2] != 5 + context.num_classes:
        anchors = anchor_count((context.input_width, context.input_height), STRIDE_SETS[0])
        raise wrong_shape(f"(batch, {anchors}, {5 + context.num_classes})", outputs)
    cells = _grid_cells(context.input_width, context.input_height, strides)
    return [_decode_raw(rows, cells, context) for rows in table]


def _decode_raw(rows: np.ndarray, cells: np.ndarray, context: DecodeContext) -> Detections:
    sure = np.flatnonzero(rows[:, 4] >= context.confidence)
    rows, cells = rows[sure].astype(np.float32), cells[sure]
    scores = rows[:, 5:] * rows[:, 4:5]
    anchors, class_ids = choose_classes(scores.T, context)
    stride = cells[anchors, 2:]
    centres = (rows[anchors, :2] + cells[anchors, :2]) * stride
    sizes = np.exp(rows[anchors, 2:4]) * stride
    boxes = xyxy_from_cxcywh(np.concatenate([centres, sizes], axis=1))
    return candidates(boxes, scores[anchors, class_ids], class_ids, context)


@functools.lru_cache(maxsize=8)
def _grid_cells(input_width: int, input_height: int, strides: Tuple[int, ...]) -> np.ndarray:
    """(anchors, 3) float32, read-only: column, row, stride [px] of every cell."""
    grids = []
    for stride in strides:
        rows, columns = np.mgrid[: -(-input_height // stride), : -(-input_width // stride)]
        grids.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    cells = np.concatenate(grids).astype(np.float32)
    cells.flags.writeable = False
    return cells


def _strides_for(input_size_px: Tuple[int, int], anchors: int) -> Optional[Tuple[int, ...]]:
    return next((strides for strides in STRIDE_SETS if anchor_count(input_size_px, strides) == anchors), None)


def _is_yolox(signature: Signature) -> bool:
    shape = signature.table
    if signature.is_ultralytics or len(signature.outputs) != 1 or shape is None or shape[2] is None or shape[2] < 6:
        return False
    classes_fit = signature.num_classes in (None, shape[2] - 5)
    enough_rows = shape[1] is None or shape[1] >= shape[2]
    return classes_fit and enough_rows and signature.may_be_anchors(shape[1])


def _classes(signature: Signature) -> Optional[int]:
    width = signature.table[2] if signature.table else None
    return width - 5 if width else None


YOLOX_INPUT = InputSpec(name="images", geometry="top-left", colour="bgr", scale=1.0)

YOLOX = Layout(
    "yolox",
    "YOLOX raw, the default of its exporter: (B, 8400, 5+nc) offsets on grids, to be decoded",
    True,
    YOLOX_INPUT,
    _is_yolox,
    decode_yolox,
    classes_from=_classes,
)
YOLOX_DECODED = Layout(
    "yolox-decoded",
    "YOLOX exported with --decode_in_inference: (B, 8400, 5+nc) cx cy w h objectness classes",
    True,
    YOLOX_INPUT,
    _is_yolox,
    decode_yolov5,
    classes_from=_classes,
)
