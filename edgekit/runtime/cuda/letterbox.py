"""Stage 2 of 4 on the GPU: a camera frame into the network's input, as runtime.preprocess does on the CPU."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from edgekit.core.detector import InputSpec
from edgekit.core.letterbox import GEOMETRIES, Fit
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.driver import GpuFacts
from edgekit.runtime.cuda.kernels import Kernels
from edgekit.runtime.cuda.memory import DeviceBuffer, PageLocks
from edgekit.runtime.cuda.taps import FrameRows, taps_for
from edgekit.runtime.cuda.upload import FrameUpload

_DTYPES = ("float32", "float16")
_BLOCK = (32, 8, 1)
_LOCKED_BYTES = 1 << 30  # of frames that never change; an eighth of the memory on small boards
_FRAME_SIZES = 8  # kept at once; cameras that share an engine rarely have more


class LetterboxJob(ctypes.Structure):
    """`struct Letterbox` of kernels.cu."""

    _fields_ = (
        ("frame", ctypes.c_uint64),
        ("pitch_bytes", ctypes.c_int64),
        ("columns", ctypes.c_uint64),
        ("rows", ctypes.c_uint64),
        ("planes", ctypes.c_uint64),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("left", ctypes.c_int),
        ("top", ctypes.c_int),
        ("picture_width", ctypes.c_int),
        ("picture_height", ctypes.c_int),
        ("sources", ctypes.c_int * 3),
        ("gains", ctypes.c_float * 3),
        ("offsets", ctypes.c_float * 3),
        ("borders", ctypes.c_float * 3),
    )


@dataclass(frozen=True, eq=False)
class _Placement:
    """What the kernel must know of one frame size. job lacks frame, pitch and planes."""

    fit: Fit
    frame_rows: FrameRows
    tables: DeviceBuffer
    job: LetterboxJob


class GpuLetterbox:
    """Turns BGR frames into (3, height, width) planes as an InputSpec says. For one thread at a time,
    with its kernels' context current. item_bytes is the size of one picture's planes.
    """

    def __init__(
        self, input: InputSpec, height: int, width: int, dtype: str, kernels: Kernels, facts: GpuFacts
    ) -> None:
        """dtype is the network input's: "float32" or "float16", see `supports`."""
        if not self.supports(dtype):
            raise ValueError(f"dtype: expected one of {', '.join(_DTYPES)}, got {dtype!r}")
        self._geometry = GEOMETRIES[input.geometry]
        self._input = input
        self._height, self._width = height, width
        self._kernels = kernels
        self._kernel = f"letterbox_{dtype}"
        self._mapped = facts.integrated and facts.can_map_host
        locked_bytes = min(_LOCKED_BYTES, (facts.memory_mib << 20) // 8)
        self._locks = PageLocks(locked_bytes, self._mapped, facts.host_register)
        self._placements: OrderedDict[Tuple[int, int], _Placement] = OrderedDict()
        self.item_bytes = 3 * height * width * np.dtype(dtype).itemsize

    @staticmethod
    def supports(dtype: str) -> bool:
        """True if the kernel writes this type."""
        return dtype in _DTYPES

    @property
    def notes(self) -> Tuple[str, ...]:
        """What a person should know of how frames reach this GPU."""
        return (self._locks.refused,) if self._locks.refused else ()

    def make_upload(self) -> FrameUpload:
        """Staging memory for one row of one slot. Free it before this is closed."""
        return FrameUpload(self._mapped)

    def enqueue(
        self, pixels: np.ndarray, upload: FrameUpload, out_pointer: int, stream: int, constant: bool = False
    ) -> Fit:
        """Enqueue a frame (H, W, 3) uint8 BGR: all of the planes at `out_pointer` are written, border included.

        Waits only while `upload` still holds the frame before. pixels may change on return, unless `constant`, which
        says that they never do: such a frame is page-locked and kept. Raises DeviceError.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"expected a frame (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
        placement = self._placement(pixels.shape[1], pixels.shape[0], stream)
        locked = self._locks.lock(pixels) if constant and _rows_are_whole(pixels) else None
        job = placement.job
        job.frame, job.pitch_bytes = upload.place(pixels, placement.frame_rows, locked, stream)
        job.planes = out_pointer
        grid = (-(-self._width // _BLOCK[0]), -(-self._height // _BLOCK[1]), 1)
        self._kernels.launch(self._kernel, grid, _BLOCK, job, stream)
        upload.was_read(stream)
        return placement.fit

    def close(self) -> None:
        """Give back tables and page locks. Nothing enqueued may be under way."""
        while self._placements:
            self._placements.popitem()[1].tables.free()
        self._locks.close()

    def _placement(self, frame_width: int, frame_height: int, stream: int) -> _Placement:
        found = self._placements.get((frame_width, frame_height))
        if found is not None:
            return found
        if len(self._placements) >= _FRAME_SIZES:
            driver.synchronise()  # its kernels may be under way in any stream
            self._placements.popitem(last=False)[1].tables.free()
        made = self._make_placement(self._geometry(frame_width, frame_height, self._width, self._height), stream)
        self._placements[frame_width, frame_height] = made
        return made

    def _make_placement(self, fit: Fit, stream: int) -> _Placement:
        taps = taps_for(fit)
        both = np.concatenate([taps.columns, taps.rows])
        tables = DeviceBuffer(both.nbytes)
        driver.copy_to_device(tables.pointer, both.ctypes.data, both.nbytes, stream)
        driver.stream_synchronise(stream)  # other streams will read them too
        job = self._job(fit)
        job.columns, job.rows = tables.pointer, tables.pointer + taps.columns.nbytes
        return _Placement(fit, taps.frame_rows, tables, job)

    def _job(self, fit: Fit) -> LetterboxJob:
        spec = self._input
        borders = [(spec.border * spec.scale - mean) / std for mean, std in zip(spec.mean, spec.std)]
        return LetterboxJob(
            width=self._width,
            height=self._height,
            left=fit.left,
            top=fit.top,
            picture_width=fit.resized_width,
            picture_height=fit.resized_height,
            sources=(2, 1, 0) if spec.colour == "rgb" else (0, 1, 2),
            gains=tuple(spec.scale / std for std in spec.std),
            offsets=tuple(mean / std for mean, std in zip(spec.mean, spec.std)),
            borders=tuple(borders),
        )


def _rows_are_whole(pixels: np.ndarray) -> bool:
    """True if the pixels of each row lie side by side, and rows one after the other."""
    return pixels.strides[1:] == (3, 1) and pixels.strides[0] >= 3 * pixels.shape[1]
