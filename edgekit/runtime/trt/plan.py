"""A TensorRT plan in memory: opened after its plugins and for its DLA core, and what goes in and comes out of it."""

from __future__ import annotations

import ctypes
import functools
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np

from edgekit.core.engine import EngineManifest
from edgekit.core.plan_file import split_plan
from edgekit.core.tensors import TensorSpec
from edgekit.errors import EngineError
from edgekit.runtime.trt.library import first_error, load_library, logger

if TYPE_CHECKING:
    import tensorrt as trt

_log = logging.getLogger(__name__)

# Keys of EngineManifest.extra: what must be done before the plan is opened.
DLA_CORE = "dla_core"  # "0"
PLUGINS = "plugins"  # JSON list of paths

# Names, as their numbers differ from release to release. BF16, FP8, INT4, FP4 and E8M0 have no type in numpy.
_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}


@dataclass(frozen=True)
class PlanTensor:
    """An input or output of a plan. A size of -1 in `shape` follows from the batch; maximum is the profile's, () of an
    output. dtype is numpy's name."""

    name: str
    is_input: bool
    shape: Tuple[int, ...]
    maximum: Tuple[int, ...]
    dtype: str

    @property
    def spec(self) -> TensorSpec:
        """As manifests declare it."""
        return TensorSpec(self.name, tuple(None if size < 0 else size for size in self.shape), self.dtype)

    def nbytes(self, shape: Sequence[int]) -> int:
        """Bytes of the tensor in that shape."""
        return math.prod(shape) * np.dtype(self.dtype).itemsize

    def view(self, memory: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """The start of bytes (N,) uint8 as the tensor in that shape; they share the memory."""
        return np.asarray(memory[: self.nbytes(shape)].view(self.dtype).reshape(tuple(shape)))


@dataclass(eq=False)
class OpenPlan:
    """TensorRT's objects for one plan; the engine goes before the runtime."""

    runtime: Any
    engine: Any
    tensors: Tuple[PlanTensor, ...]

    @property
    def is_dynamic(self) -> bool:
        """True if any input's size may vary."""
        return any(-1 in tensor.shape for tensor in self.tensors if tensor.is_input)

    def close(self) -> None:
        """Give TensorRT's objects back; contexts must be gone."""
        self.engine = None
        self.runtime = None


def open_plan(path: Path, manifest: EngineManifest) -> OpenPlan:
    """Deserialise a plan whose digest and key were checked. On the thread that owns the GPU's context.

    Raises EngineError with TensorRT's own first complaint if it refuses.
    """
    trt = load_library()
    load_plugins(json.loads(manifest.extra.get(PLUGINS, "[]")))
    plan = split_plan(path.read_bytes()).plan
    with logger().recorded() as messages:
        runtime = trt.Runtime(logger())
        if DLA_CORE in manifest.extra:
            # Set on the runtime too, or the engine is opened for the GPU and refused.
            runtime.DLA_core = int(manifest.extra[DLA_CORE])
        engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(
            f"TensorRT {trt.__version__} cannot open {path}",
            why=first_error(messages) or "it gave no reason",
            hint=f"edgekit build {manifest.detector} --precision {manifest.precision} --force",
        )
    for severity, text in messages:
        if severity == "WARNING":
            _log.info("TensorRT: %s", text)
    return OpenPlan(runtime, engine, plan_tensors(engine))


def plan_tensors(engine: Any) -> Tuple[PlanTensor, ...]:
    """Inputs and outputs of a deserialised engine, in its order. Raises EngineError for kinds edgekit cannot feed."""
    return tuple(_plan_tensor(engine, engine.get_tensor_name(index)) for index in range(engine.num_io_tensors))


def tensor_specs(engine: Any) -> Tuple[Tuple[TensorSpec, ...], Tuple[TensorSpec, ...]]:
    """(inputs, outputs) of a deserialised engine, as manifests declare them."""
    tensors = plan_tensors(engine)
    inputs = tuple(tensor.spec for tensor in tensors if tensor.is_input)
    return inputs, tuple(tensor.spec for tensor in tensors if not tensor.is_input)


def numpy_dtype(dtype: Any) -> str:
    """numpy's name of a tensorrt.DataType. Raises EngineError for one that numpy lacks.

    trt.nptype is no use: in TensorRT 8.5 it fails with numpy 1.24 and newer.
    """
    if dtype.name not in _DTYPES:
        raise EngineError(
            f"edgekit cannot feed or read tensors of type {dtype.name}",
            why=f"inputs and outputs may be {', '.join(_DTYPES)}",
            hint="export the model with float32 inputs and outputs",
        )
    return _DTYPES[dtype.name]


def load_plugins(paths: Sequence[str]) -> None:
    """Make plugins known to TensorRT: its own, and those of libraries on this device.

    Raises EngineError for a library that cannot be loaded.
    """
    for path in paths:
        try:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise EngineError(f"the plugin library {path} cannot be loaded", why=str(error)) from error
    _register_own_plugins()


@functools.lru_cache(maxsize=None)
def _register_own_plugins() -> None:
    load_library().init_libnvinfer_plugins(logger(), "")


def _plan_tensor(engine: Any, name: str) -> PlanTensor:
    trt = load_library()
    if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
        raise EngineError(
            f"{name!r} of this engine is a shape and not a picture",
            why="edgekit does not run models that take or give shapes as tensors",
        )
    if engine.get_tensor_format(name) != trt.TensorFormat.LINEAR:
        raise EngineError(
            f"{name!r} of this engine is in the format {engine.get_tensor_format_desc(name)}",
            why="edgekit feeds and reads plain rows of numbers",
            hint="build it with edgekit",
        )
    is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    shape = tuple(engine.get_tensor_shape(name))
    maximum = shape if is_input else ()
    if is_input and -1 in shape:
        maximum = tuple(engine.get_tensor_profile_shape(name, 0)[2])
    return PlanTensor(name, is_input, shape, maximum, numpy_dtype(engine.get_tensor_dtype(name)))


def activation_bytes(engine: trt.ICudaEngine) -> int:
    """Device memory that one execution context takes."""
    # TensorRT 11 knows the second name only, 8.x the first, and 10.x warns of the first.
    if hasattr(engine, "device_memory_size_v2"):
        return int(engine.device_memory_size_v2)
    return int(engine.device_memory_size)
