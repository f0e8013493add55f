"""Stage 4 of 4, its heavy part on the GPU: of thousands of anchors, only those sure enough are copied back.

Gives the same candidates as core.layouts.yolo, in the same order. Unless they are very many, they come ranked and
compared with each other, so that suppression is left with a walk through bit sets: the same boxes stay as in core.nms.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.layouts.candidates import DecodeContext, candidates
from edgekit.core.nms import Suppression, keep_from_bits
from edgekit.errors import DeviceError, LayoutError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.kernels import Kernels
from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray

COMPARED = 256
"""Candidates of a picture that are compared with each other on the GPU; where there are more, the CPU suppresses."""

# `struct Candidate` of kernels.cu: box in input pixels, left, top, right, bottom.
ROW = np.dtype(
    [
        ("box", "<f4", (4,)),
        ("score", "<f4"),
        ("class_id", "<i4"),
        ("anchor", "<i4"),
        ("ranked", "<i4"),
        ("overlaps", f"V{COMPARED // 8}"),
    ]
)
_DTYPES = ("float32", "float16")
_BLOCK_THREADS = 128
_COMPARE_BLOCK = (COMPARED // 32, 32, 1)  # words of bits, rows


class DecodeJob(ctypes.Structure):
    """`struct Decode` of kernels.cu."""

    _fields_ = (
        ("output", ctypes.c_uint64),
        ("counts", ctypes.c_uint64),
        ("candidates", ctypes.c_uint64),
        ("picture_stride", ctypes.c_int64),
        ("anchor_stride", ctypes.c_int64),
        ("channel_stride", ctypes.c_int64),
        ("anchors", ctypes.c_int),
        ("classes", ctypes.c_int),
        ("limit", ctypes.c_int),
        ("has_objectness", ctypes.c_int),
        ("confidence", ctypes.c_float),
        ("objectness_confidence", ctypes.c_float),
    )


class CompareJob(ctypes.Structure):
    """`struct Compare` of kernels.cu."""

    _fields_ = (
        ("counts", ctypes.c_uint64),
        ("candidates", ctypes.c_uint64),
        ("limit", ctypes.c_int),
        ("compared", ctypes.c_int),
        ("class_agnostic", ctypes.c_int),
        ("iou", ctypes.c_float),
    )


@dataclass(frozen=True)
class _Table:
    """Where the anchors of a layout lie in its output (batch, d1, d2)."""

    anchors_last: bool
    has_objectness: bool


_TABLES: Dict[str, _Table] = {
    "yolov8": _Table(anchors_last=True, has_objectness=False),
    "yolov8-transposed": _Table(anchors_last=False, has_objectness=False),
    "yolov5": _Table(anchors_last=False, has_objectness=True),
}


def supports(layout: str, dtype: str) -> bool:
    """True if the kernel reads outputs of this layout and type."""
    return layout in _TABLES and dtype in _DTYPES


class CandidateBuffer:
    """Memory for the candidates of one batch: counts first, then `limit` rows for each picture. Made by GpuCandidates.

    counts (batch,) int32 go on beyond the limit; rows (batch, limit) of ROW, each picture's in no order, hold what the
    last copy brought. ranked and overlaps are not of the candidate beside them: in place i they are the row of the
    i-th surest, and a bit for each overlap with the j-th surest.
    """

    def __init__(self, batch: int, limit: int) -> None:
        self.header_bytes = -(-batch * 4 // ROW.itemsize) * ROW.itemsize
        self.picture_bytes = limit * ROW.itemsize
        nbytes = self.header_bytes + batch * self.picture_bytes
        self._pinned = PinnedArray((nbytes,), np.uint8)
        try:
            self._device = DeviceBuffer(nbytes)
        except DeviceError:
            self._pinned.free()
            raise
        self.pointer = self._device.pointer
        self.counts = self._pinned.array[: 4 * batch].view(np.int32)
        self.rows = self._pinned.array[self.header_bytes :].view(ROW).reshape(batch, limit)

    def to_host(self, pictures: int, stream: int) -> None:
        """Enqueue the copy of the first pictures' candidates to the CPU."""
        nbytes = self.header_bytes + pictures * self.picture_bytes
        driver.copy_to_host(self._pinned.pointer, self.pointer, nbytes, stream)

    def free(self) -> None:
        """Give the memory back. No work with it may be under way."""
        self.counts, self.rows = np.empty(0, np.int32), np.empty((0, 0), ROW)
        self._device.free()
        self._pinned.free()


