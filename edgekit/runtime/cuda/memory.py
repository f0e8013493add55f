"""Memory of the GPU, and memory of the CPU that the GPU can reach: taken and given back explicitly.

Each thread that calls here needs a current context, see `driver.set_current`. Nothing is freed by being forgotten.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver, libcuda

_PORTABLE, _MAPPED = 1, 2  # page-locked for all contexts; visible to kernels


class DeviceBuffer:
    """GPU memory, its content undefined. pointer is aligned to at least 256 bytes."""

    def __init__(self, nbytes: int) -> None:
        """Raises DeviceError if the GPU has no room for it."""
        address = ctypes.c_ulonglong()
        libcuda.call("cuMemAlloc_v2", ctypes.byref(address), nbytes)
        self.pointer = address.value
        self.nbytes = nbytes

    def free(self) -> None:
        """Give the memory back. No kernel or copy that uses it may be under way."""
        pointer, self.pointer = self.pointer, 0
        if pointer:
            libcuda.call("cuMemFree_v2", pointer)


class PinnedArray:
    """A numpy array in page-locked memory of the CPU, which copies to and from the GPU need in order to overlap.

    array (shape, dtype) in C order, content undefined; not to be used after `free`. device_pointer is its address for
    kernels if `mapped`, else 0.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, mapped: bool = False) -> None:
        """Raises DeviceError if so much memory cannot be page-locked."""
        kind = np.dtype(dtype)
        self.nbytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        self.pointer = libcuda.made("cuMemHostAlloc", self.nbytes, _PORTABLE | (_MAPPED if mapped else 0))
        self.device_pointer = _device_address(self.pointer) if mapped else 0
        memory = (ctypes.c_ubyte * self.nbytes).from_address(self.pointer)
        self.array: np.ndarray = np.frombuffer(memory, dtype=kind).reshape(tuple(shape))

    def free(self) -> None:
        """Give the memory back. No copy or kernel that uses it may be under way."""
        pointer, self.pointer, self.device_pointer = self.pointer, 0, 0
        if pointer:
            self.array = np.empty(0, self.array.dtype)
            libcuda.call("cuMemFreeHost", pointer)


class SharedArray:
    """An array that CPU and GPU both work on: one memory on a Jetson, two with copies between them elsewhere.

    array is the CPU's side, device_pointer the GPU's.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, integrated: bool) -> None:
        """Raises DeviceError if there is no room."""
        self._pinned = PinnedArray(shape, dtype, mapped=integrated)
        self._device: Optional[DeviceBuffer] = None
        if not integrated:
            try:
                self._device = DeviceBuffer(self._pinned.nbytes)
            except DeviceError:
                self._pinned.free()
                raise
        self.nbytes: int = self._pinned.nbytes
        self.device_pointer: int = self._device.pointer if self._device else self._pinned.device_pointer

    @property
    def array(self) -> np.ndarray:
        """(shape) of dtype. Not to be used after `free`."""
        return self._pinned.array

    def to_device(self, stream: int, nbytes: Optional[int] = None) -> None:
        """Enqueue the copy of all, or of the first `nbytes`, to the GPU. Does nothing where both are one memory."""
        size = self._size(nbytes)
        if self._device:
            driver.copy_to_device(self.device_pointer, self._pinned.pointer, size, stream)

    def to_host(self, stream: int, nbytes: Optional[int] = None) -> None:
        """Enqueue the copy of all, or of the first `nbytes`, to the CPU. Does nothing where both are one memory."""
        size = self._size(nbytes)
        if self._device:
            driver.copy_to_host(self._pinned.pointer, self.device_pointer, size, stream)

    def free(self) -> None:
        """Give both sides back. No copy or kernel that uses them may be under way."""
        if self._device:
            self._device.free()
        self._pinned.free()
        self.device_pointer = 0

    def _size(self, nbytes: Optional[int]) -> int:
        wanted = self.nbytes if nbytes is None else nbytes
        if not 0 <= wanted <= self.nbytes:
            raise ValueError(f"expected at most {self.nbytes} bytes, got {wanted}")
        return wanted


class PageLocks:
    """Page-locks pictures that a source hands out again and again: the CPU need not copy them on their way to the GPU.

    A picture that cannot be locked where it lies, as when it overlaps one locked before, is copied to page-locked
    memory once. Each is kept alive until `close`. refused says why one was not taken; "" while all were.
    """

    def __init__(self, limit_bytes: int = 1 << 30, mapped: bool = False, can_register: bool = True) -> None:
        """mapped: kernels read the pictures where they are, as on a Jetson. limit_bytes bounds what is kept."""
        self.refused = ""
        self._limit_bytes = limit_bytes
        self._mapped = mapped
        self._can_register = can_register
        self._bytes = 0
        self._kept: Dict[Tuple[int, int], _Kept] = {}

    def lock(self, pixels: np.ndarray) -> Optional[int]:
        """The address of the first byte, for copies or, if mapped, for kernels. None if there is no room.

        pixels (H, W, 3) uint8 whose rows may lie apart; its memory must not change as long as this is open.
        """
        key = (pixels.ctypes.data, _span_bytes(pixels))
        kept = self._kept.get(key)
        if kept is None:
            if self._bytes + key[1] > self._limit_bytes:
                self.refused = f"pictures beyond {self._limit_bytes / 2**20:.1f} MiB are copied each time"
                return None
            try:
                kept = self._registered(pixels, *key) or self._copied(pixels, *key)
            except DeviceError as error:
                self.refused = f"pictures are copied each time: {error.what}"
                return None
            self._kept[key] = kept
            self._bytes += key[1]
        return kept.address

    def close(self) -> None:
        """Unlock all. No copy or kernel that reads them may be under way."""
        kept, self._kept, self._bytes = self._kept, {}, 0
        for (start, _), picture in kept.items():
            if picture.copy is None:
                libcuda.call("cuMemHostUnregister", start)
            else:
                picture.copy.free()

    def _registered(self, pixels: np.ndarray, start: int, nbytes: int) -> Optional[_Kept]:
        flags = _PORTABLE | (_MAPPED if self._mapped else 0)
        if not self._can_register or libcuda.status("cuMemHostRegister_v2", start, nbytes, flags):
            return None
        try:
            return _Kept(pixels, _device_address(start) if self._mapped else start, None)
        except DeviceError:
            libcuda.status("cuMemHostUnregister", start)
            return None

    def _copied(self, pixels: np.ndarray, start: int, nbytes: int) -> _Kept:
        copy = PinnedArray((nbytes,), np.uint8, mapped=self._mapped)
        ctypes.memmove(copy.pointer, start, nbytes)  # with what lies between the rows, so that strides stay
        return _Kept(pixels, copy.device_pointer if self._mapped else copy.pointer, copy)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A picture, kept so that its address cannot become another's, and where the GPU finds it."""

    pixels: np.ndarray
    address: int
    copy: Optional[PinnedArray]


def _device_address(host: int) -> int:
    address = ctypes.c_ulonglong()
    libcuda.call("cuMemHostGetDevicePointer_v2", ctypes.byref(address), host, 0)
    return address.value


def _span_bytes(pixels: np.ndarray) -> int:
    """From the first byte of a picture to its last."""
    height, width, channels = pixels.shape
    return int((height - 1) * pixels.strides[0] + width * channels * pixels.itemsize)
