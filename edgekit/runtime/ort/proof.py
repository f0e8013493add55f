"""Proof that a model prepared for TensorRT still answers like the detector's own, on a few pictures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import onnxruntime

from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import find_layout
from edgekit.core.requests import PrepareRequest
from edgekit.core.tensors import TensorSpec
from edgekit.core.verification import golden_distance, golden_limit
from edgekit.errors import BuildError
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.ort.engine import first_line, open_session, tensor_specs
from edgekit.runtime.preprocess import Preprocess, network_inputs

_SAMPLES = 4  # batches


def check_prepared(path: Path, request: PrepareRequest) -> Tuple[str, ...]:
    """Run the prepared model beside the float one; warnings, if its answers lie far away.

    Raises BuildError for NaN, infinity or constant outputs.
    """
    distance = 0.0
    float_model = plain_session(Path(request.model_path))
    made = plain_session(path)
    for feed in sample_inputs(request, tensor_specs(float_model.get_inputs())):
        distance = max(distance, golden_distance(_run(float_model, feed), _run(made, feed)))
    if distance >= 1.0:
        raise BuildError(
            f"the model prepared for {request.precision} answers with NaN, infinity or one number only",
            why="its scales or types cannot hold what the model computes",
            hint="name the layers that need it in keep_float of detector.yaml, or build with --precision fp32",
        )
    limit = golden_limit(request.precision, finished=False)
    if distance <= limit or not find_layout(request.detector.layout).needs_nms:
        return ()
    return (f"the prepared model's answers lie {distance:.3g} from the float model's; up to {limit:g} is usual",)


def plain_session(path: Path) -> onnxruntime.InferenceSession:
    """A session that runs every node as it is written. Raises BuildError if ONNX Runtime cannot run the model."""
    # Unfused, so that each Q/DQ pair rounds where it stands, as TensorRT does, whatever this CPU's INT8 kernels do.
    plainly = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return open_session(str(path), optimise=plainly)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise BuildError(f"ONNX Runtime cannot run {path.name}", why=first_line(error)) from error


def _run(session: onnxruntime.InferenceSession, feed: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    names = [value.name for value in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, feed)))
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise BuildError("the model failed on a picture", why=first_line(error)) from error


def sample_inputs(request: PrepareRequest, inputs: Sequence[TensorSpec]) -> List[Dict[str, np.ndarray]]:
    """Network inputs to try a model on: the first calibration pictures, or drawn ones where there are none."""
    batch = batch_of(inputs, request.detector)
    if request.calibration_dir is not None:
        pictures = CalibrationPictures(request.calibration_dir, request.detector, batch, _quiet)
        batches = [images.copy() for images in itertools.islice(pictures, _SAMPLES)]
    else:
        batches = list(_drawn(request, batch))
    return [network_inputs(request.detector, inputs, images) for images in batches]


def _drawn(request: PrepareRequest, batch: int) -> List[np.ndarray]:
    """Soft noise from dark to bright: (batch, 3, height, width) float32 as the camera path would give."""
    best, random = request.detector.profile.optimum, np.random.default_rng(0)
    preprocess = Preprocess(request.detector.input, best.height, best.width)
    batches = []
    for top in (40, 255):
        coarse = random.integers(0, top + 1, (-(-best.height // 16), -(-best.width // 16), 3), dtype=np.uint8)
        frame = coarse.repeat(16, 0).repeat(16, 1)[: best.height, : best.width]
        preprocess(np.ascontiguousarray(frame))
        batches.append(np.repeat(preprocess.tensor, batch, 0))
    return batches


def batch_of(inputs: Sequence[TensorSpec], detector: DetectorSpec) -> int:
    """The batch that the network's picture input is fixed to, 1 where it is not."""
    declared = next(tensor for tensor in inputs if tensor.name == detector.input.name)
    return declared.shape[0] or 1


def _quiet(what: str, done: int, total: int) -> None:
    pass
