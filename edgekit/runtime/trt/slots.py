"""One batch on its way through the GPU: its memory, its events, and the recorded work for each number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.graph import Graph
from edgekit.runtime.cuda.memory import SharedArray
from edgekit.runtime.trt.contexts import Binding


@dataclass(eq=False)
class Run:
    """The engine on the first rows of a slot, and what follows it, each as a CUDA graph where that can be.

    shapes are the outputs'. recorded is the engine's work; it and readout are None where they could not be recorded.
    resizes is the count of `Context.resizes` that they hold for.
    """

    rows: int
    binding: Binding
    shapes: Mapping[str, Tuple[int, ...]]
    resizes: int
    recorded: Optional[Graph] = None
    readout: Optional[Graph] = None

    @property
    def is_current(self) -> bool:
        """False once the context took other shapes, which spoils what was recorded."""
        return self.binding.holder.resizes == self.resizes

    def free(self) -> None:
        """Give the graphs back. They must not be running."""
        for graph in (self.recorded, self.readout):
            if graph is not None:
                graph.free()


class Slot:
    """Memory of one batch. images and results are what the filler and the reader made for it.

    Events: filled, the input is there; started and stopped, around the engine; done, the results are there.
    """

    def __init__(self, images: Any, results: Any, side_inputs: Mapping[str, SharedArray], integrated: bool) -> None:
        self.images, self.results, self.side_inputs = images, results, side_inputs
        # On a Jetson a thread that spins while it waits takes a core and power from the rest.
        self.filled, self.done = driver.make_event(), driver.make_event(blocking=integrated)
        self.started, self.stopped = driver.make_event(timing=True), driver.make_event(timing=True)
        self.runs: Dict[int, Run] = {}
        self.launched: Optional[Run] = None

    def free(self) -> None:
        """Give everything back but the runs, which are freed before. Nothing of it may be under way."""
        self.runs.clear()
        self.launched = None
        for memory in (self.images, self.results, *self.side_inputs.values()):
            memory.free()
        for event in (self.filled, self.started, self.stopped, self.done):
            driver.destroy_event(event)
