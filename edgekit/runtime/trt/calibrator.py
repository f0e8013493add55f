"""INT8 ranges measured by TensorRT itself, on the device: TensorRT 8.4 to 10, not 10.3."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Protocol, Sequence, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import BuildRequest
from edgekit.core.tensors import TensorSpec
from edgekit.core.wire import digest
from edgekit.errors import BuildError, CalibrationError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.memory import DeviceBuffer
from edgekit.runtime.preprocess import network_inputs
from edgekit.runtime.trt.cache_files import read_cache, write_cache
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.progress import FirstFailure

_LEGACY_STREAM = 0


class Pictures(Protocol):
    """What calibration needs of runtime.calibration_pictures.CalibrationPictures."""

    used: int

    @property
    def warnings(self) -> Tuple[str, ...]:
        """What a person should know of the set, from `used`."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Batches (N, 3, H, W) float32, the same buffer each time."""


class GpuInputs:
    """GPU memory for one batch, a buffer an input, reused by the next. On the thread that owns the context."""

    def __init__(self) -> None:
        self._buffers: Dict[str, DeviceBuffer] = {}

    def place(self, name: str, array: np.ndarray) -> int:
        """Copy an input to the GPU; its address there. array C-contiguous, of the same size each time."""
        if name not in self._buffers:
            self._buffers[name] = DeviceBuffer(array.nbytes)
        pointer = self._buffers[name].pointer
        driver.copy_to_device(pointer, array.ctypes.data, array.nbytes, _LEGACY_STREAM)
        # TensorRT reads it in a stream of its own.
        driver.stream_synchronise(_LEGACY_STREAM)
        return pointer

    def free(self) -> None:
        """Give the memory back."""
        buffers, self._buffers = self._buffers, {}
        for buffer in buffers.values():
            buffer.free()


class Batches:
    """The pictures as TensorRT asks for them: one batch on the GPU at a time. `seconds` is what reading took."""

    def __init__(
        self, detector: DetectorSpec, inputs: Sequence[TensorSpec], pictures: Pictures, gpu: GpuInputs
    ) -> None:
        self.seconds = 0.0
        self._detector, self._inputs, self._gpu = detector, tuple(inputs), gpu
        self._pictures = pictures
        self._iterator: Optional[Iterator[np.ndarray]] = None
        self._count = 0

    def next(self, names: Sequence[str]) -> Optional[List[int]]:
        """Addresses of the next batch's inputs, in the order of names; None at the end.

        Raises CalibrationError for NaN or infinity in the data, and what reading pictures raises.
        """
        started_s = time.perf_counter()
        if self._iterator is None:
            self._iterator = iter(self._pictures)
        images = next(self._iterator, None)
        addresses = None
        if images is not None:
            self._count += 1
            tensors = network_inputs(self._detector, self._inputs, images)
            addresses = [self._gpu.place(name, self._checked(name, tensors)) for name in names]
        self.seconds += time.perf_counter() - started_s
        return addresses

    def _checked(self, name: str, tensors: Dict[str, np.ndarray]) -> np.ndarray:
        if name not in tensors:
            raise CalibrationError(f"TensorRT asks for an input that edgekit does not feed: {name!r}")
        array = np.ascontiguousarray(tensors[name])
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CalibrationError(
                f"calibration batch {self._count} holds NaN or infinity in {name!r}",
                why="ranges measured from it would be void",
                hint="check scale, mean and std of the input in detector.yaml",
            )
        return array


class KeptRanges:
    """Ranges measured by an earlier build from the same model and data, in a file. state: "measured" or "kept".

    The number of pictures is kept with them, since a build that reuses ranges opens no picture.
    """

    def __init__(self, path: Path, key: str, pictures: Pictures) -> None:
        self.state = "measured"
        self.note = ""
        self._path, self._key, self._pictures = path, key, pictures

    def read(self) -> Optional[bytes]:
        """What TensorRT once wrote; None to measure."""
        kept = read_cache(self._path, self._key)
        if kept.refusal:
            self.note = f"calibrated anew: {kept.refusal}"
        if kept.content is None:
            return None
        count, _, content = kept.content.partition(b"\n")
        self.state, self._pictures.used = "kept", int(count)
        return content

    def write(self, content: bytes) -> None:
        """Keep what TensorRT measured. A failure costs the next build time and nothing else."""
        try:
            write_cache(self._path, self._key, b"%d\n%s" % (self._pictures.used, content))
        except OSError as error:
            self.note = f"the calibration could not be kept for the next build: {error.strerror or error}"


def calibration_key(request: BuildRequest, tensorrt_version: str) -> str:
    """What measured ranges depend on: model, pictures, preprocessing, sizes, TensorRT, algorithm."""
    detector = request.detector
    data = [detector.model_sha256, request.calibration_sha256 or "", detector.input, detector.profile, detector.layout]
    return digest([*data, tensorrt_version, request.tensorrt.calibrator])


def make_calibrator(algorithm: str, batch: int, batches: Batches, kept: KeptRanges, failure: FirstFailure) -> Any:
    """A TensorRT calibrator, algorithm "entropy" or "minmax". The caller keeps it until the build is over.

    TensorRT swallows exceptions of these callbacks: the first is in `failure`, and no data follows it.
    Raises BuildError for TensorRT 11, which has no calibrators.
    """
    trt = load_library()
    if not hasattr(trt, "IInt8EntropyCalibrator2"):
        raise BuildError("this TensorRT has no calibrators", hint="use --route explicit")
    base = trt.IInt8MinMaxCalibrator if algorithm == "minmax" else trt.IInt8EntropyCalibrator2

    class Calibrator(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)

        def get_batch_size(self) -> int:
            return batch

        def get_batch(self, names: List[str]) -> Optional[List[int]]:
            try:
                return batches.next(names) if failure.error is None else None
            except BaseException as error:
                failure.note(error)
                return None

        def read_calibration_cache(self) -> Optional[bytes]:
            return kept.read()

        def write_calibration_cache(self, cache: Any) -> None:
            # Ranges from data that broke off must not serve the next build.
            if failure.error is None:
                kept.write(bytes(cache))

    return Calibrator()
