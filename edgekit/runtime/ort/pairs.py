"""Where Q/DQ pairs go in a model for TensorRT, and putting them there.

TensorRT computes a layer in INT8 when all its inputs come out of DequantizeLinear; a Q behind it moves up through what
only moves numbers (Concat, MaxPool, Split ...) into the layer before, if all of them agree on one scale. Activations
such as SiLU are fused into the layer before, which a pair between the two would prevent.
Source: TensorRT developer guide, "Explicit Quantization" and "Q/DQ Layer-Placement Recommendations".
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Set, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.runtime.ort.graph import QUANTISED_OPS, constant_names, is_weighted

# "weighted": the inputs of weighted layers, and the shortcut of residual sums, so that the sum is fused into the layer
#   whose output is its other side.
# "sums": as above, with a pair at both sides of a residual sum, which then reads 8 bits only.
# "all": also what lies between, as the CPU back end has it; every fusion that a pair cuts is lost.
PLACEMENTS = ("weighted", "sums", "all")

# (node name, index of the input) to quantise, by tensor.
Sites = Dict[str, List[Tuple[str, int]]]

_SHARING_OPS = frozenset(
    {"Concat", "Flatten", "Identity", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
_ACTIVATIONS = frozenset({"Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "Relu", "Sigmoid"})
_JOINING_OPS = frozenset({"Add", "Concat", "Mul"})  # the others have one input that changes
_LARGEST = 127
# No scale may be 0, and none may vanish in FP16, whose smallest number this is.
_SMALLEST_SCALE = 2.0**-24


def find_sites(model: onnx.ModelProto, placement: str, kept: Set[str]) -> Sites:
    """The inputs to quantise, outside the nodes named in `kept`. The model must have passed shape inference."""
    constants, floats = constant_names(model.graph), _float_tensors(model.graph)
    uses = _count_uses(model.graph)
    producers = {name: node for node in model.graph.node for name in node.output}
    sites: Sites = {}
    for node in model.graph.node:
        if node.name in kept:
            continue
        changing = [i for i, name in enumerate(node.input) if name in floats and name not in constants]
        for index in _wanted(node, changing, placement, constants, producers, uses):
            sites.setdefault(node.input[index], []).append((node.name, index))
    return sites


def insert_pairs(model: onnx.ModelProto, sites: Sites, largest: Mapping[str, float], *, half: bool) -> None:
    """Put a pair at every site, and one at the weights of every layer whose input is a site. Changes the model.

    largest: the absolute value that maps to 127, by tensor. Scales are shared where TensorRT moves a Q from tensor to
    tensor. Weights stay stored in float with a scale for each output channel: TensorRT 8 rounds them itself. half:
    scales are chosen among FP16's numbers. Biases stay in float.
    """
    scales = _shared_scales(model.graph, sites, largest, half)
    weights = _weights(model.graph, sites)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    places = {place for uses in sites.values() for place in uses}
    done: Set[str] = set()
    nodes: List[onnx.NodeProto] = []
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            axis = None
            if (node.name, index) in places:
                scale = scales[name]
            elif (node.name, index) in weights:
                axis = weights[node.name, index]
                scale = _weight_scale(numpy_helper.to_array(stored[name]), axis, half)
            else:
                continue
            if name not in done:
                nodes.append(_quantise(model.graph, name, scale, axis))
                done.add(name)
            nodes.append(_dequantise(name, f"{node.name}/{index}", axis))
            node.input[index] = nodes[-1].output[0]
        nodes.append(node)
    copies = [_copy(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _wanted(
    node: onnx.NodeProto,
    changing: List[int],
    placement: str,
    constants: Set[str],
    producers: Mapping[str, onnx.NodeProto],
    uses: Mapping[str, int],
) -> List[int]:
    if is_weighted(node, constants):
        return [index for index in changing if index < 2]
    if node.op_type == "Add" and len(changing) == 2:
        return changing if placement != "weighted" else _shortcuts(node, producers, uses)
    if placement != "all" or node.op_type not in QUANTISED_OPS:
        return []
    return changing if node.op_type in _JOINING_OPS else changing[:1]


def _shortcuts(node: onnx.NodeProto, producers: Mapping[str, onnx.NodeProto], uses: Mapping[str, int]) -> List[int]:
    """The sides of a sum that do not come straight out of a weighted layer. One side at most is left in float."""
    straight = [i for i in (0, 1) if uses[node.input[i]] == 1 and _ends_layer(node.input[i], producers)]
    return [i for i in (0, 1) if i not in straight[:1]]


def _ends_layer(name: str, producers: Mapping[str, onnx.NodeProto]) -> bool:
    node = producers.get(name)
    while node is not None and node.op_type in _ACTIVATIONS:
        node = producers.get(node.input[0])
    return node is not None and node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")


def _count_uses(graph: onnx.GraphProto) -> Dict[str, int]:
    uses: Dict[str, int] = {value.name: 1 for value in graph.output}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    return uses


def _float_tensors(graph: onnx.GraphProto) -> Set[str]:
    values = [*graph.input, *graph.value_info, *graph.output]
    return {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}


def _shared_scales(
    graph: onnx.GraphProto, sites: Sites, largest: Mapping[str, float], half: bool
) -> Dict[str, np.ndarray]:
    group = _sharing_groups(graph)
    of_group: Dict[str, float] = {}
    for name in sites:
        root = group.get(name, name)
        of_group[root] = max(of_group.get(root, 0.0), largest[name])
    return {name: _scale(np.float64(of_group[group.get(name, name)]), half) for name in sites}


def _sharing_groups(graph: onnx.GraphProto) -> Dict[str, str]:
    """Tensor -> a name for all tensors that hold the same numbers as it, in part or moved."""
    parent: Dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for node in graph.node:
        if node.op_type in _SHARING_OPS:
            joined = [*(node.input if node.op_type == "Concat" else node.input[:1]), *node.output]
            for name in joined[1:]:
                parent[root(name)] = root(joined[0])
    return {name: root(name) for name in list(parent)}


def _weights(graph: onnx.GraphProto, sites: Sites) -> Dict[Tuple[str, int], int]:
    """(node name, input index) of the weights to quantise -> their axis of output channels."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    placed = {name for uses in sites.values() for name, _ in uses}
    found = {}
    for node in graph.node:
        if node.name in placed and is_weighted(node, set(stored)):
            index = next(i for i in (0, 1) if node.input[i] in stored)
            found[node.name, index] = _output_axis(node, len(stored[node.input[index]].dims))
    return found


