"""The compiled kernels in the GPU, ready to launch from any thread."""

from __future__ import annotations

import ctypes
from typing import Tuple

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import libcuda

Size3 = Tuple[int, int, int]
NAMES = (
    "letterbox_float32",
    "letterbox_float16",
    "decode_float32",
    "decode_float16",
    "rank_candidates",
    "compare_candidates",
)


class Kernels:
    """A cubin loaded in the current context; see kernels.cu for what it holds."""

    def __init__(self, cubin: bytes) -> None:
        """Raises DeviceError if it was compiled for another GPU, or from another kernels.cu."""
        self._module = libcuda.made("cuModuleLoadData", cubin)
        try:
            self._functions = {
                name: libcuda.made("cuModuleGetFunction", self._module, name.encode("ascii")) for name in NAMES
            }
        except DeviceError as error:
            self.close()
            what = "the kernels beside the engine are those of another edgekit"
            raise DeviceError(what, why=error.what, hint="build the engine again") from None

    def launch(self, name: str, grid: Size3, block: Size3, job: ctypes.Structure, stream: int) -> None:
        """Enqueue one of NAMES: `grid` blocks of `block` threads. job, its only argument, is copied by the call."""
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(job))
        libcuda.call("cuLaunchKernel", self._functions[name], *grid, *block, 0, stream, arguments, None)

    def close(self) -> None:
        """Unload them. None may be running."""
        module, self._module = self._module, 0
        self._functions = {}
        if module:
            libcuda.call("cuModuleUnload", module)
