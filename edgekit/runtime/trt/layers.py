"""Layers of a network and of its engine: which ONNX node each came from, which stay out of INT8, which got it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, AbstractSet, Any, FrozenSet, Iterable, Iterator, List, Sequence, Set, Tuple

from edgekit.core.engine import EngineLayer
from edgekit.errors import BuildError
from edgekit.runtime.trt.library import load_library

if TYPE_CHECKING:
    import tensorrt as trt

_WEIGHTED = ("CONVOLUTION", "DECONVOLUTION", "FULLY_CONNECTED")
# Those that compute or move pictures' values; each has FP16 kernels in every release. Others are left as they are.
_CAN_BE_KEPT = (
    *_WEIGHTED,
    "MATRIX_MULTIPLY",
    "ACTIVATION",
    "ELEMENTWISE",
    "UNARY",
    "SCALE",
    "POOLING",
    "SOFTMAX",
    "REDUCE",
    "CONCATENATION",
    "SHUFFLE",
    "SLICE",
    "RESIZE",
    "PARAMETRIC_RELU",
)
_FLOATS = ("FLOAT", "HALF")
# "a + b || c", "PWN(a, b)" and "{ForeignNode[a...b]}" name the layers that an engine's layer was fused from.
_JOINTS = re.compile(r" \+ | \|\| |, |\.\.\.|[(){}\[\]]|ForeignNode|PWN")
_SUFFIX = re.compile(r"_\d+$")


def node_of_layer(layer: str, nodes: AbstractSet[str]) -> str:
    """The ONNX node that a network's layer was made from; "" if its name does not tell.

    The parser names a node's first layer like the node and further ones with a number after it, "/head/Conv_1_17".
    """
    if layer in nodes:
        return layer
    shorter = _SUFFIX.sub("", layer)
    return shorter if shorter != layer and shorter in nodes else ""


def network_layers(network: trt.INetworkDefinition) -> Iterator[trt.ILayer]:
    """The layers as parsed, in order."""
    for index in range(network.num_layers):
        yield network.get_layer(index)


def keep_float(
    network: trt.INetworkDefinition, config: trt.IBuilderConfig, kept: Sequence[str], nodes: AbstractSet[str]
) -> Tuple[str, ...]:
    """Keep the layers made from the nodes `kept` out of INT8, in FP16 where that is on; the names of those layers.

    Layers of shapes, constants and integers are left alone: a precision for them fails the build.
    Raises BuildError if a name in `kept` is no node of the model. Not for TensorRT 11, where types come from the model.
    """
    module: Any = load_library()
    unknown = sorted(set(kept) - nodes)
    if unknown:
        raise BuildError(
            f"the model has no nodes named {', '.join(unknown[:10])}", hint="take the names from the ONNX file"
        )
    if not kept or not hasattr(module.BuilderFlag, "OBEY_PRECISION_CONSTRAINTS"):
        return ()
    precision = module.DataType.HALF if config.get_flag(module.BuilderFlag.FP16) else module.DataType.FLOAT
    wanted = frozenset(kept)
    done = [layer for layer in network_layers(network) if node_of_layer(layer.name, nodes) in wanted]
    constrained = [layer for layer in done if _takes_precision(layer)]
    for layer in constrained:
        _constrain(layer, precision)
    config.set_flag(module.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    return tuple(layer.name for layer in constrained)


def _outputs(layer: trt.ILayer) -> List[trt.ITensor]:
    return [layer.get_output(index) for index in range(layer.num_outputs)]


def _takes_precision(layer: trt.ILayer) -> bool:
    if layer.type.name not in _CAN_BE_KEPT:
        return False
    first: trt.ITensor = layer.get_input(0)
    if first is not None and (first.is_shape_tensor or first.dtype.name not in _FLOATS):
        return False
    return all(tensor.dtype.name in _FLOATS and not tensor.is_shape_tensor for tensor in _outputs(layer))


def _constrain(layer: trt.ILayer, precision: trt.DataType) -> None:
    if not hasattr(layer, "set_output_type"):
        return
    layer.precision = precision
    for index, tensor in enumerate(_outputs(layer)):
        output: trt.ITensor = tensor
        # What the network gives out keeps the type that the model declares.
        if not output.is_network_output:
            layer.set_output_type(index, precision)


def weighted_layers(network: trt.INetworkDefinition) -> FrozenSet[str]:
    """Names of the layers with weights: convolutions, and multiplications by a constant."""
    constants: Set[str] = set()
    found = set()
    for layer in network_layers(network):
        kind = layer.type.name
        if kind == "CONSTANT":
            constants.update(tensor.name for tensor in _outputs(layer))
        elif kind in _WEIGHTED or (kind == "MATRIX_MULTIPLY" and _has_constant_input(layer, constants)):
            found.add(layer.name)
    return frozenset(found)


def _has_constant_input(layer: trt.ILayer, constants: AbstractSet[str]) -> bool:
    inputs = (layer.get_input(index) for index in range(layer.num_inputs))
    return any(tensor is not None and tensor.name in constants for tensor in inputs)


def holds_quantisation(network: trt.INetworkDefinition) -> bool:
    """True if the model brings Q/DQ pairs."""
    return any(layer.type.name in ("QUANTIZE", "DEQUANTIZE") for layer in network_layers(network))


def fused_names(engine_layer: str) -> FrozenSet[str]:
    """The names of a network's layers in the name of an engine's layer."""
    return frozenset(part.strip() for part in _JOINTS.split(engine_layer) if part.strip())


def count_quantised(layers: Iterable[EngineLayer], weighted: AbstractSet[str]) -> int:
    """How many of the weighted layers an engine computes in INT8, as far as its inspector tells."""
    quantised: Set[str] = set()
    for layer in layers:
        if layer.precision == "int8":
            quantised |= fused_names(layer.name) & weighted
    return len(quantised)
