"""How the builder is to work: precision, scratch memory, where kernels come from, how hard it tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

from edgekit.core.engine import BuildRequest, TensorRTOptions
from edgekit.errors import BuildError
from edgekit.runtime.trt.layers import holds_quantisation
from edgekit.runtime.trt.library import load_library

if TYPE_CHECKING:
    import tensorrt as trt

_HIGHEST_LEVEL = 5


def make_config(
    builder: trt.Builder, request: BuildRequest, workspace_mib: int
) -> Tuple[trt.IBuilderConfig, Tuple[str, ...]]:
    """A builder config without precision, and warnings about options that this TensorRT does not have."""
    module: Any = load_library()
    config: trt.IBuilderConfig = builder.create_builder_config()
    config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, workspace_mib << 20)
    # Names only would leave precisions and kernels out of what the inspector tells.
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    config.set_tactic_sources(tactic_sources(config.get_tactic_sources(), request.tensorrt.library_tactics))
    return config, _set_level(config, request.tensorrt)


def tactic_sources(default: int, library_tactics: bool) -> int:
    """A bit for each source of kernels: TensorRT's own as they are, cuBLAS and cuDNN only if wanted.

    The libraries take several hundred MiB while building and give a detector's convolutions little. TensorRT 11 has
    no such sources.
    """
    module: Any = load_library()
    source = module.TacticSource
    if not hasattr(source, "CUBLAS"):
        return default
    libraries = 1 << int(source.CUBLAS) | 1 << int(source.CUBLAS_LT) | 1 << int(source.CUDNN)
    return default | libraries if library_tactics else default & ~libraries


def _set_level(config: trt.IBuilderConfig, options: TensorRTOptions) -> Tuple[str, ...]:
    level = options.optimisation_level
    if level is None:
        return ()
    if not 0 <= level <= _HIGHEST_LEVEL:
        raise BuildError(f"optimisation level {level}: expected 0 to {_HIGHEST_LEVEL}")
    if not hasattr(config, "builder_optimization_level"):
        version = load_library().__version__
        return (f"TensorRT {version} has no optimisation levels; {level} was asked for and has no effect",)
    config.builder_optimization_level = level
    return ()


def set_precision(network: trt.INetworkDefinition, config: trt.IBuilderConfig, request: BuildRequest) -> None:
    """Allow the types that the request's precision and route need.

    FP16 stands beside INT8, for the layers that stay out of it. A model with Q/DQ pairs needs INT8 whatever precision
    was asked for. TensorRT 11 has no such flags: there each type is the model's own, which the host prepared.
    Raises BuildError where the model and the route do not fit.
    """
    module: Any = load_library()
    _check_route(holds_quantisation(network), request)
    if not hasattr(module.BuilderFlag, "FP16"):
        return
    if request.precision != "fp32":
        config.set_flag(module.BuilderFlag.FP16)
    if request.route != "plain":
        config.set_flag(module.BuilderFlag.INT8)


def _check_route(quantised: bool, request: BuildRequest) -> None:
    if request.route in ("explicit", "trained") and not quantised:
        raise BuildError(
            f"the model holds no Q/DQ pairs, which the route {request.route!r} is about",
            why="it was not prepared on the host",
            hint="run the same command again",
        )
    if request.route in ("plain", "calibrator") and quantised:
        raise BuildError(
            f"the model holds Q/DQ pairs, and the route {request.route!r} is for models without",
            hint="run the same command again",
        )


def set_calibrator(config: trt.IBuilderConfig, calibrator: Any, shapes: Optional[Any]) -> None:
    """Let TensorRT measure ranges with `calibrator`, at the best size of the profile `shapes` where sizes vary.

    TensorRT below 11 only.
    """
    if not hasattr(config, "int8_calibrator"):
        raise BuildError("this TensorRT has no calibrators", hint="use --route explicit")
    config.int8_calibrator = calibrator
    if shapes is not None:
        config.set_calibration_profile(shapes)
