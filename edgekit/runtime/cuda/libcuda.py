"""The CUDA driver library by ctypes: how its functions are called, and what their failures mean.

Every function has its C signature declared, since ctypes would pass an undeclared 64 bit address as a 32 bit integer.
ctypes lets other Python threads run while a call is under way.
Source: cuda.h of CUDA 11.4 and 13.0. Names with `_v2` are the ones that cuda.h's macros choose.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from typing import Any, Callable, Dict, Tuple

from edgekit.errors import DeviceError

NAME = "libcuda.so.1"
OUT_OF_MEMORY = 2
NOT_READY = 600


class Copy2D(ctypes.Structure):
    """CUDA_MEMCPY2D."""

    _fields_ = (
        ("src_x", c_size_t),
        ("src_y", c_size_t),
        ("src_kind", c_int),
        ("src_host", c_void_p),
        ("src_device", c_ulonglong),
        ("src_array", c_void_p),
        ("src_pitch", c_size_t),
        ("dst_x", c_size_t),
        ("dst_y", c_size_t),
        ("dst_kind", c_int),
        ("dst_host", c_void_p),
        ("dst_device", c_ulonglong),
        ("dst_array", c_void_p),
        ("dst_pitch", c_size_t),
        ("width_bytes", c_size_t),
        ("height", c_size_t),
    )


_DEVICE_POINTER = c_ulonglong
_OUT_HANDLE = POINTER(c_void_p)

SIGNATURES: Dict[str, Tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceTotalMem_v2": (POINTER(c_size_t), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxGetCurrent": (_OUT_HANDLE,),
    "cuCtxSynchronize": (),
    "cuStreamCreate": (_OUT_HANDLE, c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamWaitEvent": (c_void_p, c_void_p, c_uint),
    "cuEventCreate": (_OUT_HANDLE, c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuEventQuery": (c_void_p,),
    "cuEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cuMemGetInfo_v2": (POINTER(c_size_t), POINTER(c_size_t)),
    "cuMemAlloc_v2": (POINTER(_DEVICE_POINTER), c_size_t),
    "cuMemFree_v2": (_DEVICE_POINTER,),
    "cuMemHostAlloc": (_OUT_HANDLE, c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuMemHostGetDevicePointer_v2": (POINTER(_DEVICE_POINTER), c_void_p, c_uint),
    "cuMemHostRegister_v2": (c_void_p, c_size_t, c_uint),
    "cuMemHostUnregister": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (_DEVICE_POINTER, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, _DEVICE_POINTER, c_size_t, c_void_p),
    "cuMemcpyDtoDAsync_v2": (_DEVICE_POINTER, _DEVICE_POINTER, c_size_t, c_void_p),
    "cuMemcpy2DAsync_v2": (POINTER(Copy2D), c_void_p),
    "cuMemsetD32Async": (_DEVICE_POINTER, c_uint, c_size_t, c_void_p),
    "cuModuleLoadData": (_OUT_HANDLE, c_char_p),
    "cuModuleUnload": (c_void_p,),
    "cuModuleGetFunction": (_OUT_HANDLE, c_void_p, c_char_p),
    "cuLaunchKernel": (c_void_p, *[c_uint] * 7, c_void_p, POINTER(c_void_p), POINTER(c_void_p)),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, _OUT_HANDLE),
    "cuGraphInstantiateWithFlags": (_OUT_HANDLE, c_void_p, c_ulonglong),
    "cuGraphInstantiate_v2": (_OUT_HANDLE, c_void_p, _OUT_HANDLE, c_char_p, c_size_t),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphDestroy": (c_void_p,),
}

# These only enqueue or ask, in microseconds. Giving up Python's lock for so short a time would cost more: the other
# threads of the pipeline take it, and the caller waits until they have had their turn.
_QUICK = {
    "cuCtxSetCurrent",
    "cuStreamWaitEvent",
    "cuEventRecord",
    "cuEventQuery",
    "cuEventElapsedTime",
    "cuLaunchKernel",
    "cuGraphLaunch",
}

_WHY = {
    34: "the library found is the linker's stub, not the driver; take `stubs` out of LD_LIBRARY_PATH",
    35: "the driver is older than this CUDA",
    46: "another process holds the GPU alone",
    100: "the driver sees no NVIDIA GPU; in a container it must be passed in",
    101: "there is no GPU of that number",
    209: "the kernels were compiled for another GPU",
    700: "a kernel used an address that is not its own; everything on the GPU is lost to this process",
    712: "the memory is page-locked already",
    801: "the GPU or its driver does not offer this",
    802: "the GPU is not ready yet",
    803: "the driver in the kernel and its library are of different versions; a restart is due after an upgrade",
    804: "the CUDA compatibility package does not work with this GPU",
    999: "the driver does not say why; `dmesg` may, and a restart may help",
}


@functools.lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The driver library. Raises DeviceError if there is none."""
    try:
        return ctypes.CDLL(NAME)
    except OSError as error:
        raise DeviceError(
            "there is no NVIDIA driver on this machine",
            why=str(error),
            hint="install the NVIDIA driver, or JetPack on a Jetson; a container needs the NVIDIA runtime",
        ) from None


@functools.lru_cache(maxsize=1)
def _library_that_keeps_the_lock() -> ctypes.PyDLL:
    return ctypes.PyDLL(NAME, handle=library()._handle)


@functools.lru_cache(maxsize=None)
def _function(name: str) -> Callable[..., int]:
    try:
        function: Any = getattr(_library_that_keeps_the_lock() if name in _QUICK else library(), name)
    except AttributeError:
        raise DeviceError(
            f"the NVIDIA driver has no {name}", why="it is older than CUDA 11", hint="update the driver or JetPack"
        ) from None
    function.argtypes, function.restype = SIGNATURES[name], c_int
    return function  # type: ignore[no-any-return]


def has(name: str) -> bool:
    """True if the driver exports this function."""
    return hasattr(library(), name)


def status(name: str, *arguments: Any) -> int:
    """Call a function for its status alone; 0 is success."""
    return _function(name)(*arguments)


def call(name: str, *arguments: Any) -> None:
    """Call a function. Raises DeviceError unless it succeeds."""
    code = _function(name)(*arguments)
    if code:
        raise failure(name, code)


def made(name: str, *arguments: Any) -> int:
    """Call a function whose first parameter receives a handle; the handle."""
    handle = c_void_p()
    call(name, ctypes.byref(handle), *arguments)
    return handle.value or 0


def failure(name: str, code: int) -> DeviceError:
    """The error for a status other than 0."""
    if code == OUT_OF_MEMORY:
        return DeviceError(
            "the GPU is out of memory",
            why=f"{name}: {error_text(code)}",
            hint="stop other programs that use the GPU; on a Jetson it shares its memory with the CPU",
        )
    return DeviceError(f"the GPU refused {name}: {error_text(code)} ({code})", why=_WHY.get(code, ""))


def error_text(code: int) -> str:
    """The driver's own words for a status."""
    text = c_char_p()
    if _function("cuGetErrorString")(code, ctypes.byref(text)) or text.value is None:
        return "unknown status"
    return text.value.decode("ascii", "replace")
