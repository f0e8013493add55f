"""What the ONNX model itself answers: the yardstick for every engine built from it.

Written apart from the device's own preprocessing and back end, on purpose: a fault in one shows against the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.control.once import Once
from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import find_layout
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.verification import outputs_distance
from edgekit.errors import VerifyError
from edgekit.files import sha256_file

_SHARED = Once()


def reference_outputs(model_path: Path, spec: DetectorSpec, pictures: Sequence[Path]) -> list[dict[str, np.ndarray]]:
    """Raw outputs of the untouched ONNX model, FP32 on this machine's CPU, one mapping for each picture."""
    model = ReferenceModel(model_path, spec)
    return [model.answer(model.feeds(path)) for path in pictures]


class ReferenceModel:
    """An ONNX model on this machine's CPU, as it is written; a path, or the model's bytes."""

    def __init__(self, model: Path | bytes, spec: DetectorSpec) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        source = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self._spec = spec

    def feeds(self, picture: Path) -> dict[str, np.ndarray]:
        """All inputs for one picture, by name. Raises VerifyError if it cannot be read."""
        return _feeds(self._spec, self._session, picture)

    def answer(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Raw outputs by name, (1, ...) each."""
        return dict(zip(self._names, self._session.run(None, dict(feeds)), strict=True))


def shared_reference_outputs(
    model_path: Path, spec: DetectorSpec, pictures: Sequence[Path]
) -> list[dict[str, np.ndarray]]:
    """The same, computed once in this process for all devices whose engines are compared with it. Not to be altered."""
    key = (spec.model_sha256, spec.input, spec.profile.optimum, spec.layout, tuple(map(sha256_file, pictures)))
    return _SHARED.get(key, lambda: reference_outputs(model_path, spec, pictures))


def input_tensor(spec: DetectorSpec, picture: Path) -> np.ndarray:
    """One picture as (1, 3, H, W) float32, by the definition of `InputSpec`."""
    import cv2

    frame = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    if frame is None:
        raise VerifyError(f"{picture} cannot be read as a picture", hint="remove it from the set, or mend it")
    height, width = spec.profile.optimum.height, spec.profile.optimum.width
    fit = GEOMETRIES[spec.input.geometry](frame.shape[1], frame.shape[0], width, height)
    resized = cv2.resize(frame, (fit.resized_width, fit.resized_height), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), spec.input.border, np.float64)
    canvas[fit.rows, fit.cols] = resized
    if spec.input.colour == "rgb":
        canvas = canvas[:, :, ::-1]
    scaled = (canvas * spec.input.scale - np.array(spec.input.mean)) / np.array(spec.input.std)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)


def golden_distance_to(spec: DetectorSpec, expected: Sequence[Mapping[str, np.ndarray]], npz_path: Path) -> float:
    """How far the outputs that a device wrote for golden frames lie from the model's; see `golden_limit`."""
    with np.load(npz_path, allow_pickle=False) as stored:
        actual = [_stored(stored, index) for index in range(len(expected))]
    return outputs_distance(spec, expected, actual)


def _stored(arrays: Mapping[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
    """The outputs of one picture by name, from arrays named "<picture index>/<output name>"."""
    prefix = f"{index}/"
    return {name[len(prefix) :]: arrays[name] for name in arrays if name.startswith(prefix)}


def _feeds(spec: DetectorSpec, session: Any, picture: Path) -> dict[str, np.ndarray]:
    types = {item.name: item.type for item in session.get_inputs()}
    tensor = input_tensor(spec, picture)
    feeds = {spec.input.name: tensor.astype(np.float16) if "float16" in types[spec.input.name] else tensor}
    sides = find_layout(spec.layout).side_inputs(1, spec.profile.optimum.width, spec.profile.optimum.height)
    return feeds | {name: array for name, array in sides.items() if name in types}
