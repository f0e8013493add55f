"""What a model file tells about its output layout: names, shapes, types, metadata. Never the file's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import FrozenSet, Mapping, Optional, Tuple

from edgekit.core.labels import parse_names_literal
from edgekit.core.tensors import TensorSpec
from edgekit.errors import ModelError

Shape = Tuple[Optional[int], ...]

STRIDE_SETS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Strides of the detection heads in use: usual, P6, P2 models."""

MAX_QUERIES = 3000
"""More rows, and more classes in a row, than any DETR or end-to-end head gives (300 is usual)."""


@dataclass(frozen=True)
class Signature:
    """The declared outputs and inputs of a model, its metadata, and the number of classes if anything says it."""

    outputs: Tuple[TensorSpec, ...]
    inputs: Tuple[TensorSpec, ...] = ()
    num_classes: Optional[int] = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def input_names(self) -> FrozenSet[str]:
        """Every input's name."""
        return frozenset(spec.name for spec in self.inputs)

    @property
    def input_size_px(self) -> Optional[Tuple[int, int]]:
        """(width, height) of the picture input (B, C, H, W); None if there is none or it is dynamic."""
        for spec in self.inputs:
            if len(spec.shape) == 4 and spec.shape[2] and spec.shape[3]:
                return spec.shape[3], spec.shape[2]
        return None

    @property
    def table(self) -> Optional[Shape]:
        """The shape of the one three-dimensional output; None if there are none or several."""
        tables = [spec.shape for spec in self.outputs if len(spec.shape) == 3]
        return tables[0] if len(tables) == 1 else None

    @property
    def mask_coefficients(self) -> Optional[int]:
        """Channels of a segmentation model's prototype output (B, C, h, w); None if there is not one such output."""
        prototypes = [spec.shape[1] for spec in self.outputs if len(spec.shape) == 4]
        return prototypes[0] if len(prototypes) == 1 else None

    @property
    def is_ultralytics(self) -> bool:
        """True if the `ultralytics` package exported it; the older YOLOv5 repository does not sign its files."""
        return self.metadata.get("author") == "Ultralytics"

    @property
    def family(self) -> str:
        """The family that Ultralytics' description names: "yolo", "rtdetr", else ""."""
        text = self.metadata.get("description", "").lower().replace("-", "") if self.is_ultralytics else ""
        return next((name for name in ("rtdetr", "yolo") if name in text), "")

    @property
    def task(self) -> str:
        """Ultralytics' task: "detect", "segment", "pose", "obb", "classify"; "" if not said."""
        return self.metadata.get("task", "")

    @property
    def is_end_to_end(self) -> Optional[bool]:
        """Whether Ultralytics' metadata says that suppression is inside (own head, or nms=True); None if silent."""
        if "'nms': True" in self.metadata.get("args", ""):
            return True
        said = self.metadata.get("end2end")
        return None if said is None else said.lower() == "true"

    def output(self, name: str) -> Optional[TensorSpec]:
        """The output of that name, or None."""
        return next((spec for spec in self.outputs if spec.name == name), None)

    def may_be_anchors(self, count: Optional[int], boxes_per_cell: int = 1) -> bool:
        """True if `count` is, or as a dynamic dimension may be, the number of anchors for this input size."""
        if count is None:
            return True
        if self.input_size_px is None:
            # Squares of 32 px hold 21 cells at strides 8-32; squares of 64 px hold 85 with stride 64, and so does P2.
            return count % (21 * boxes_per_cell) == 0 or count % (85 * boxes_per_cell) == 0
        return any(count == boxes_per_cell * anchor_count(self.input_size_px, strides) for strides in STRIDE_SETS)

    @property
    def query_width(self) -> Optional[int]:
        """The width of the table's rows if it may be (B, queries, width) of a head that needs no suppression."""
        shape = self.table
        if shape is None or shape[2] is None or max(shape[1] or 0, shape[2]) > MAX_QUERIES:
            return None
        if shape[1] is not None and (self.may_be_anchors(shape[1]) or self.may_be_anchors(shape[1], 3)):
            return None
        columns_of_anchors = self.input_size_px is not None and self.may_be_anchors(shape[2])
        return None if columns_of_anchors else shape[2]

    def width_fits(self, width: Optional[int], channels_before: int) -> bool:
        """True if `width` is channels_before + classes, perhaps followed by mask coefficients or keypoints."""
        if width is None or width <= channels_before:
            return False
        if self.num_classes is None:
            return True
        extra = width - channels_before - self.num_classes
        return extra == 0 or self.has_extra(extra)

    def has_extra(self, extra: int) -> bool:
        """True if the model is known to put `extra` > 0 values after a row: mask coefficients, or keypoints.

        Without metadata only the commonest pose model is known: 1 class and COCO's 17 keypoints of x, y, visibility.
        """
        if extra <= 0:
            return False
        coco_pose = self.num_classes == 1 and extra == 51
        return extra == self.mask_coefficients or self.task == "pose" or coco_pose


def anchor_count(input_size_px: Tuple[int, int], strides: Tuple[int, ...]) -> int:
    """Cells of all grids of an input (width, height): 8400 for 640 x 640 at strides 8, 16, 32."""
    width, height = input_size_px
    return sum(-(-width // stride) * -(-height // stride) for stride in strides)


def classes_in_metadata(metadata: Mapping[str, str]) -> Optional[int]:
    """The number of names that the metadata holds; None if it holds none that can be read."""
    if "names" not in metadata:
        return None
    try:
        return len(parse_names_literal(metadata["names"]))
    except ModelError:
        return None
