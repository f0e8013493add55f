"""Finished rows of x1, y1, x2, y2, score, class: end-to-end YOLO, and DeepStream-Yolo, which needs suppression."""

from __future__ import annotations

from typing import List

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import InputSpec
from edgekit.core.layouts.candidates import DecodeContext, Outputs, candidates, the_table, wrong_shape
from edgekit.core.layouts.layout import Layout
from edgekit.core.layouts.signature import Signature


def decode_rows(outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """(B, N, 6 [+ extra]): x1, y1, x2, y2 px, score, class id; rows of unused slots have score 0.

    Source: Ultralytics nn/modules/head.py v10Detect.postprocess and engine/exporter.py NMSModel;
    marcoslucianops/DeepStream-Yolo utils/export_*.py DeepStreamOutput.
    """
    table = the_table(outputs)
    if table.shape[2] < 6:
        raise wrong_shape("(batch, rows, 6)", outputs)
    return [_decode_picture(rows, context) for rows in table]


def _decode_picture(rows: np.ndarray, context: DecodeContext) -> Detections:
    rows = rows[rows[:, 4] >= context.confidence, :6].astype(np.float32)
    return candidates(rows[:, :4], rows[:, 4], rows[:, 5], context)


def _is_end_to_end(signature: Signature) -> bool:
    width = signature.query_width
    if width is None or signature.family == "rtdetr" or signature.is_end_to_end is False:
        return False
    return width == 6 or signature.has_extra(width - 6)


def _is_deepstream(signature: Signature) -> bool:
    """Its exporter names the input "input" and writes no metadata; YOLOv5 and Ultralytics say "images" and `stride`."""
    shape = signature.table
    if "images" in signature.input_names or "stride" in signature.metadata:
        return False
    if shape is None or len(signature.outputs) != 1 or shape[2] != 6:
        return False
    return signature.may_be_anchors(shape[1]) or signature.may_be_anchors(shape[1], 3)


YOLO_END2END = Layout(
    "yolo-end2end",
    "YOLOv10, YOLO26, Ultralytics exports with nms=True: (B, 300, 6) x1 y1 x2 y2 score class",
    False,
    InputSpec(name="images"),
    _is_end_to_end,
    decode_rows,
)
DEEPSTREAM_YOLO = Layout(
    "deepstream-yolo",
    "DeepStream-Yolo exports: (B, 8400, 6) x1 y1 x2 y2 score class, before suppression",
    True,
    InputSpec(name="input"),
    _is_deepstream,
    decode_rows,
)
