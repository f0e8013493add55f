"""What the runtime asks of the CUDA driver: facts, contexts, streams, events and copies, from any thread.

pycuda ties its objects to the thread that made them, so pipeline threads go by this module instead: `set_current` once,
then everything else. Contexts, streams, events and addresses are plain integers. Every function raises DeviceError.
"""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int, c_size_t
from dataclasses import dataclass
from typing import Tuple

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import libcuda

_INTEGRATED, _CAN_MAP_HOST, _SM_MAJOR, _SM_MINOR, _HOST_REGISTER = 18, 19, 75, 76, 99
_NON_BLOCKING_STREAM = 1
_BLOCKING_SYNC, _DISABLE_TIMING = 1, 2
_HOST, _DEVICE = 1, 2


@dataclass(frozen=True)
class GpuFacts:
    """What the driver says about one GPU."""

    name: str  # "NVIDIA H200", "Orin"
    sm: int  # compute capability x 10
    memory_mib: int  # shared with the CPU where integrated
    cuda_driver: str  # the newest CUDA that the driver runs, "11.4"
    integrated: bool  # the GPU of a Jetson: it and the CPU work on the same memory
    can_map_host: bool  # kernels can read page-locked memory of the CPU
    host_register: bool  # memory that others allocated can be page-locked


def gpu_facts(index: int = 0) -> GpuFacts:
    """The facts about GPU number `index`, without making a context. Raises DeviceError if there is no such GPU."""
    code = libcuda.status("cuInit", 0)
    if code:
        error = libcuda.failure("cuInit", code)
        raise DeviceError(
            f"the NVIDIA driver does not start: {libcuda.error_text(code)} ({code})", why=error.why, hint=error.hint
        )
    count = c_int()
    libcuda.call("cuDeviceGetCount", ctypes.byref(count))
    if not 0 <= index < count.value:
        raise DeviceError(f"there is no GPU number {index}", why=f"the driver sees {count.value} of them")
    device = c_int()
    libcuda.call("cuDeviceGet", ctypes.byref(device), index)
    return _facts_of(device.value)


def _facts_of(device: int) -> GpuFacts:
    name, total, version = ctypes.create_string_buffer(128), c_size_t(), c_int()
    libcuda.call("cuDeviceGetName", name, len(name), device)
    libcuda.call("cuDeviceTotalMem_v2", ctypes.byref(total), device)
    libcuda.call("cuDriverGetVersion", ctypes.byref(version))
    return GpuFacts(
        name=name.value.decode("utf-8", "replace"),
        sm=10 * _attribute(_SM_MAJOR, device) + _attribute(_SM_MINOR, device),
        memory_mib=total.value >> 20,
        cuda_driver=f"{version.value // 1000}.{version.value % 1000 // 10}",
        integrated=bool(_attribute(_INTEGRATED, device)),
        can_map_host=bool(_attribute(_CAN_MAP_HOST, device)),
        host_register=bool(_attribute(_HOST_REGISTER, device)),
    )


def _attribute(number: int, device: int) -> int:
    value = c_int()
    libcuda.call("cuDeviceGetAttribute", ctypes.byref(value), number, device)
    return value.value


def set_current(context_handle: int) -> None:
    """Let the calling thread use a context. Beside pycuda's own stack of contexts, which never hears of it."""
    libcuda.call("cuCtxSetCurrent", context_handle)


def current() -> int:
    """The calling thread's context; 0 if it has none."""
    return libcuda.made("cuCtxGetCurrent")


def synchronise() -> None:
    """Wait until all that was enqueued in this context is done."""
    libcuda.call("cuCtxSynchronize")


def mem_get_info() -> Tuple[int, int]:
    """(free, total) bytes of GPU memory. On a Jetson, what the CPU's programs use is not free either."""
    free, total = c_size_t(), c_size_t()
    libcuda.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value


def make_stream() -> int:
    """A new stream that does not wait for the default stream, nor the other way round."""
    return libcuda.made("cuStreamCreate", _NON_BLOCKING_STREAM)


def destroy_stream(stream: int) -> None:
    """Give a stream back; work in it still ends."""
    libcuda.call("cuStreamDestroy_v2", stream)


def stream_synchronise(stream: int) -> None:
    """Wait until all work in the stream is done. What went wrong in it is raised here."""
    libcuda.call("cuStreamSynchronize", stream)


def stream_wait_event(stream: int, event: int) -> None:
    """Let what comes next in the stream wait for an event, without waiting here."""
    libcuda.call("cuStreamWaitEvent", stream, event, 0)


def make_event(timing: bool = False, blocking: bool = False) -> int:
    """A new event. timing: for `elapsed_ms`. blocking: a thread that waits for it sleeps instead of spinning."""
    flags = (0 if timing else _DISABLE_TIMING) | (_BLOCKING_SYNC if blocking else 0)
    return libcuda.made("cuEventCreate", flags)


def destroy_event(event: int) -> None:
    """Give an event back."""
    libcuda.call("cuEventDestroy_v2", event)


def record(event: int, stream: int) -> None:
    """Let the event happen when all that is now in the stream is done."""
    libcuda.call("cuEventRecord", event, stream)


def event_synchronise(event: int) -> None:
    """Wait for an event; one never recorded counts as past."""
    libcuda.call("cuEventSynchronize", event)


def event_done(event: int) -> bool:
    """True if the event is past."""
    code = libcuda.status("cuEventQuery", event)
    if code not in (0, libcuda.NOT_READY):
        raise libcuda.failure("cuEventQuery", code)
    return code == 0


def elapsed_ms(start: int, end: int) -> float:
    """Time between two events, both made with timing and past [ms, resolution about 0.5 us]."""
    value = c_float()
    libcuda.call("cuEventElapsedTime", ctypes.byref(value), start, end)
    return value.value


def copy_to_device(device: int, host: int, nbytes: int, stream: int) -> None:
    """Enqueue a copy from CPU to GPU memory. Page-locked memory must stay as it is until the copy is done."""
    libcuda.call("cuMemcpyHtoDAsync_v2", device, host, nbytes, stream)


def copy_to_host(host: int, device: int, nbytes: int, stream: int) -> None:
    """Enqueue a copy from GPU to CPU memory, which should be page-locked: else the call waits for the copy."""
    libcuda.call("cuMemcpyDtoHAsync_v2", host, device, nbytes, stream)


def copy_on_device(to: int, from_: int, nbytes: int, stream: int) -> None:
    """Enqueue a copy within GPU memory."""
    libcuda.call("cuMemcpyDtoDAsync_v2", to, from_, nbytes, stream)


def copy_rows_to_device(
    device: int, device_pitch: int, host: int, host_pitch: int, row_bytes: int, rows: int, stream: int
) -> None:
    """Enqueue a copy of rows of `row_bytes` from CPU to GPU memory; a pitch leads from one row to the next [bytes]."""
    copy = libcuda.Copy2D(
        src_kind=_HOST,
        src_host=host,
        src_pitch=host_pitch,
        dst_kind=_DEVICE,
        dst_device=device,
        dst_pitch=device_pitch,
        width_bytes=row_bytes,
        height=rows,
    )
    libcuda.call("cuMemcpy2DAsync_v2", ctypes.byref(copy), stream)


def fill_words(device: int, word: int, count: int, stream: int) -> None:
    """Enqueue setting `count` 32 bit words of GPU memory to one value."""
    libcuda.call("cuMemsetD32Async", device, word, count, stream)
