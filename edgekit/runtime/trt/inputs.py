"""Frames into the network's input in GPU memory: letterboxed by a kernel there, or on the CPU and then copied."""

from __future__ import annotations

from typing import Any, Protocol, Sequence, Tuple

import numpy as np

from edgekit.core.letterbox import Fit
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.letterbox import GpuLetterbox
from edgekit.runtime.cuda.memory import DeviceBuffer, SharedArray
from edgekit.runtime.frames import Frame
from edgekit.runtime.preprocess import Preprocess

Shape = Tuple[int, int, int, int]


class Filler(Protocol):
    """Fills the input of slots. write is called from one thread at a time; make and free on the owner thread."""

    def make(self) -> Any:
        """One slot's input: `pointer` is where the GPU finds it, `free` gives it back."""

    def write(self, frame: Frame, images: Any, row: int, stream: int) -> Fit:
        """Start to make a frame the item `row`; the GPU's part of it goes into the stream. The frame may change then,
        unless it is constant."""


class GpuImages:
    """A batch in GPU memory and the staging memory of each of its frames."""

    def __init__(self, nbytes: int, uploads: Sequence[Any]) -> None:
        self._buffer = DeviceBuffer(nbytes)
        self.uploads = uploads
        self.pointer = self._buffer.pointer

    def free(self) -> None:
        """Give the memory back."""
        for upload in self.uploads:
            upload.free()
        self._buffer.free()


class GpuFiller:
    """Frames are copied as they are and letterboxed by the GPU."""

    def __init__(self, letterbox: GpuLetterbox, batch: int) -> None:
        self._letterbox, self._batch = letterbox, batch

    def make(self) -> GpuImages:
        """Memory for one slot; what is in it is undefined."""
        uploads = [self._letterbox.make_upload() for _ in range(self._batch)]
        return GpuImages(self._batch * self._letterbox.item_bytes, uploads)

    def write(self, frame: Frame, images: GpuImages, row: int, stream: int) -> Fit:
        """Start to make a frame the item `row`."""
        pointer = images.pointer + row * self._letterbox.item_bytes
        return self._letterbox.enqueue(frame.pixels, images.uploads[row], pointer, stream, constant=frame.constant)


class HostImages:
    """A batch that the CPU writes and the GPU reads. planes (3, height, width) float32 serve other types only."""

    def __init__(self, shape: Shape, dtype: str, integrated: bool) -> None:
        self._shared = SharedArray(shape, dtype, integrated)
        self._copied = not integrated
        self.items: np.ndarray = self._shared.array
        self.planes = np.zeros(shape[1:], np.float32) if dtype != "float32" else None
        self.pointer = self._shared.device_pointer

    def send(self, row: int, stream: int) -> None:
        """Start to copy one item to the GPU. Nothing to do where both have one memory."""
        if self._copied:
            item = self.items[row]
            driver.copy_to_device(self.pointer + row * item.nbytes, item.ctypes.data, item.nbytes, stream)

    def free(self) -> None:
        """Give the memory back."""
        self.items = np.empty(0, np.float32)
        self._shared.free()


class HostFiller:
    """Frames are letterboxed by the CPU; the finished input is copied."""

    def __init__(self, preprocess: Preprocess, shape: Shape, dtype: str, integrated: bool) -> None:
        self._preprocess = preprocess
        self._shape, self._dtype, self._integrated = shape, dtype, integrated

    def make(self) -> HostImages:
        """Memory for one slot; what is in it is undefined."""
        return HostImages(self._shape, self._dtype, self._integrated)

    def write(self, frame: Frame, images: HostImages, row: int, stream: int) -> Fit:
        """Make a frame the item `row`, and start to copy it."""
        if images.planes is None:
            fit = self._preprocess(frame.pixels, images.items[row])
        else:
            fit = self._preprocess(frame.pixels, images.planes)
            images.items[row] = images.planes
        images.send(row, stream)
        return fit
