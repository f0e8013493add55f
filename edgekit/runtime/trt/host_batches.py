"""Batches that come from ordinary memory and go back to it, for verbs that look at raw outputs."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from edgekit.errors import DeviceError, EngineError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.memory import DeviceBuffer, SharedArray
from edgekit.runtime.trt.contexts import Binding, Contexts, latest_error
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.plan import OpenPlan, PlanTensor

Shape = Tuple[int, ...]


class HostBatches:
    """A context for batches from ordinary memory, and from the first of them on pinned memory for the largest.

    Everything is called on the thread that owns the GPU's context.
    """

    def __init__(self, plan: OpenPlan, contexts: Contexts, stream: int, integrated: bool) -> None:
        self._stream, self._integrated = stream, integrated
        self._inputs = {tensor.name: tensor for tensor in plan.tensors if tensor.is_input}
        self._outputs = {tensor.name: tensor for tensor in plan.tensors if not tensor.is_input}
        self._context = contexts.make()
        self._binding: Optional[Binding] = None
        self._memory: Dict[str, SharedArray] = {}
        self._growing: Dict[str, Any] = {}
        self._largest = {name: tensor.maximum for name, tensor in self._inputs.items()}
        self._largest.update(self.output_shapes(dict(self._largest)))

    @property
    def depends_on_data(self) -> Tuple[str, ...]:
        """Outputs whose size is known only when a batch is done, as NonMaxSuppression's."""
        return tuple(name for name in self._outputs if -1 in self._largest[name])

    def output_shapes(self, shapes: Mapping[str, Shape]) -> Dict[str, Shape]:
        """Shapes of the outputs for those of the inputs. Raises EngineError for shapes outside the profile."""
        return Binding(self._context, shapes, {}).output_shapes(self._outputs)

    def run(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """One batch, by input name -> new arrays by output name. Raises EngineError if TensorRT refuses it."""
        if not self._memory:
            self._allocate()
        binding = self._bind({name: self._send(tensor, tensors) for name, tensor in self._inputs.items()})
        if not binding.enqueue(self._stream):
            raise EngineError("the engine failed on a batch", why=latest_error())
        shapes = binding.output_shapes(name for name in self._outputs if name in self._memory)
        for name, shape in shapes.items():
            self._memory[name].to_host(self._stream, nbytes=self._outputs[name].nbytes(shape))
        driver.stream_synchronise(self._stream)
        found = {
            name: self._outputs[name].view(self._memory[name].array, shape).copy() for name, shape in shapes.items()
        }
        found.update({name: self._fetch_grown(name) for name in self._growing})
        return {name: found[name] for name in self._outputs}

    def close(self) -> None:
        """Free the memory and drop the context."""
        self._binding = None
        for memory in (*self._memory.values(), *self._growing.values()):
            memory.free()
        self._memory.clear()
        self._growing.clear()

    def _allocate(self) -> None:
        for name in self.depends_on_data:
            self._growing[name] = make_growing_output()
        for name, tensor in {**self._inputs, **self._outputs}.items():
            if name not in self._growing:
                self._memory[name] = SharedArray((tensor.nbytes(self._largest[name]),), "uint8", self._integrated)

    def _bind(self, shapes: Dict[str, Shape]) -> Binding:
        if self._binding is None or self._binding.shapes != shapes:
            addresses = {name: memory.device_pointer for name, memory in self._memory.items()}
            self._binding = Binding(self._context, shapes, addresses, self._growing)
        return self._binding

    def _send(self, tensor: PlanTensor, tensors: Mapping[str, np.ndarray]) -> Shape:
        given = tensors.get(tensor.name)
        if given is None:
            raise EngineError(f"input {tensor.name!r} is missing", why=f"given: {', '.join(tensors) or 'nothing'}")
        check_input(tensor, given)
        memory = self._memory[tensor.name]
        np.copyto(tensor.view(memory.array, given.shape), given, casting="same_kind")
        memory.to_device(self._stream, nbytes=tensor.nbytes(given.shape))
        return tuple(given.shape)

    def _fetch_grown(self, name: str) -> np.ndarray:
        grown, tensor = self._growing[name], self._outputs[name]
        array = np.empty(grown.shape, tensor.dtype)
        if array.nbytes:
            driver.copy_to_host(array.ctypes.data, grown.buffer.pointer, array.nbytes, self._stream)
            driver.stream_synchronise(self._stream)
        return array


def check_input(tensor: PlanTensor, given: np.ndarray) -> None:
    """Raise EngineError unless an array can be the input: no dimension too large, a type of the same kind."""
    if len(given.shape) != len(tensor.maximum) or any(
        size > largest for size, largest in zip(given.shape, tensor.maximum)
    ):
        raise EngineError(
            f"input {tensor.name!r} has the shape {given.shape}",
            why=f"this engine takes {tensor.spec} up to {tensor.maximum}",
        )
    if not np.can_cast(given.dtype, np.dtype(tensor.dtype), "same_kind"):
        raise EngineError(f"input {tensor.name!r} is {given.dtype}", why=f"this engine takes {tensor.spec}")


def make_growing_output() -> Any:
    """A tensorrt.IOutputAllocator with `buffer`, `shape` of the last batch, and `free`."""
    trt = load_library()

    class GrowingOutput(trt.IOutputAllocator):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.buffer: Any = DeviceBuffer(4096)
            self.shape: Shape = ()

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            # TensorRT calls this while a batch runs; an exception would end the process, 0 fails the batch.
            try:
                if size > self.buffer.nbytes:
                    self.free()
                    self.buffer = DeviceBuffer(size)
            except DeviceError:
                return 0
            return int(self.buffer.pointer)

        def reallocate_output_async(self, tensor_name: str, memory: int, size: int, alignment: int, stream: int) -> int:
            return self.reallocate_output(tensor_name, memory, size, alignment)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            self.shape = tuple(shape)

        def free(self) -> None:
            self.buffer.free()

    return GrowingOutput()
