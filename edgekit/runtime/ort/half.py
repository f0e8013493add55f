"""FP16 written into a model, for a TensorRT that takes every layer's type from it (11 and newer).

ONNX Runtime's own converter casts to FP16 and back between any two layers that are to stay FP32, which costs the very
digits they stay FP32 for; here numbers are cast only where FP16 and FP32 meet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, List, Set

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import BuildError
from edgekit.runtime.ort.graph import WEIGHTED_OPS, head_nodes, projects_softmax
from edgekit.runtime.ort.quantise import measure_ranges

# QuantizeLinear takes FP16 from here on.
HALF_OPSET = 19
# Half of FP16's largest number: other pictures may give larger values than the sample.
_SAFE = float(np.finfo(np.float16).max) / 2
_SMALLEST_HALF = np.float16(2.0**-24)
# Operators without an FP16 form, and inputs that are FP32 whatever the rest is.
_FP32_ONLY = frozenset({"CumSum", "NonMaxSuppression", "Range", "RoiAlign", "TopK"})
_FP32_INPUTS = {"Resize": (1, 2)}


def to_half(model: onnx.ModelProto, keep: Set[str]) -> onnx.ModelProto:
    """A model with FP16 weights and activations; its inputs and outputs, and the nodes named in `keep`, stay FP32.

    Q/DQ pairs stay; their scales become FP16 where what they read or give is. The model must have passed shape
    inference. Raises BuildError for models with branches or loops.
    """
    branching = next((node for node in model.graph.node if any(a.HasField("g") for a in node.attribute)), None)
    if branching is not None:
        raise BuildError(
            "FP16 types cannot be put into this model",
            why=f"node {branching.name!r} ({branching.op_type}) holds a graph of its own",
            hint="export the model without branches and loops, or build with --precision fp32",
        )
    half = onnx.ModelProto()
    half.CopyFrom(model)
    _Conversion(half.graph, keep).run()
    return onnx.shape_inference.infer_shapes(half)


class _Conversion:
    """One pass over the nodes in order, that knows of each tensor so far which type it has and which casts exist."""

    def __init__(self, graph: onnx.GraphProto, keep: Set[str]) -> None:
        self._graph, self._keep = graph, keep
        _store_constants(graph)
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._floats = _float_tensors(graph) | {n for n, t in self._stored.items() if t.data_type == TensorProto.FLOAT}
        self._halves: Set[str] = set()  # tensors that hold FP16 now
        self._other: Dict[str, str] = {}  # tensor -> its copy of the other type
        self._nodes: List[onnx.NodeProto] = []

    def run(self) -> None:
        outputs = {value.name for value in self._graph.output}
        for node in [_copy(node) for node in self._graph.node]:
            half = self._is_half(node)
            for index, name in enumerate(node.input):
                if name in self._floats:
                    wanted = half and index not in _FP32_INPUTS.get(node.op_type, ())
                    node.input[index] = self._as(name, wanted, is_scale="Linear" in node.op_type and index == 1)
            if half:
                _give_half(node)
            self._nodes.append(node)
            for index, name in enumerate(node.output):
                if half and name in self._floats:
                    self._halves.add(name)
                    if name in outputs:
                        self._finish(node, index, name)
        self._replace()

    def _is_half(self, node: onnx.NodeProto) -> bool:
        if node.name in self._keep or node.op_type in _FP32_ONLY:
            return False
        # What is FP32 already, such as the network's input, needs no detour on its way to 8 bits.
        return node.op_type != "QuantizeLinear" or node.input[0] in self._halves or node.input[0] in self._stored

    def _as(self, name: str, half: bool, *, is_scale: bool) -> str:
        """The name of a tensor's numbers in the wanted type."""
        if (name in self._halves) == half:
            return name
        if name not in self._other:
            self._other[name] = f"{name}/{'fp16' if half else 'fp32'}"
            if name in self._stored:
                self._graph.initializer.append(_half_tensor(self._stored[name], self._other[name], is_scale))
            else:
                self._nodes.append(_cast(name, self._other[name], half))
        return self._other[name]

    def _finish(self, node: onnx.NodeProto, index: int, name: str) -> None:
        """Give an FP16 tensor that is an output of the network back as FP32."""
        node.output[index] = f"{name}/fp16"
        self._nodes.append(_cast(node.output[index], name, False))
        self._halves.discard(name)
        self._other[name] = node.output[index]

    def _replace(self) -> None:
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        for field in (self._graph.node, self._graph.initializer, self._graph.value_info):
            del field[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(kept)


def box_arithmetic(graph: onnx.GraphProto) -> Set[str]:
    """Names of the head's nodes behind its last convolutions: they stay FP32.

    They compute pixels, and FP16 counts in steps of half a pixel from 512 on. They cost next to nothing.
    """
    producers = {name: node for node in graph.node for name in node.output}
    head = head_nodes(graph)
    return {
        node.name
        for node in graph.node
        if node.name in head and (node.op_type not in WEIGHTED_OPS or projects_softmax(node, producers))
    }


def overflowing(model_path: Path, feeds: Iterable[Dict[str, np.ndarray]], work_dir: Path) -> Set[str]:
    """Names of the nodes that read, write or store numbers too large for FP16 to be safe, on sample inputs.

    The model must have passed shape inference. Raises CalibrationError for values that are not finite.
    """
    graph = onnx.load(str(model_path)).graph
    ranges = measure_ranges(model_path, feeds, work_dir, tensors=_float_tensors(graph))
    large = {name for name, measured in ranges.items() if np.abs(measured.range_value).max() > _SAFE}
    large |= {tensor.name for tensor in graph.initializer if _too_large(tensor)}
    return {node.name for node in graph.node if large & {*node.input, *node.output}}


def _float_tensors(graph: onnx.GraphProto) -> Set[str]:
    """FP32 tensors that are computed or given, not stored."""
    values = [*graph.input, *graph.value_info, *graph.output]
    named = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return named - {tensor.name for tensor in graph.initializer}


def _store_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes that hold FP32 tensors into stored ones."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = node.attribute[0]
        if value.name == "value" and value.t.data_type == TensorProto.FLOAT:
            tensor = graph.initializer.add()
            tensor.CopyFrom(value.t)
            tensor.name = node.output[0]
            graph.node.remove(node)


def _half_tensor(tensor: onnx.TensorProto, name: str, is_scale: bool) -> onnx.TensorProto:
    with np.errstate(over="ignore"):  # `overflowing` is there to find such layers
        values = numpy_helper.to_array(tensor).astype(np.float16)
    return numpy_helper.from_array(np.maximum(values, _SMALLEST_HALF) if is_scale else values, name)


def _give_half(node: onnx.NodeProto) -> None:
    """Where an attribute says which type a node gives, say FP16."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        if node.op_type in ("Constant", "ConstantOfShape") and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_half_tensor(attribute.t, attribute.t.name, False))


def _cast(source: str, target: str, half: bool) -> onnx.NodeProto:
    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return helper.make_node("Cast", [source], [target], name=f"{target}/Cast", to=to)


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _too_large(tensor: onnx.TensorProto) -> bool:
    if tensor.data_type != TensorProto.FLOAT:
        return False
    values = numpy_helper.to_array(tensor)
    return bool(values.size and np.abs(values).max() > _SAFE)
