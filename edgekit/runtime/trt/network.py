"""The model as TensorRT holds it: parsed, with the sizes that its inputs may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import find_layout
from edgekit.core.onnx_nodes import OnnxNodes, read_onnx_nodes
from edgekit.core.tensors import InputSize, TensorSpec
from edgekit.errors import BuildError, DeviceError
from edgekit.runtime.trt.library import first_error, load_library, logger
from edgekit.runtime.trt.parser import parser_problems, unsupported_model
from edgekit.runtime.trt.plan import numpy_dtype

if TYPE_CHECKING:
    import tensorrt as trt

Dims = Tuple[int, ...]


@dataclass(eq=False)
class ParsedModel:
    """TensorRT's objects for one model, which must live together: the network holds weights of the parser's."""

    builder: trt.Builder
    network: trt.INetworkDefinition
    parser: trt.OnnxParser
    nodes: OnnxNodes


def parse_model(content: bytes) -> ParsedModel:
    """Parse an ONNX file's bytes. Raises BuildError listing everything that TensorRT cannot take.

    Raises DeviceError where TensorRT finds no GPU to build for.
    """
    module: Any = load_library()
    nodes = read_onnx_nodes(content)
    builder = _open_builder(module)
    network: trt.INetworkDefinition = builder.create_network(_creation_flags(module))
    parser: trt.OnnxParser = module.OnnxParser(network, logger())
    parsed = parser.parse(content)
    if not parsed or parser.num_errors:
        raise unsupported_model(parser_problems(parser, nodes), nodes, module.__version__)
    if network.num_outputs == 0:
        raise BuildError("TensorRT finds no output in this model", hint="export the model anew")
    return ParsedModel(builder, network, parser, nodes)


def _open_builder(module: Any) -> trt.Builder:
    with logger().recorded() as messages:
        try:
            builder = module.Builder(logger())
        except (RuntimeError, TypeError) as error:  # what pybind11 makes of a null pointer, by its version
            builder, reason = None, str(error)
        else:
            reason = ""
    if builder is None:
        raise DeviceError(
            f"TensorRT {module.__version__} cannot start its builder",
            why=first_error(messages) or reason,
            hint="edgekit doctor; on a Jetson, check that this user is in the group video",
        )
    return builder


def _creation_flags(module: Any) -> int:
    """8.x needs the flag, 10.x ignores it, 11.x lacks it. Types from the model are always on in 11.x."""
    if hasattr(module.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"):
        return 1 << int(module.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    return 0


def network_inputs_of(network: trt.INetworkDefinition) -> Tuple[TensorSpec, ...]:
    """The network's inputs; a size of None may vary. Raises EngineError for a type that numpy lacks."""
    found = []
    for index in range(network.num_inputs):
        tensor: trt.ITensor = network.get_input(index)
        shape = tuple(None if size < 0 else int(size) for size in tensor.shape)
        found.append(TensorSpec(tensor.name, shape, numpy_dtype(tensor.dtype)))
    return tuple(found)


def add_profile(parsed: ParsedModel, config: trt.IBuilderConfig, detector: DetectorSpec) -> Optional[Any]:
    """Tell the builder which sizes the inputs may take: a tensorrt.IOptimizationProfile, None if none varies.

    Raises BuildError where the detector's profile does not fit the model, or an input is not one edgekit feeds.
    """
    inputs = network_inputs_of(parsed.network)
    ranges = {tensor.name: _range_for(tensor, detector) for tensor in inputs}
    varying = [tensor.name for tensor in inputs if None in tensor.shape]
    if not varying:
        return None
    shapes: trt.IOptimizationProfile = parsed.builder.create_optimization_profile()
    for name in varying:
        shapes.set_shape(name, *ranges[name])
    if config.add_optimization_profile(shapes) < 0:
        raise BuildError(
            f"TensorRT refuses the sizes {detector.profile.minimum} to {detector.profile.maximum}",
            why=first_error(logger().messages[-50:]),
            hint="narrow the profile in detector.yaml",
        )
    return shapes


def _range_for(tensor: TensorSpec, detector: DetectorSpec) -> Tuple[Dims, Dims, Dims]:
    """The smallest, best and largest shape of one input, as the detector's profile has it."""
    profile = detector.profile
    low, best, high = (
        _shape_at(tensor, detector, size) for size in (profile.minimum, profile.optimum, profile.maximum)
    )
    for shape in (low, best, high):
        if len(shape) != len(tensor.shape) or any(
            declared not in (None, size) for declared, size in zip(tensor.shape, shape)
        ):
            raise BuildError(
                f"the model's input {tensor} does not take {shape}",
                why=f"the detector's profile is {profile.minimum} to {profile.maximum}, batch x height x width",
                hint="set sizes in detector.yaml to the model's, or export the model with these dimensions dynamic",
            )
    return low, best, high


def _shape_at(tensor: TensorSpec, detector: DetectorSpec, size: InputSize) -> Dims:
    if tensor.name == detector.input.name:
        return (size.batch, 3, size.height, size.width)
    sides = find_layout(detector.layout).side_inputs(size.batch, size.width, size.height)
    if tensor.name not in sides:
        expected = ", ".join([detector.input.name, *sorted(sides)])
        raise BuildError(
            f"the model has an input that edgekit does not feed: {tensor}",
            why=f"a detector of layout {detector.layout} takes {expected}",
            hint="set input name and layout in detector.yaml",
        )
    return tuple(int(length) for length in sides[tensor.name].shape)


def batch_at_optimum(inputs: Tuple[TensorSpec, ...], detector: DetectorSpec) -> int:
    """Pictures in a batch of the size that the engine is tuned for, or that the model is fixed to."""
    declared: Dict[str, Tuple[Optional[int], ...]] = {tensor.name: tensor.shape for tensor in inputs}
    return declared[detector.input.name][0] or detector.profile.optimum.batch
