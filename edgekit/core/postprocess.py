"""From an engine's raw outputs to detections in frame pixels: decode, suppress duplicates, keep the best, map back."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import LAYOUTS, DecodeContext, decode
from edgekit.core.letterbox import Fit
from edgekit.core.nms import nms


def detections_from_outputs(
    spec: DetectorSpec,
    outputs: Mapping[str, np.ndarray],
    fits: Sequence[Fit],
    *,
    confidence: Optional[float] = None,
    iou: Optional[float] = None,
    max_detections: Optional[int] = None,
    multi_label: bool = False,
) -> List[Detections]:
    """Detections in frame pixels, best score first, one for each of `fits`; further batch items are padding.

    outputs by name as the engine returned them. confidence, iou and max_detections default to the detector's own.
    multi_label lets one box stand for several classes, as is the custom when mAP is measured.
    Raises LayoutError if the outputs do not have the shapes of the detector's layout.
    """
    if not fits:
        return []
    context = DecodeContext(
        input_width=fits[0].input_width,
        input_height=fits[0].input_height,
        num_classes=len(spec.labels),
        confidence=spec.confidence if confidence is None else confidence,
        multi_label=multi_label,
    )
    return [
        detections_from_candidates(spec, found, fit, iou=iou, max_detections=max_detections)
        for found, fit in zip(decode(spec.layout, outputs, context), fits)
    ]


def detections_from_candidates(
    spec: DetectorSpec,
    candidates: Detections,
    fit: Fit,
    *,
    iou: Optional[float] = None,
    max_detections: Optional[int] = None,
) -> Detections:
    """One picture's decoded candidates, boxes in input pixels -> its detections in frame pixels, best score first."""
    if len(candidates) == 0:
        return candidates
    limit = spec.max_detections if max_detections is None else max_detections
    if LAYOUTS[spec.layout].needs_nms:
        overlap = spec.iou if iou is None else iou
        boxes, scores, class_ids = candidates.boxes_xyxy, candidates.scores, candidates.class_ids
        kept = candidates.select(nms(boxes, scores, class_ids, overlap, limit, spec.class_agnostic_nms))
    else:
        kept = candidates.select(np.argsort(-candidates.scores, kind="stable")[:limit])
    return in_frame(kept, fit)


def in_frame(kept: Detections, fit: Fit) -> Detections:
    """Detections whose boxes are in input pixels -> the same in frame pixels."""
    return kept.with_boxes(fit.to_frame(kept.boxes_xyxy)) if len(kept) else kept
