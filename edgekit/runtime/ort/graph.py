"""What a model file says of itself, and which nodes belong to the head: read from structure, never from names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]

from edgekit.core.tensors import ShapeProfile
from edgekit.errors import BuildError, ModelError

WEIGHTED_OPS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# What lies between two convolutions can stay in 8 bits as well.
QUANTISED_OPS = sorted(
    WEIGHTED_OPS
    | {"Add", "Clip", "Concat", "LeakyRelu", "MaxPool", "Mul"}
    | {"Relu", "Reshape", "Resize", "Sigmoid", "Split", "Transpose"}
)

# Operators that ONNX Runtime implements itself. Anything else would need a plugin, that is, foreign code.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# These move numbers without changing them, so they may lie between a Softmax and the projection it belongs to.
_MOVING_OPS = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
# They give sizes, not values: what lies behind them is not on the way to an output.
_SIZE_OPS = frozenset({"Shape", "Size"})


def read_model(path: Path) -> onnx.ModelProto:
    """The model in an ONNX file, which must be whole, self-contained and free of foreign operators.

    Raises ModelError if not. Weights outside the file are never followed.
    """
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (OSError, DecodeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as ONNX", why=str(error)) from None
    if not model.graph.node:
        raise ModelError(f"{path} holds no network", why="the file is empty, cut short, or not ONNX")
    for graph in _graphs(model.graph):
        _check_self_contained(graph, path)
    _check_domains(model, path)
    return model


def name_nodes(model: onnx.ModelProto) -> None:
    """Give each node without a name, or with one already taken, a name of its own."""
    taken: Set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)


def fix_sizes(model: onnx.ModelProto, input_name: str, profile: ShapeProfile) -> None:
    """Write the sizes the profile leaves no choice about into the model's picture input.

    Raises BuildError if the model's own fixed sizes lie outside the profile.
    """
    given = next((value for value in model.graph.input if value.name == input_name), None)
    if given is None or len(given.type.tensor_type.shape.dim) != 4:
        names = ", ".join(value.name for value in model.graph.input)
        raise ModelError(f"the model has no picture input named {input_name!r}", why=f"its inputs: {names}")
    dims = given.type.tensor_type.shape.dim
    for position, name in ((0, "batch"), (2, "height"), (3, "width")):
        low, high = getattr(profile.minimum, name), getattr(profile.maximum, name)
        own = dims[position].dim_value
        if own and not low == own == high:
            raise BuildError(
                f"the model takes {name} {own} only, the detector's profile asks for {low} to {high}",
                why=f"{name} is fixed in the ONNX file",
                hint=f"set {name} to {own} in detector.yaml, or export the model with a dynamic {name}",
            )
        if low == high:
            _fix_dim(model, dims[position], low)


def _fix_dim(model: onnx.ModelProto, dim: Any, value: int) -> None:
    symbol = dim.dim_param
    dim.dim_value = value
    if symbol:
        for other in [*model.graph.input, *model.graph.output]:
            for twin in other.type.tensor_type.shape.dim:
                if twin.dim_param == symbol:
                    twin.dim_value = value


def holds_quantisation(model: onnx.ModelProto) -> bool:
    """True for a model trained with quantisation (QAT): it brings its own scales."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def head_nodes(graph: onnx.GraphProto) -> Set[str]:
    """Names of the nodes from the head's last weighted operators to the outputs, both included.

    These stay out of INT8: boxes in pixels and class scores share one tensor there, and 8 bits cannot hold both.
    A weighted operator fed by a Softmax is the projection of DFL, not a last convolution, so the walk goes on.
    """
    producers = {name: node for node in graph.node for name in node.output}
    constants = constant_names(graph)
    found: Set[str] = set()
    pending = [value.name for value in graph.output]
    while pending:
        node = producers.get(pending.pop())
        if node is None or node.name in found or node.op_type in _SIZE_OPS:
            continue
        found.add(node.name)
        if not is_weighted(node, constants) or projects_softmax(node, producers):
            pending.extend(node.input)
    return found


def constant_names(graph: onnx.GraphProto) -> Set[str]:
    """Tensors that no input changes: stored ones, and what Q/DQ pairs make of them in a model trained for INT8."""
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        rounded = node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] in names
        if node.op_type == "Constant" or rounded:
            names.update(node.output)
    return names


def is_weighted(node: onnx.NodeProto, constants: Set[str]) -> bool:
    """True for a layer with stored weights; a MatMul of two activations, as in attention, is none."""
    return node.op_type in WEIGHTED_OPS and any(name in constants for name in list(node.input)[:2])


def opset(model: onnx.ModelProto) -> int:
    """The version of the ONNX operator set a model is written in."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def unshare_biases(model: onnx.ModelProto) -> None:
    """Give each weighted layer a bias of its own.

    Exporters store equal biases once. INT8 gives a bias the scale of its layer's input, and the quantiser keeps one
    scale for each stored tensor: all but one of the layers that share it would add a wrong number.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: Set[str] = set()
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or len(node.input) < 3:
            continue
        name = node.input[2]
        if name in seen and name in stored:
            copy = model.graph.initializer.add()
            copy.CopyFrom(stored[name])
            copy.name = f"{name}/{node.name}"
            node.input[2] = copy.name
        seen.add(name)


def count_layers(model: onnx.ModelProto) -> Tuple[int, int]:
    """(weighted layers, those of them that compute on quantised inputs and weights)."""
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    layers = [node for node in model.graph.node if node.op_type in WEIGHTED_OPS]
    quantised = [
        node for node in layers if all(producers.get(name) == "DequantizeLinear" for name in list(node.input)[:2])
    ]
    return len(layers), len(quantised)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner: List[onnx.GraphProto] = [attribute.g] if attribute.HasField("g") else []
            for child in [*inner, *attribute.graphs]:
                yield from _graphs(child)


def _check_self_contained(graph: onnx.GraphProto, path: Path) -> None:
    tensors = list(graph.initializer)
    for sparse in graph.sparse_initializer:
        tensors += [sparse.values, sparse.indices]
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
    outside = next((tensor for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL), None)
    if outside is not None:
        raise ModelError(
            f"{path} keeps its weights in another file (tensor {outside.name!r})",
            why="a detector is one file, known by one digest",
            hint="save it whole: onnx.save(onnx.load(PATH), PATH, save_as_external_data=False)",
        )


def _check_domains(model: onnx.ModelProto, path: Path) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    nodes = [node for graph in _graphs(model.graph) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    foreign = sorted(
        {
            f"{node.domain}::{node.op_type}"
            for node in nodes
            if node.domain not in _KNOWN_DOMAINS and (node.domain, node.op_type) not in own
        }
    )
    if foreign:
        raise ModelError(
            f"{path} needs operators that ONNX Runtime does not have: {', '.join(foreign)}",
            hint="export the model without plugins",
        )


def projects_softmax(node: onnx.NodeProto, producers: Dict[str, onnx.NodeProto]) -> bool:
    """True for a weighted layer fed by a Softmax: the projection of DFL."""
    source: Optional[onnx.NodeProto] = producers.get(node.input[0])
    while source is not None and source.op_type in _MOVING_OPS:
        source = producers.get(source.input[0])
    return source is not None and source.op_type == "Softmax"
