"""From a camera frame to the network's input: size, border, colour order, scaling. Calibration uses the same code."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import cv2
import numpy as np

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.layouts import find_layout
from edgekit.core.letterbox import GEOMETRIES, Fit
from edgekit.core.tensors import TensorSpec


class Preprocess:
    """Turns BGR frames into (3, height, width) float32 planes as an InputSpec says.

    Holds the buffers, so one instance serves one thread. Without `out` the planes are written to `tensor`, which the
    next call overwrites.
    """

    def __init__(self, input: InputSpec, height: int, width: int) -> None:
        self._geometry = GEOMETRIES[input.geometry]
        self._height, self._width = height, width
        self._sources = (2, 1, 0) if input.colour == "rgb" else (0, 1, 2)
        self._gains = [np.float32(input.scale / std) for std in input.std]
        self._offsets = [np.float32(mean / std) for mean, std in zip(input.mean, input.std)]
        self._borders = [
            np.float32((input.border * input.scale - mean) / std) for mean, std in zip(input.mean, input.std)
        ]
        self._fit: Optional[Fit] = None
        self._resized = np.empty((0, 0, 3), np.uint8)
        self._split: List[np.ndarray] = []
        self.tensor = np.empty((1, 3, height, width), np.float32)

    def __call__(self, frame: np.ndarray, out: Optional[np.ndarray] = None) -> Fit:
        """Write the planes of `frame` (H, W, 3) uint8 BGR; the Fit leads boxes back to the frame.

        out (3, height, width) float32 is written in full, whatever it held.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"expected a frame (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        fit = self._fit_for(frame)
        planes = self.tensor[0] if out is None else out
        if planes.shape != (3, self._height, self._width) or planes.dtype != np.float32:
            raise ValueError(
                f"expected out (3, {self._height}, {self._width}) float32, got {planes.shape} {planes.dtype}"
            )
        if out is not None:
            self._write_border(planes, fit)
        self._write_picture(self._resize(frame, fit), planes, fit)
        return fit

    def _fit_for(self, frame: np.ndarray) -> Fit:
        frame_height, frame_width = frame.shape[:2]
        fit = self._fit
        if fit is None or (fit.frame_width, fit.frame_height) != (frame_width, frame_height):
            fit = self._geometry(frame_width, frame_height, self._width, self._height)
            self._resized = np.empty((fit.resized_height, fit.resized_width, 3), np.uint8)
            self._split = [np.empty((fit.resized_height, fit.resized_width), np.uint8) for _ in range(3)]
            self._write_border(self.tensor[0], fit)
            self._fit = fit
        return fit

    def _resize(self, frame: np.ndarray, fit: Fit) -> np.ndarray:
        if frame.shape == self._resized.shape:
            return frame
        size = (fit.resized_width, fit.resized_height)
        return cv2.resize(frame, size, dst=self._resized, interpolation=_interpolation(fit))

    def _write_picture(self, picture: np.ndarray, planes: np.ndarray, fit: Fit) -> None:
        cv2.split(picture, self._split)
        rows = slice(fit.top, fit.top + fit.resized_height)
        columns = slice(fit.left, fit.left + fit.resized_width)
        for channel, source in enumerate(self._sources):
            target = planes[channel, rows, columns]
            # dtype: numpy 1.x would multiply bytes by one float in float16.
            np.multiply(self._split[source], self._gains[channel], out=target, dtype=np.float32)
            if self._offsets[channel]:
                np.subtract(target, self._offsets[channel], out=target)

    def _write_border(self, planes: np.ndarray, fit: Fit) -> None:
        bottom, right = fit.top + fit.resized_height, fit.left + fit.resized_width
        for plane, value in zip(planes, self._borders):
            plane[: fit.top] = value
            plane[bottom:] = value
            plane[fit.top : bottom, : fit.left] = value
            plane[fit.top : bottom, right:] = value


def _interpolation(fit: Fit) -> int:
    """Linear; where the frame is an odd multiple of the result, the nearest pixel is the same, at 2/3 of the cost.

    1080p to 640 wide is such a case: each sample falls on the centre of a pixel.
    """
    across, rest_x = divmod(fit.frame_width, fit.resized_width)
    down, rest_y = divmod(fit.frame_height, fit.resized_height)
    exact = not rest_x and not rest_y and across % 2 and down % 2
    return int(cv2.INTER_NEAREST_EXACT if exact else cv2.INTER_LINEAR)


def network_inputs(detector: DetectorSpec, declared: Sequence[TensorSpec], images: np.ndarray) -> Dict[str, np.ndarray]:
    """Every input of the network for a batch: images (N, 3, H, W) float32, and what its layout wants beside them.

    Networks of the RT-DETR family also take each picture's size; they get the input's own, so that their boxes are in
    input pixels like everyone else's. Each array comes in the dtype that the network declares.
    """
    dtypes = {tensor.name: tensor.dtype for tensor in declared}
    count, _, height, width = images.shape
    sides = find_layout(detector.layout).side_inputs(count, width, height)
    tensors = {detector.input.name: np.ascontiguousarray(images, dtypes.get(detector.input.name, "float32"))}
    tensors.update({name: array.astype(dtypes[name]) for name, array in sides.items() if name in dtypes})
    return tensors
