"""A detector as device code needs it: geometry, colours, output layout, labels, thresholds.

`detectors/<name>/detector.yaml` is its form for people; the host resolves it (model digest, layout, labels) into this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from edgekit.core.tensors import ShapeProfile

Triple = Tuple[float, float, float]


@dataclass(frozen=True)
class InputSpec:
    """How a BGR uint8 frame becomes the network's input: tensor = (pixel * scale - mean) / std, channels first.

    geometry is a name of `letterbox.GEOMETRIES`; colour "rgb" or "bgr"; border the grey that fills what the frame
    leaves free, 0-255, before scaling. mean and std are in scaled units, in the order of `colour`.
    """

    name: str
    geometry: str = "letterbox"
    colour: str = "rgb"
    scale: float = 1 / 255
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    border: int = 114


@dataclass(frozen=True)
class DetectorSpec:
    """A model and how to use it. Travels in a release as detector.json."""

    name: str
    model_sha256: str
    input: InputSpec
    profile: ShapeProfile
    layout: str
    labels: Tuple[str, ...]
    confidence: float = 0.25
    iou: float = 0.45
    max_detections: int = 300
    class_agnostic_nms: bool = False
    schema: int = 1

    def __post_init__(self) -> None:
        for name in ("confidence", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if not self.labels:
            raise ValueError("labels: expected at least one")
