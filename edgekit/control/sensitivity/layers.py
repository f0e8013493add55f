"""A model with Q/DQ pairs, taken apart: the layers that compute in 8 bits, and the model with one of them alone so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.control.sensitivity.keep_float import node_names

if TYPE_CHECKING:
    import onnx

# What a person can keep in float. Whatever else is rounded belongs to the layer that it follows.
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")


class QuantisedModel:
    """A model made by `prepare_model` on the explicit route, beside the detector's own file that it was made from.

    layers: those that read 8 bits, in file order, by their names in the detector's own file.
    """

    def __init__(self, model_path: Path, own_path: Path) -> None:
        import onnx

        self._model = onnx.load(str(model_path))
        nodes = self._model.graph.node
        self._makers = {tensor: node for node in nodes for tensor in node.output}
        self._rounded = {node.name: sites for node in nodes if (sites := self._sites(node))}
        own = _OwnNames(own_path)
        inner = {own(node): node.name for node in nodes if node.name in self._rounded and node.op_type in _LAYERS}
        self._units = {name: self._unit(node) for name, node in inner.items()}
        self.layers = tuple(self._units)

    def alone(self, layer: str) -> bytes:
        """The model with only this layer in 8 bits, and what follows it alone; everything else reads floats."""
        return self._with(self._units[layer])

    def in_float(self) -> bytes:
        """The model with nothing in 8 bits."""
        return self._with(frozenset())

    def _sites(self, node: onnx.NodeProto) -> dict[int, str]:
        """Index of an input that a Q/DQ pair rounds -> the tensor that it rounds."""
        found = {index: self._source(tensor) for index, tensor in enumerate(node.input)}
        return {index: source for index, source in found.items() if source != node.input[index]}

    def _source(self, tensor: str) -> str:
        second = self._makers.get(tensor)
        first = self._makers.get(second.input[0]) if second is not None and second.op_type == _DEQUANTISE else None
        return str(first.input[0]) if first is not None and first.op_type == _QUANTISE else tensor

    def _unit(self, layer: str) -> frozenset[str]:
        """A layer and the nodes that read nothing else that changes: its activation, mostly."""
        stored = {tensor.name for tensor in self._model.graph.initializer}
        unit, made = {layer}, set[str]()
        for node in self._model.graph.node:
            read = {self._source(tensor) for tensor in node.input} - stored
            if node.name == layer or (node.op_type not in _LAYERS and read and read <= made):
                unit.add(node.name)
                made.update(node.output)
        return frozenset(unit)

    def _with(self, rounded: frozenset[str]) -> bytes:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for node in model.graph.node:
            if node.name not in rounded:
                for index, source in self._rounded.get(node.name, {}).items():
                    node.input[index] = source
        _remove_unread(model.graph)
        return bytes(model.SerializeToString())


_QUANTISE, _DEQUANTISE = "QuantizeLinear", "DequantizeLinear"


def _remove_unread(graph: onnx.GraphProto) -> None:
    for kind in (_DEQUANTISE, _QUANTISE):
        read = {value.name for value in graph.output} | {tensor for node in graph.node for tensor in node.input}
        for node in [node for node in graph.node if node.op_type == kind and node.output[0] not in read]:
            graph.node.remove(node)


class _OwnNames:
    """What a node of the prepared model is called in the detector's own file.

    Folding may merge and rename nodes; the tensor that a merged node gives is still called as it was.
    """

    def __init__(self, own_path: Path) -> None:
        import onnx

        nodes = onnx.load(str(own_path)).graph.node
        named = list(zip(node_names(own_path), nodes, strict=True))
        self._operators = {name: node.op_type for name, node in named}
        self._makers = {tensor: name for name, node in named for tensor in node.output}

    def __call__(self, node: onnx.NodeProto) -> str:
        if self._operators.get(node.name) == node.op_type:
            return str(node.name)
        return self._makers.get(node.output[0], str(node.name))
