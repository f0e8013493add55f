"""One output layout: how to know it, how to feed its model, how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import InputSpec
from edgekit.core.layouts.candidates import DecodeContext, Outputs
from edgekit.core.layouts.signature import Signature


def no_side_inputs(batch: int, input_width: int, input_height: int) -> Dict[str, np.ndarray]:
    """Most models take pictures and nothing else."""
    return {}


@dataclass(frozen=True)
class Layout:
    """A family of outputs.

    decode gives the candidates of each picture of the batch, boxes in input pixels, not clipped, before suppression.
    input says how the family's models are usually fed. side_inputs(batch, input_width, input_height) gives the arrays
    to feed beside the pictures, by input name. classes_from reads the number of classes off the shapes, if they say it.
    """

    name: str
    description: str
    needs_nms: bool
    input: InputSpec
    matches: Callable[[Signature], bool]
    decode: Callable[[Outputs, DecodeContext], List[Detections]]
    side_inputs: Callable[[int, int, int], Dict[str, np.ndarray]] = no_side_inputs
    classes_from: Callable[[Signature], Optional[int]] = lambda signature: None
