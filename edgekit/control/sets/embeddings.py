"""What a detector's own backbone makes of a picture, as one vector: pictures that it sees alike lie close together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.control.reference import input_tensor
from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import find_layout
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.postprocess import detections_from_outputs
from edgekit.errors import ModelError

RULE = 1  # of what is taken from the network; another rule makes other vectors

_ENLARGING = ("Resize", "Upsample", "ConvTranspose")


@dataclass(frozen=True)
class Seen:
    """One picture as the detector sees it. embedding (2 C,) float16, means then deviations; found in frame pixels."""

    embedding: np.ndarray
    found: Detections
    network_scale: float  # network pixels for each frame pixel


class Backbone:
    """The model on this machine's CPU, in FP32, with one inner tensor as a further output. One picture at a time."""

    def __init__(self, model_path: Path, spec: DetectorSpec) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(str(model_path))
        self.tensor = backbone_tensor(model, spec.input.name)
        self._outputs = [output.name for output in model.graph.output]
        if self.tensor not in self._outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=self.tensor))
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._spec = spec

    def see(self, picture: Path, frame_width: int, frame_height: int) -> Seen:
        """A picture of that size [px] as the detector sees it. Raises VerifyError for one that cannot be read."""
        names = [*self._outputs, *([] if self.tensor in self._outputs else [self.tensor])]
        answers = dict(zip(names, self._session.run(names, self._feeds(picture)), strict=True))
        best = self._spec.profile.optimum
        fit = GEOMETRIES[self._spec.input.geometry](frame_width, frame_height, best.width, best.height)
        outputs = {name: answers[name] for name in self._outputs}
        (found,) = detections_from_outputs(self._spec, outputs, [fit])
        return Seen(pooled(answers[self.tensor][0]), found, max(fit.scale_x, fit.scale_y))

    def _feeds(self, picture: Path) -> Mapping[str, np.ndarray]:
        declared = {item.name: item for item in self._session.get_inputs()}
        wanted = declared[self._spec.input.name]
        tensor = input_tensor(self._spec, picture)
        if "float16" in wanted.type:
            tensor = tensor.astype(np.float16)
        batch = wanted.shape[0] if isinstance(wanted.shape[0], int) else 1
        best = self._spec.profile.optimum
        sides = find_layout(self._spec.layout).side_inputs(batch, best.width, best.height)
        sides = {name: array for name, array in sides.items() if name in declared}
        return {self._spec.input.name: np.repeat(tensor, batch, axis=0), **sides}


def pooled(feature_map: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (2 C,) float16: the mean of each channel over the picture, then its standard deviation."""
    flat = feature_map.reshape(len(feature_map), -1).astype(np.float32)
    vector = np.concatenate([flat.mean(1), flat.std(1)])
    limited: np.ndarray = np.clip(np.nan_to_num(vector), -65_000, 65_000)
    return limited.astype(np.float16)


def backbone_tensor(model: Any, picture_input: str) -> str:
    """The name of the deepest feature map before the head: what is first enlarged again for a finer grid.

    Every feature pyramid begins so. A network without one (single scale, or a plain transformer) gives the last map of
    the coarsest grid that a convolution or its activation makes. Raises ModelError if no node makes a feature map.
    """
    import onnx

    from_picture, convolved = {picture_input}, False
    for node in model.graph.node:
        fed = [name for name in node.input if name in from_picture]
        if fed and convolved and node.op_type in _ENLARGING:
            return str(fed[0])
        if fed:
            from_picture.update(node.output)
            convolved = convolved or node.op_type == "Conv"
    inferred = onnx.shape_inference.infer_shapes(model)
    return _coarsest(inferred.graph)


def _coarsest(graph: Any) -> str:
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.value_info}
    made_by_conv: dict[str, int] = {}
    for node in graph.node:
        fed = any(name in made_by_conv for name in node.input)
        if node.op_type == "Conv" or (fed and node.op_type in ("Relu", "Sigmoid", "Mul", "LeakyRelu", "Clip", "Add")):
            shape = shapes.get(node.output[0], [])
            if len(shape) == 4 and shape[2] * shape[3] > 0:
                made_by_conv[node.output[0]] = shape[2] * shape[3]
    if not made_by_conv:
        raise ModelError(
            "the model has no feature map of a known size",
            why="no convolution of fixed size is in it",
            hint="edgekit calib ... --detector none    (compares pictures by their descriptors alone)",
        )
    coarsest = min(made_by_conv.values())
    return [name for name, cells in made_by_conv.items() if cells == coarsest][-1]