def _output_axis(node: onnx.NodeProto, rank: int) -> int:
    if node.op_type == "MatMul":
        return rank - 1
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return 0 if transposed else 1
    return 1 if node.op_type == "ConvTranspose" else 0


def _weight_scale(weights: np.ndarray, axis: int, half: bool) -> np.ndarray:
    others = tuple(index for index in range(weights.ndim) if index != axis)
    return _scale(np.abs(weights.astype(np.float64)).max(axis=others), half)


def _scale(largest: np.ndarray, half: bool) -> np.ndarray:
    """() or (channels,) float32. Rounded up in FP16, so that the largest value still maps to 127."""
    scale = np.maximum(np.where(largest > 0, largest / _LARGEST, 1.0), _SMALLEST_SCALE)
    if not half:
        return scale.astype(np.float32)
    nearest = scale.astype(np.float16)
    return np.where(nearest < scale, np.nextafter(nearest, np.float16(np.inf)), nearest).astype(np.float32)


def _quantise(graph: onnx.GraphProto, name: str, scale: np.ndarray, axis: Optional[int]) -> onnx.NodeProto:
    for suffix, array in (("scale", scale), ("zero_point", np.zeros(scale.shape, np.int8))):
        graph.initializer.append(numpy_helper.from_array(array, f"{name}/{suffix}"))
    return _node("QuantizeLinear", name, f"{name}/quantised", f"{name}/QuantizeLinear", name, axis)


def _dequantise(name: str, consumer: str, axis: Optional[int]) -> onnx.NodeProto:
    node_name = f"{consumer}/DequantizeLinear"
    return _node("DequantizeLinear", f"{name}/quantised", f"{consumer}/dequantised", node_name, name, axis)


def _node(op: str, source: str, target: str, name: str, tensor: str, axis: Optional[int]) -> onnx.NodeProto:
    node = helper.make_node(op, [source, f"{tensor}/scale", f"{tensor}/zero_point"], [target], name=name)
    if axis is not None:
        node.attribute.append(helper.make_attribute("axis", axis))
    return node


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
