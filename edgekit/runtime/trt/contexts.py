"""Execution contexts of one engine: their scratch memory, and the shapes and addresses they run with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from edgekit.errors import EngineError
from edgekit.runtime.cuda.memory import DeviceBuffer
from edgekit.runtime.trt.library import first_error, load_library, logger
from edgekit.runtime.trt.plan import OpenPlan, activation_bytes

Shape = Tuple[int, ...]


@dataclass(eq=False)
class Context:
    """One IExecutionContext, and what it was last given.

    resizes counts how often its shapes changed: a CUDA graph captured from it holds only until they change again,
    because TensorRT may keep tables for the shapes in memory of the context.
    """

    context: Any
    bound: Optional[object] = None
    shapes: Optional[Mapping[str, Shape]] = None
    resizes: int = 0


@dataclass(eq=False)
class Binding:
    """A context with the shapes and addresses of one batch. Several may share a context and then take turns.

    shapes are the inputs'. addresses are of all tensors but the outputs that `allocators` place.
    """

    holder: Context
    shapes: Mapping[str, Shape]
    addresses: Mapping[str, int]
    allocators: Mapping[str, Any] = field(default_factory=dict)
    # A context that knew its binding would be in a cycle with it, and die on whatever thread collects garbage.
    _token: object = field(default_factory=object)

    def enqueue(self, stream: int) -> bool:
        """Queue the engine's work. False if TensorRT refused; its reason is in the log."""
        if self.holder.bound is not self._token:
            self._bind()
        return bool(self.holder.context.execute_async_v3(stream))

    def output_shapes(self, names: Iterable[str]) -> Dict[str, Shape]:
        """Shapes of the outputs; a size that follows from the data is -1."""
        if self.holder.bound is not self._token:
            self._bind()
        return {name: tuple(self.holder.context.get_tensor_shape(name)) for name in names}

    def _bind(self) -> None:
        # No local name for the context here: an exception would keep it alive beyond the engine's end.
        self.holder.bound = None
        if self.holder.shapes != self.shapes:
            self._resize()
        for name, address in self.addresses.items():
            if not self.holder.context.set_tensor_address(name, address):
                raise EngineError(f"TensorRT refuses the memory for {name!r}", why=latest_error())
        for name, allocator in self.allocators.items():
            self.holder.context.set_output_allocator(name, allocator)
        self.holder.bound = self._token

    def _resize(self) -> None:
        self.holder.shapes = None
        self.holder.resizes += 1
        for name, shape in self.shapes.items():
            if not self.holder.context.set_input_shape(name, shape):
                raise EngineError(f"this engine does not take {name!r} as {shape}", why=latest_error())
        self.holder.shapes = dict(self.shapes)


class Contexts:
    """Makes the contexts of one engine. They share scratch memory, so all their work must go into one stream.

    A CUDA graph holds on to what its context had when it was captured, so every graph gets a context of its own. Only
    TensorRT 8 with varying sizes has no more than one to give: there one context belongs to one optimisation profile.
    """

    def __init__(self, plan: OpenPlan) -> None:
        self._plan = plan
        self._scratch = DeviceBuffer(max(256, activation_bytes(plan.engine)))
        self._only: Optional[Context] = None
        self._made: List[Context] = []

    @property
    def one_only(self) -> bool:
        """True if `make` always gives the same context."""
        # This name came with TensorRT 10.0, and so did contexts that share a profile.
        return self._plan.is_dynamic and not hasattr(load_library(), "ExecutionContextAllocationStrategy")

    def make(self) -> Context:
        """A new context, or the only one. Raises EngineError where TensorRT cannot."""
        if self._only is not None:
            return self._only
        made = Context(self._create())
        self._made.append(made)
        if self.one_only:
            self._only = made
        return made

    def drop(self, holder: Context) -> None:
        """Give a context back, unless it is the only one. Nothing of it may be running."""
        if holder is not self._only and holder in self._made:
            self._made.remove(holder)
            holder.context = None

    def close(self) -> None:
        """Give all contexts back, whoever still holds one, and the scratch memory."""
        for holder in self._made:
            holder.context = None
        self._made.clear()
        self._only = None
        self._scratch.free()

    def _create(self) -> Any:
        trt, engine = load_library(), self._plan.engine
        if hasattr(trt, "ExecutionContextAllocationStrategy"):
            context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
            if context is not None:
                context.set_device_memory(self._scratch.pointer, self._scratch.nbytes)
        else:
            context = engine.create_execution_context_without_device_memory()
            if context is not None:
                context.device_memory = self._scratch.pointer
        if context is None:
            raise EngineError("TensorRT cannot prepare the engine to run", why=latest_error())
        return context


def latest_error() -> str:
    """TensorRT's last complaint on one line; "" if it made none."""
    return first_error(logger().messages[:-51:-1])
