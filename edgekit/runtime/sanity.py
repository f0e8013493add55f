"""The check that ends every build: the new engine runs, and its answers are those of a detector, and of its model."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import BuildRequest, EngineManifest, GoldenSet
from edgekit.core.tensors import InputSize
from edgekit.core.verification import (
    answering_precision,
    gives_finished_detections,
    golden_limit,
    is_blind,
    not_finite,
    outputs_distance,
)
from edgekit.errors import VerifyError
from edgekit.runtime.engines import Engine
from edgekit.runtime.pictures import list_pictures, read_picture
from edgekit.runtime.preprocess import Preprocess, network_inputs

Outputs = Dict[str, np.ndarray]
# What computes more exactly, and so may pass where a precision fails.
_NEXT = {"int8": "--precision fp16", "fp16": "--precision fp32"}


@dataclass(frozen=True)
class Proof:
    """What the check found. golden_distance is None where the request brought no golden set; see golden_limit."""

    warnings: Tuple[str, ...] = ()
    golden_distance: Optional[float] = None


def prove(engine: Engine, request: BuildRequest) -> Proof:
    """Run a new engine at each size of its profile and on the golden pictures. The engine stays open.

    Raises VerifyError for NaN or infinity, for empty or constant outputs, for an engine that finds nothing where the
    model does, and for answers further from the model's than golden_limit allows.
    """
    detector, profile = request.detector, engine.manifest.profile
    for size in sorted({profile.minimum, profile.optimum, profile.maximum}, key=_volume):
        _check_values(request, _answer_grey(engine, detector, size), f"a grey picture at {size}")
    if request.golden is None:
        return Proof(("the engine was not compared with its model: the request brought no golden pictures",))
    expected = _read_expected(request.golden)
    actual = _answer_pictures(engine, detector, Path(request.golden.images_dir))
    return Proof(golden_distance=_compare(request, engine.manifest, expected, actual))


def _volume(size: InputSize) -> Tuple[int, int, int]:
    return size.batch, size.height, size.width


def _answer_grey(engine: Engine, detector: DetectorSpec, size: InputSize) -> Outputs:
    """What the engine says to pictures of nothing but the border's grey."""
    spec = detector.input
    planes = [(spec.border * spec.scale - mean) / std for mean, std in zip(spec.mean, spec.std)]
    images = np.empty((size.batch, 3, size.height, size.width), np.float32)
    images[:] = np.array(planes, np.float32)[:, np.newaxis, np.newaxis]
    return engine.infer(network_inputs(detector, engine.manifest.inputs, images))


def _answer_pictures(engine: Engine, detector: DetectorSpec, folder: Path) -> List[Outputs]:
    """Each picture's outputs alone, at the profile's best size; copies fill up an engine's smallest batch."""
    best, least = detector.profile.optimum, detector.profile.minimum.batch
    preprocess = Preprocess(detector.input, best.height, best.width)
    batch = np.empty((least, 3, best.height, best.width), np.float32)
    answers = []
    for path in list_pictures(folder):
        preprocess(read_picture(path), batch[0])
        batch[1:] = batch[0]
        outputs = engine.infer(network_inputs(detector, engine.manifest.inputs, batch))
        answers.append({name: _of_first(array, least) for name, array in outputs.items()})
    return answers


def _of_first(array: np.ndarray, batch: int) -> np.ndarray:
    """The first item's part, a copy: the engine overwrites its outputs. Tables without a batch axis stay whole."""
    return np.array(array[:1] if batch > 1 and array.ndim and array.shape[0] == batch else array)


def _read_expected(golden: GoldenSet) -> List[Outputs]:
    """The model's answers, one mapping a picture, from exactly the bytes whose digest was checked."""
    path = Path(golden.expected_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VerifyError(f"the golden answers {path} cannot be read", why=error.strerror or str(error)) from None
    if hashlib.sha256(content).hexdigest() != golden.expected_sha256:
        raise VerifyError(
            f"the golden answers {path} do not match their digest",
            why="the file was cut short or altered on its way",
            hint="run the same command again",
        )
    answers: Dict[int, Outputs] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        for key in stored.files:
            index, _, name = key.partition("/")
            answers.setdefault(int(index), {})[name] = stored[key]
    return [answers[index] for index in sorted(answers)]


def _compare(
    request: BuildRequest, manifest: EngineManifest, expected: Sequence[Outputs], actual: Sequence[Outputs]
) -> float:
    """The golden distance, once it is within its limit."""
    if len(expected) != len(actual):
        raise VerifyError(
            f"{len(actual)} golden pictures came with answers for {len(expected)}", hint="run the same command again"
        )
    detector = request.detector
    for number, outputs in enumerate(actual, start=1):
        _check_values(request, outputs, f"golden picture {number}")
    if not gives_finished_detections(detector):
        _check_constant(request, expected, actual)
    distance = outputs_distance(detector, expected, actual)
    limit = golden_limit(answering_precision(manifest), finished=gives_finished_detections(detector))
    if distance > limit:
        raise _failed(request, _difference(detector, expected, actual, distance, limit))
    return round(distance, 9)


def _difference(
    detector: DetectorSpec, expected: Sequence[Outputs], actual: Sequence[Outputs], distance: float, limit: float
) -> str:
    """In what way the answers differ from the model's, as far as can be told."""
    shapes = [
        [{name: array.shape for name, array in outputs.items()} for outputs in side] for side in (expected, actual)
    ]
    if shapes[0] != shapes[1] and not gives_finished_detections(detector):
        return f"its outputs are {shapes[1][0]}, the model's {shapes[0][0]}"
    if is_blind(detector, expected, actual):
        return "it finds nothing on golden pictures, where the model itself does"
    return f"its distance from the model on golden pictures is {distance:.2g}, {limit:.2g} is allowed"


def _check_values(request: BuildRequest, outputs: Mapping[str, np.ndarray], seen: str) -> None:
    strange = not_finite(request.detector, outputs)
    if strange:
        raise _failed(request, f"{seen} gives NaN or infinity in {', '.join(strange)}")
    # A network that suppresses duplicates itself may have no row to give.
    empty = sorted(name for name, array in outputs.items() if array.size == 0)
    if not outputs or (empty and not gives_finished_detections(request.detector)):
        raise _failed(request, f"{seen} gives no values in {', '.join(empty) or 'any output'}")


def _check_constant(request: BuildRequest, expected: Sequence[Outputs], actual: Sequence[Outputs]) -> None:
    """Every value of every output alike for all pictures. One output may be: scores can underflow to zero."""
    if _constant(actual):
        own = "; so does the model itself" if _constant(expected) else ""
        raise _failed(request, f"every value it gives on {len(actual)} different pictures is the same{own}")


def _constant(pictures: Sequence[Mapping[str, np.ndarray]]) -> bool:
    names = pictures[0].keys() if pictures else ()
    values = [np.concatenate([outputs[name].ravel() for outputs in pictures]) for name in names]
    return bool(values) and all(array.size > 1 and bool((array == array[0]).all()) for array in values)


def _failed(request: BuildRequest, why: str) -> VerifyError:
    """The error for an engine that came out and is of no use."""
    way_out = _NEXT.get(request.precision)
    check = "run the ONNX model itself on a picture: its own answers may be at fault"
    return VerifyError(
        f"the {request.precision.upper()} engine of {request.detector.name} was built but cannot be used",
        why=why,
        hint=f"edgekit build {request.detector.name} {way_out}" if way_out else check,
    )