class GpuCandidates:
    """Filters the raw output of a YOLO head on the GPU and compares what is left. For one thread at a time, with its
    kernels' context current."""

    def __init__(
        self,
        layout: str,
        shape: Tuple[int, int, int],
        dtype: str,
        context: DecodeContext,
        suppression: Suppression,
        kernels: Kernels,
        limit: int = 1024,
    ) -> None:
        """shape and dtype are those of the output for a full batch; at most `limit` candidates a picture are kept.

        Raises LayoutError if the output has fewer channels than the labels ask for, ValueError for what `supports`
        denies or with `multi_label`.
        """
        if not supports(layout, dtype) or context.multi_label:
            raise ValueError(f"no kernel for {layout} in {dtype}, multi_label {context.multi_label}")
        self._table = _TABLES[layout]
        self._shape, self._context, self._kernels, self._limit = shape, context, kernels, limit
        self._max_detections = suppression.max_detections
        self._kernel = f"decode_{dtype}"
        self._decode = _decode_job(self._table, shape, dtype, context, limit)
        self._compare = _compare_job(suppression, limit)

    def make_buffer(self) -> CandidateBuffer:
        """Memory for the candidates of one batch, to be freed by the caller."""
        return CandidateBuffer(self._shape[0], self._limit)

    def enqueue(self, output_pointer: int, buffer: CandidateBuffer, rows: int, stream: int) -> None:
        """Enqueue filtering the first `rows` pictures of an output, comparing what is left and copying it to the CPU.

        All of it goes to `stream`, so it may be recorded in a CUDA graph after the network. Raises DeviceError.
        """
        driver.fill_words(buffer.pointer, 0, self._shape[0], stream)
        for job in (self._decode, self._compare):
            job.counts, job.candidates = buffer.pointer, buffer.pointer + buffer.header_bytes
        self._decode.output = output_pointer
        launch, line, compared = self._kernels.launch, (_BLOCK_THREADS, 1, 1), self._compare.compared
        launch(self._kernel, (-(-self._decode.anchors // line[0]), rows, 1), line, self._decode, stream)
        launch("rank_candidates", (-(-compared // line[0]), rows, 1), line, self._compare, stream)
        grid = (-(-compared // _COMPARE_BLOCK[1]), rows, 1)
        launch("compare_candidates", grid, _COMPARE_BLOCK, self._compare, stream)
        buffer.to_host(rows, stream)

    def suppressed(self, buffer: CandidateBuffer, item: int) -> Optional[Detections]:
        """What is left of picture `item` after suppression, best score first, boxes in input pixels, once the stream
        has done its work. None if there were too many candidates to compare them on the GPU: see `to_detections`.
        """
        count = int(buffer.counts[item])
        if count > self._compare.compared:
            return None
        return kept_detections(count, buffer.rows[item], self._max_detections)

    def to_detections(self, buffer: CandidateBuffer, item: int) -> Optional[Detections]:
        """What picture `item` of the batch holds, before suppression, once the stream has done its work.

        None if there are more candidates than the limit: the whole output must be decoded then.
        """
        count = int(buffer.counts[item])
        return None if count > self._limit else to_detections(count, buffer.rows[item], self._context)


def kept_detections(count: int, rows: np.ndarray, max_detections: int) -> Detections:
    """The first `count` of rows (N,) of ROW, ranked and compared, as new Detections without what core.nms drops."""
    if not count:
        return Detections.empty()
    places = keep_from_bits(rows["overlaps"][:count].tobytes(), count, max_detections)
    kept = rows["ranked"][places]
    return Detections(rows["box"][kept], rows["score"][kept], rows["class_id"][kept])


def to_detections(count: int, rows: np.ndarray, context: DecodeContext) -> Detections:
    """The first `count` of rows (N,) of ROW as new Detections, boxes in input pixels, in the anchors' order."""
    found = rows[:count]
    found = found[np.argsort(found["anchor"], kind="stable")]
    return candidates(found["box"], found["score"], found["class_id"], context)


def _compare_job(suppression: Suppression, limit: int) -> CompareJob:
    return CompareJob(
        limit=limit,
        compared=min(limit, COMPARED),
        class_agnostic=int(suppression.class_agnostic),
        iou=suppression.iou,
    )


def _decode_job(
    table: _Table, shape: Tuple[int, int, int], dtype: str, context: DecodeContext, limit: int
) -> DecodeJob:
    channels, anchors = (shape[1], shape[2]) if table.anchors_last else (shape[2], shape[1])
    before_classes = 5 if table.has_objectness else 4
    if channels < before_classes + context.num_classes:
        raise LayoutError(
            f"the model's outputs do not fit the layout: expected {before_classes + context.num_classes} channels, "
            f"got {channels} of {shape}",
            hint="set `layout:` and the labels in detector.yaml to those of the model",
        )
    return DecodeJob(
        picture_stride=shape[1] * shape[2],
        anchor_stride=1 if table.anchors_last else channels,
        channel_stride=anchors if table.anchors_last else 1,
        anchors=anchors,
        classes=context.num_classes,
        limit=limit,
        has_objectness=int(table.has_objectness),
        confidence=context.confidence,
        # The CPU compares objectness in the output's own type.
        objectness_confidence=float(np.dtype(dtype).type(context.confidence)),
    )
