"""The nodes that a person keeps in float: found again in a folded model, with what is fused into them, and freed of 8
bits at their inputs."""

from __future__ import annotations

from typing import Dict, Iterable, List, Sequence, Set

import onnx

from edgekit.errors import BuildError
from edgekit.runtime.ort.graph import constant_names

# What builders fuse into the layer before; in 8 bits there it would round what was kept in float.
_ACTIVATIONS = frozenset({"Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "PRelu", "Relu", "Sigmoid"})


def check_kept(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Raise BuildError for a name that is no node of the model, whose nodes must have names."""
    missing = sorted(set(names) - {node.name for node in model.graph.node})
    if missing:
        raise BuildError(
            f"keep_float names nodes that the model does not have: {', '.join(missing)}",
            hint="take the names from the ONNX file",
        )


def kept_nodes(original: onnx.GraphProto, folded: onnx.GraphProto, names: Sequence[str]) -> Set[str]:
    """The nodes of a folded graph that compute what the named ones of the original do, and their activations.

    Folding merges nodes and may rename them; tensors that are left keep their names. Raises BuildError for a node of
    which nothing is left, whose request could not be met.
    """
    makers = {tensor: node.name for node in folded.node for tensor in node.output}
    found = {name: _remaining(original, name, makers) for name in names}
    lost = sorted(name for name, node in found.items() if not node)
    if lost:
        raise BuildError(
            f"keep_float names nodes that folding removes: {', '.join(lost)}",
            why="they compute constants only",
            hint="leave them out of keep_float",
        )
    return with_activations(folded, set(found.values()))


def _remaining(original: onnx.GraphProto, name: str, makers: Dict[str, str]) -> str:
    """The folded node that makes an output of the named node, or the first one behind it whose output is left."""
    readers = _readers(original)
    pending = [tensor for node in original.node if node.name == name for tensor in node.output]
    seen: Set[str] = set()
    while pending:
        tensor = pending.pop(0)
        if tensor in makers:
            return makers[tensor]
        for node in readers.get(tensor, ()):
            if node.name not in seen:
                seen.add(node.name)
                pending.extend(node.output)
    return ""


def with_activations(graph: onnx.GraphProto, names: Set[str]) -> Set[str]:
    """The named nodes and the activations behind them that read nothing else that changes."""
    made = {tensor for node in graph.node if node.name in names for tensor in node.output}
    constants = constant_names(graph)
    found = set(names)
    for node in graph.node:  # in order: what a node reads was made before it
        changing = [tensor for tensor in node.input if tensor and tensor not in constants]
        if node.op_type in _ACTIVATIONS and changing and all(tensor in made for tensor in changing):
            found.add(node.name)
            made.update(node.output)
    return found


def read_floats(model: onnx.ModelProto, names: Set[str]) -> None:
    """Let the named nodes read the numbers themselves where they read what a Q/DQ pair made of them.

    ONNX Runtime's quantiser rounds a tensor once for all its readers. Pairs that nobody reads any more are removed.
    """
    if not names:
        return  # engines without such nodes stay what they were
    graph = model.graph
    makers = {tensor: node for node in graph.node for tensor in node.output}
    for node in graph.node:
        if node.name not in names:
            continue
        for index, tensor in enumerate(node.input):
            rounded = _rounded_by(tensor, makers)
            if rounded:
                node.input[index] = rounded
    _remove_unread(graph)


def _rounded_by(tensor: str, makers: Dict[str, onnx.NodeProto]) -> str:
    """The tensor that a Q/DQ pair rounds to make this one, "" if none does."""
    second = makers.get(tensor)
    first = makers.get(second.input[0]) if second is not None and second.op_type == "DequantizeLinear" else None
    return str(first.input[0]) if first is not None and first.op_type == "QuantizeLinear" else ""


def _remove_unread(graph: onnx.GraphProto) -> None:
    given = {value.name for value in graph.output}
    for kind in ("DequantizeLinear", "QuantizeLinear"):
        read = given | {tensor for node in graph.node for tensor in node.input}
        for node in [node for node in graph.node if node.op_type == kind and node.output[0] not in read]:
            graph.node.remove(node)


def _readers(graph: onnx.GraphProto) -> Dict[str, List[onnx.NodeProto]]:
    readers: Dict[str, List[onnx.NodeProto]] = {}
    for node in graph.node:
        for tensor in node.input:
            readers.setdefault(tensor, []).append(node)
    return readers
