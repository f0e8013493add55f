"""CUDA graphs: work recorded from a stream once and launched as a whole, which pycuda does not offer.

Launching a small network layer by layer costs the CPU more time than the GPU needs to run it; a graph is one call.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from typing import Any, Callable, Iterator

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import libcuda

# What cannot be recorded fails instead of being left out of the graph; other threads may do as they like meanwhile.
_THREAD_LOCAL = 1


class Graph:
    """Recorded work, with the addresses it was recorded with. Made by `capture`."""

    def __init__(self, executable: int) -> None:
        self._executable = executable

    def launch(self, stream: int) -> None:
        """Enqueue all of it. Raises DeviceError."""
        libcuda.call("cuGraphLaunch", self._executable, stream)

    def free(self) -> None:
        """Give it back. It must not be running."""
        executable, self._executable = self._executable, 0
        if executable:
            libcuda.call("cuGraphExecDestroy", executable)


def capture(stream: int, enqueue: Callable[[], Any]) -> Graph:
    """Record what `enqueue` puts on the stream, without running it.

    The same work must have run once before, so that libraries have loaded what they load at first use. Raises what
    `enqueue` raises, and DeviceError if it returns False, as TensorRT does, or does what cannot be recorded. The stream
    works as before then.
    """
    libcuda.call("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)
    recorded = ctypes.c_void_p()
    try:
        try:
            with _no_garbage_collection():
                worked = enqueue()
        finally:
            code = libcuda.status("cuStreamEndCapture", stream, ctypes.byref(recorded))
        if code:
            raise libcuda.failure("cuStreamEndCapture", code)
        if worked is False or not recorded.value:
            raise DeviceError("the work could not be recorded as a CUDA graph", why="the engine refused to enqueue it")
        return Graph(_instantiate(recorded.value))
    finally:
        if recorded.value:
            libcuda.status("cuGraphDestroy", recorded)


def _instantiate(recorded: int) -> int:
    # cuGraphInstantiateWithFlags came with CUDA 11.4; drivers of 11.0 to 11.3 have the other one alone.
    if libcuda.has("cuGraphInstantiateWithFlags"):
        return libcuda.made("cuGraphInstantiateWithFlags", recorded, 0)
    return libcuda.made("cuGraphInstantiate_v2", recorded, None, None, 0)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collected object that frees GPU memory on this thread would spoil the recording."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
