"""Building for a deep learning accelerator: whether the device has one, and what it cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple

from edgekit.core.engine import BuildRequest
from edgekit.errors import BuildError
from edgekit.runtime.trt.layers import network_layers
from edgekit.runtime.trt.library import load_library

if TYPE_CHECKING:
    import tensorrt as trt

_NOT_COMPUTED = ("CONSTANT", "SHAPE")


def use_dla(request: BuildRequest, builder: trt.Builder, config: trt.IBuilderConfig) -> None:
    """Let the builder use the DLA core asked for, and the GPU for what that cannot run; nothing if none was asked for.

    Raises BuildError where the device has no such core, or the request is one that no DLA takes.
    Source: TensorRT developer guide, "Working with DLA", restrictions.
    """
    core = request.tensorrt.dla_core
    if core is None:
        return
    module: Any = load_library()
    _refuse(request, core, int(builder.num_DLA_cores))
    config.default_device_type = module.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(module.BuilderFlag.GPU_FALLBACK)


def _refuse(request: BuildRequest, core: int, cores: int) -> None:
    if cores == 0:
        raise BuildError(
            f"DLA core {core} was asked for, and TensorRT finds none on this device",
            why="only Xavier and Orin modules have them, Orin Nano has none, and JetPack 7.2 lacks their compiler",
            hint="build without --dla-core",
        )
    if not 0 <= core < cores:
        raise BuildError(f"there is no DLA core {core}", why=f"this device has {cores}: 0 to {cores - 1}")
    if request.precision == "fp32":
        raise BuildError("a DLA does not compute in FP32", hint="use --precision fp16 or int8")
    profile = request.detector.profile
    if profile.minimum != profile.maximum:
        raise BuildError(
            f"a DLA takes one input size, and the profile goes from {profile.minimum} to {profile.maximum}",
            hint="set minimum, optimum and maximum to the same size in detector.yaml, or build without --dla-core",
        )


def not_for_dla(network: trt.INetworkDefinition, config: trt.IBuilderConfig) -> Tuple[str, ...]:
    """Names of the layers that will run on the GPU instead. Constants and shapes need no accelerator."""
    layers = (layer for layer in network_layers(network) if layer.type.name not in _NOT_COMPUTED)
    return tuple(layer.name for layer in layers if not config.can_run_on_DLA(layer))
