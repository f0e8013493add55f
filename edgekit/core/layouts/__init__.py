"""Raw outputs of a network -> candidates in input pixels, for every layout that detectors are exported with.

`identify_layout` finds the layout from what the model file declares, once; `decode` reads the outputs, every frame.
"""

from __future__ import annotations

import difflib
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.layouts import detr, rows, suppressed, yolo, yolox
from edgekit.core.layouts.candidates import DecodeContext, Outputs
from edgekit.core.layouts.layout import Layout
from edgekit.core.layouts.signature import Signature, classes_in_metadata
from edgekit.core.tensors import TensorSpec
from edgekit.errors import LayoutError

__all__ = ["LAYOUTS", "DecodeContext", "Layout", "count_classes", "decode", "find_layout", "identify_layout"]

LAYOUTS: Dict[str, Layout] = {
    layout.name: layout
    for layout in (
        yolo.YOLOV5,
        yolo.YOLOV8,
        yolo.YOLOV8_TRANSPOSED,
        rows.YOLO_END2END,
        yolox.YOLOX,
        yolox.YOLOX_DECODED,
        detr.RTDETR,
        detr.RTDETR_ULTRALYTICS,
        detr.RTDETR_PADDLE,
        detr.RFDETR,
        rows.DEEPSTREAM_YOLO,
        suppressed.EFFICIENTNMS,
        suppressed.ONNX_NMS_XYXY,
        suppressed.ONNX_NMS_YXYX,
        suppressed.ONNX_NMS_CXCYWH,
    )
}


def decode(layout: str, outputs: Outputs, context: DecodeContext) -> List[Detections]:
    """The candidates of each picture in the batch: boxes in input pixels, not clipped, scores >= context.confidence.

    outputs holds every output by name, float32 or float16, batch first. Layouts whose `needs_nms` is set still need
    `nms`. Rows that are not finite are dropped; a picture without candidates has boxes (0, 4).
    Raises LayoutError if the arrays do not fit the layout.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return find_layout(layout).decode(outputs, context)


def find_layout(name: str) -> Layout:
    """The layout of that name. Raises LayoutError naming the known ones."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    close = difflib.get_close_matches(name, LAYOUTS, 1)
    raise LayoutError(
        f"unknown layout {name!r}",
        why=f"known layouts:\n{_table(list(LAYOUTS))}",
        hint=f"did you mean {close[0]}?" if close else "set `layout:` in detector.yaml to one of these",
    )


def identify_layout(
    outputs: Sequence[TensorSpec],
    *,
    inputs: Sequence[TensorSpec] = (),
    num_classes: Optional[int] = None,
    metadata: Optional[Mapping[str, str]] = None,
    override: Optional[str] = None,
) -> str:
    """The name of the layout that the outputs are in; `override`, if given, is only checked to be a known name.

    num_classes defaults to the number of names in the metadata. For a graph that ends in NonMaxSuppression put the
    operator's attribute into the metadata as `center_point_box` ("0" or "1").
    Raises LayoutError if no layout fits, or more than one: a guess would show wrong boxes and no error.
    """
    if override is not None:
        return find_layout(override).name
    signature = _signature(outputs, inputs, num_classes, metadata)
    _refuse_other_tasks(signature)
    matching = [name for name, layout in LAYOUTS.items() if layout.matches(signature)]
    if len(matching) != 1:
        raise _ambiguous(signature, matching) if matching else _unknown(signature)
    return matching[0]


def count_classes(
    layout: str,
    outputs: Sequence[TensorSpec],
    *,
    inputs: Sequence[TensorSpec] = (),
    metadata: Optional[Mapping[str, str]] = None,
) -> Optional[int]:
    """The number of classes by the metadata's names, else by the shapes; None if neither says it."""
    signature = _signature(outputs, inputs, None, metadata)
    return signature.num_classes or find_layout(layout).classes_from(signature)


def _signature(
    outputs: Sequence[TensorSpec],
    inputs: Sequence[TensorSpec],
    num_classes: Optional[int],
    metadata: Optional[Mapping[str, str]],
) -> Signature:
    known = dict(metadata or {})
    classes = num_classes if num_classes is not None else classes_in_metadata(known)
    return Signature(tuple(outputs), tuple(inputs), classes, known)


def _refuse_other_tasks(signature: Signature) -> None:
    if signature.task in ("", "detect", "segment", "pose"):
        return
    raise LayoutError(
        f"the model's metadata says its task is {signature.task!r}; edgekit reads upright boxes",
        hint="export a detection, segmentation or pose model",
    )


def _ambiguous(signature: Signature, matching: List[str]) -> LayoutError:
    return LayoutError(
        f"the model's outputs fit {len(matching)} layouts: {', '.join(matching)}",
        why=f"{_seen(signature)}\nthey may be any of:\n{_table(matching)}",
        hint=f"set `layout:` in detector.yaml to {' or '.join(matching)}",
    )


def _unknown(signature: Signature) -> LayoutError:
    return LayoutError(
        "the model's outputs fit no known layout",
        why=f"{_seen(signature)}\nknown layouts:\n{_table(list(LAYOUTS))}",
        hint="check the number of labels, or set `layout:` in detector.yaml",
    )


def _seen(signature: Signature) -> str:
    inputs = "; ".join(str(spec) for spec in signature.inputs) or "not given"
    outputs = "; ".join(str(spec) for spec in signature.outputs) or "none"
    return f"inputs: {inputs}\noutputs: {outputs}\nclasses: {signature.num_classes or 'not known'}"


def _table(names: Sequence[str]) -> str:
    return "\n".join(f"  {name}: {LAYOUTS[name].description}" for name in names)
