"""A tensorrt module for machines without one, as far as running engines goes; numpy computes in its place.

Written from the Python API of TensorRT 8.5.2 (`release` "8") and 10.3 ("10"), not recorded. A plan is the bytes of its
name in PLANS. Work is done when it is enqueued, after whatever waits in any stream; it cannot be recorded in a graph.
"""

from __future__ import annotations

import ctypes
import types
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver

HEIGHT, WIDTH = 64, 96
ROWS, COLUMNS = 8, 12


@dataclass(frozen=True)
class Named:
    """A member of one of TensorRT's enumerations."""

    name: str


@dataclass
class PretendPlan:
    """Tensors (shape with -1, largest shape, DataType) and what makes the outputs from the inputs."""

    inputs: Dict[str, Tuple[Tuple[int, ...], Tuple[int, ...], str]]
    outputs: Dict[str, Tuple[Tuple[int, ...], str]]
    compute: Callable[[Dict[str, np.ndarray]], Dict[str, np.ndarray]]
    grows: bool = False  # sizes of the outputs depend on the data


def grid_table(tensors: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """A YOLOv8 table (B, 6, 96): one box for each cell of 8 x 8 px, two scores from the cell's red and green."""
    images = tensors["images"].astype(np.float32)
    cells = images.reshape(len(images), 3, ROWS, 8, COLUMNS, 8).mean(axis=(3, 5)).reshape(len(images), 3, -1)
    table = np.empty((len(images), 6, ROWS * COLUMNS), np.float32)
    ys, xs = np.mgrid[:ROWS, :COLUMNS].reshape(2, -1) * 8 + 4
    table[:, 0], table[:, 1], table[:, 2], table[:, 3] = xs, ys, 14, 11
    table[:, 4:] = np.clip(cells[:, :2] * 3 - 1, 0, 1)
    return {"output0": table}


def fixed_plan() -> PretendPlan:
    """One picture of 64 x 96 px."""
    shape = (1, 3, HEIGHT, WIDTH)
    return PretendPlan({"images": (shape, shape, "FLOAT")}, {"output0": ((1, 6, 96), "FLOAT")}, grid_table)


def dynamic_plan() -> PretendPlan:
    """One to four pictures."""
    inputs = {"images": ((-1, 3, HEIGHT, WIDTH), (4, 3, HEIGHT, WIDTH), "FLOAT")}
    return PretendPlan(inputs, {"output0": ((-1, 6, 96), "FLOAT")}, grid_table)


def growing_plan() -> PretendPlan:
    """As many rows as there are bright cells, as a graph that ends in NonMaxSuppression gives."""

    def bright(tensors: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        table = grid_table(tensors)["output0"]
        return {"rows": np.argwhere(table[:, 4] > 0.5).astype(np.int32)}

    return PretendPlan(fixed_plan().inputs, {"rows": ((-1, 2), "INT32")}, bright, grows=True)


PLANS: Dict[bytes, Callable[[], PretendPlan]] = {
    b"fixed": fixed_plan,
    b"dynamic": dynamic_plan,
    b"growing": growing_plan,
}


@dataclass
class PretendContext:
    """IExecutionContext."""

    engine: PretendEngine
    shapes: Dict[str, Tuple[int, ...]] = field(default_factory=dict)
    addresses: Dict[str, int] = field(default_factory=dict)
    allocators: Dict[str, Any] = field(default_factory=dict)
    device_memory: int = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        self.device_memory = memory

    def set_input_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        declared, largest, _ = self.engine.plan.inputs[name]
        fits = len(shape) == len(declared) and all(
            0 < size <= most and known in (-1, size) for size, known, most in zip(shape, declared, largest)
        )
        if fits:
            self.shapes[name] = tuple(shape)
        return fits

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self.allocators[name] = allocator
        return True

    def get_tensor_shape(self, name: str) -> List[int]:
        plan = self.engine.plan
        if plan.grows:
            return list(plan.outputs[name][0])
        zeros = {key: np.zeros(shape, np.float32) for key, shape in self.shapes.items()}
        return list(plan.compute(zeros)[name].shape)

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert self.device_memory, "scratch memory was never given"
        try:
            driver.stream_synchronise(stream_handle)
        except DeviceError:
            return False  # while the stream is recorded
        driver.synchronise()
        self.engine.launches += 1
        given = {name: _at(self.addresses[name], shape, np.float32) for name, shape in self.shapes.items()}
        for name, array in self.engine.plan.compute(given).items():
            if name in self.allocators:
                self.addresses[name] = self.allocators[name].reallocate_output(name, 0, max(array.nbytes, 1), 256)
                self.allocators[name].notify_shape(name, list(array.shape))
            _at(self.addresses[name], array.shape, array.dtype)[...] = array
        return True


class PretendEngine:
    """ICudaEngine."""

    def __init__(self, plan: PretendPlan) -> None:
        self.plan = plan
        self.names = [*plan.inputs, *plan.outputs]
        self.num_io_tensors = len(self.names)
        self.device_memory_size = self.device_memory_size_v2 = 512
        self.contexts = 0
        self.launches = 0

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> Named:
        return INPUT if name in self.plan.inputs else OUTPUT

    def get_tensor_shape(self, name: str) -> List[int]:
        return list((self.plan.inputs.get(name) or self.plan.outputs[name])[0])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> List[List[int]]:
        shape, largest, _ = self.plan.inputs[name]
        return [[1 if size < 0 else size for size in shape], list(largest), list(largest)]

    def get_tensor_dtype(self, name: str) -> Named:
        return Named((self.plan.inputs.get(name) or self.plan.outputs[name])[-1])

    def get_tensor_location(self, name: str) -> Named:
        return DEVICE

    def get_tensor_format(self, name: str) -> Named:
        return LINEAR

    def create_execution_context_without_device_memory(self) -> PretendContext:
        return self.create_execution_context(None)

    def create_execution_context(self, strategy: Any) -> PretendContext:
        self.contexts += 1
        return PretendContext(self)


INPUT, OUTPUT, DEVICE, LINEAR = Named("INPUT"), Named("OUTPUT"), Named("DEVICE"), Named("LINEAR")


class ILogger:
    """As TensorRT's, to be derived from."""


class IOutputAllocator:
    """As TensorRT's, to be derived from."""


def make_module(release: str) -> Any:
    """The module. Its `engines` lists what was deserialised."""
    module: Any = types.ModuleType("tensorrt")
    module.__version__ = "8.5.2.2" if release == "8" else "10.3.0.26"
    module.engines = []
    module.ILogger, module.IOutputAllocator = ILogger, IOutputAllocator
    module.TensorIOMode = types.SimpleNamespace(INPUT=INPUT, OUTPUT=OUTPUT)
    module.TensorLocation = types.SimpleNamespace(DEVICE=DEVICE, HOST=Named("HOST"))
    module.TensorFormat = types.SimpleNamespace(LINEAR=LINEAR)
    module.init_libnvinfer_plugins = lambda logger, namespace: True
    if release != "8":
        module.ExecutionContextAllocationStrategy = types.SimpleNamespace(USER_MANAGED=Named("USER_MANAGED"))

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self.logger = logger

        def deserialize_cuda_engine(self, serialized_engine: Any) -> Any:
            plan = PLANS.get(bytes(serialized_engine))
            if plan is None:
                self.logger.log(Named("ERROR"), "1: [stdArchiveReader.cpp] Serialization assertion failed.")
                self.logger.log(Named("ERROR"), "4: [runtime.cpp] Engine deserialization failed.")
                return None
            module.engines.append(PretendEngine(plan()))
            return module.engines[-1]

    module.Runtime = Runtime
    return module


def _at(address: int, shape: Tuple[int, ...], dtype: Any) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    memory = (ctypes.c_ubyte * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(memory, dtype).reshape(shape)
