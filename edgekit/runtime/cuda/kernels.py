"""The compiled kernels in the GPU, ready to launch from any thread."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Sequence, Tuple

from edgekit.runtime.cuda import libcuda

Size3 = Tuple[int, int, int]


class Kernels:
    """A cubin loaded in the current context; see kernels.cu for what it holds."""

    def __init__(self, cubin: bytes) -> None:
        """Raises DeviceError if it was compiled for another GPU."""
        self._module = libcuda.made("cuModuleLoadData", cubin)
        self._functions: Dict[str, int] = {}

    def launch(self, name: str, grid: Size3, block: Size3, arguments: Sequence[Any], stream: int) -> None:
        """Enqueue a kernel: `grid` blocks of `block` threads. arguments are ctypes objects, copied by the call."""
        addresses = (ctypes.c_void_p * len(arguments))(*[ctypes.addressof(argument) for argument in arguments])
        libcuda.call("cuLaunchKernel", self._function(name), *grid, *block, 0, stream, addresses, None)

    def close(self) -> None:
        """Unload them. None may be running."""
        module, self._module = self._module, 0
        self._functions = {}
        if module:
            libcuda.call("cuModuleUnload", module)

    def _function(self, name: str) -> int:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = libcuda.made("cuModuleGetFunction", self._module, name.encode("ascii"))
        return function
