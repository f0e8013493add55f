"""One frame's way from the CPU's memory to where kernels can read it."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray
from edgekit.runtime.cuda.taps import FrameRows


class FrameUpload:
    """Staging memory for one frame, grown to the largest frame seen. Frames come one at a time and in one stream.

    mapped: kernels read the CPU's memory, as on a Jetson, and nothing is copied to the GPU.
    """

    def __init__(self, mapped: bool) -> None:
        self._mapped = mapped
        self._read = driver.make_event()
        self._staged_last = False
        self._pinned: Optional[PinnedArray] = None
        self._device: Optional[DeviceBuffer] = None

    def place(self, pixels: np.ndarray, rows: FrameRows, locked: Optional[int], stream: int) -> Tuple[int, int]:
        """(address for kernels, bytes from row to row) of the wanted rows, when the stream comes to its next work.

        pixels (H, W, 3) uint8. locked: its address in page-locked memory, if it lies there; then it must stay as it is
        until the kernels have read it, else it may change at once: such a frame waits until the one before that was
        staged has been read.
        """
        row_bytes = pixels.shape[1] * pixels.shape[2]
        self._staged_last = locked is None
        if locked is None:
            driver.event_synchronise(self._read)
            pinned = self._staged(pixels, rows, row_bytes)
            if self._mapped:
                return pinned.device_pointer, row_bytes
            source, pitch = pinned.pointer, row_bytes
        else:
            source, pitch = locked + rows.first * pixels.strides[0], rows.step * pixels.strides[0]
            if self._mapped:
                return source, pitch
        return self._copied(source, pitch, row_bytes, rows.count, stream), row_bytes

    def was_read(self, stream: int) -> None:
        """To be called once the kernels that read the frame are enqueued."""
        if self._staged_last:
            driver.record(self._read, stream)

    def free(self) -> None:
        """Give the memory back. No frame may be on its way."""
        event, self._read = self._read, 0
        if event:
            driver.destroy_event(event)
        if self._device:
            self._device.free()
        if self._pinned:
            self._pinned.free()
        self._device = self._pinned = None

    def _staged(self, pixels: np.ndarray, rows: FrameRows, row_bytes: int) -> PinnedArray:
        nbytes = row_bytes * rows.count
        if self._pinned is None or self._pinned.nbytes < nbytes:
            if self._pinned:
                self._pinned.free()
            self._pinned = None
            self._pinned = PinnedArray((nbytes,), np.uint8, mapped=self._mapped)
        wanted = pixels[rows.first :: rows.step][: rows.count]
        np.copyto(self._pinned.array[:nbytes].reshape(wanted.shape), wanted)
        return self._pinned

    def _copied(self, source: int, pitch: int, row_bytes: int, rows: int, stream: int) -> int:
        nbytes = row_bytes * rows
        if self._device is None or self._device.nbytes < nbytes:
            if self._device:
                driver.stream_synchronise(stream)
                self._device.free()
            self._device = None
            self._device = DeviceBuffer(nbytes)
        if pitch == row_bytes:
            driver.copy_to_device(self._device.pointer, source, nbytes, stream)
        else:
            driver.copy_rows_to_device(self._device.pointer, row_bytes, source, pitch, row_bytes, rows, stream)
        return self._device.pointer
