"""The model file that TensorRT builds from, made on the host: verb `prepare`.

Q/DQ pairs for the explicit route, FP16 types for a TensorRT that takes all types from the model, names for nodes that
TensorRT is to keep out of INT8; nothing where the detector's own file serves.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Set, Tuple

import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationMethod

from edgekit.core.engine import PreparedModel
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PrepareAnswer, PrepareRequest
from edgekit.core.tensors import TensorSpec
from edgekit.errors import BuildError, ModelError, UsageError
from edgekit.files import replacing, sha256_file
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.engine_folders import disk_errors
from edgekit.runtime.ort import modelopt
from edgekit.runtime.ort.engine import tensor_specs
from edgekit.runtime.ort.fold import at_opset, fold
from edgekit.runtime.ort.graph import (
    count_layers,
    fix_sizes,
    head_nodes,
    holds_quantisation,
    name_nodes,
    read_model,
)
from edgekit.runtime.ort.half import HALF_OPSET, box_arithmetic, overflowing, to_half
from edgekit.runtime.ort.kept import check_kept, kept_nodes, with_activations
from edgekit.runtime.ort.pairs import PLACEMENTS, find_sites, insert_pairs
from edgekit.runtime.ort.proof import batch_of, check_prepared, plain_session, sample_inputs
from edgekit.runtime.ort.quantise import calibrate
from edgekit.runtime.preprocess import network_inputs

_OPSET_FOR_CHANNEL_SCALES = 13
_METHODS = {
    "percentile": CalibrationMethod.Percentile,
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
}


@dataclass(frozen=True)
class _Quantiser:
    """PrepareRequest.quantiser taken apart: "onnxruntime:PLACEMENT:METHOD", "modelopt:METHOD", or their beginnings."""

    tool: str
    placement: str = PLACEMENTS[0]
    # mAP50-95 kept on 220 pictures of the demo's split "val", in ONNX Runtime: percentile 99.5 %, minmax 98.0 %,
    # entropy 97.9 %. It was chosen on other pictures.
    method: str = "percentile"


@dataclass(frozen=True)
class _Made:
    """A model on its way to TensorRT, and what to tell of it."""

    model: onnx.ModelProto
    quantiser: str = ""
    pictures: int = 0
    warnings: Tuple[str, ...] = ()


def run_prepare(request: PrepareRequest, on_progress: OnProgress) -> PrepareAnswer:
    """Make the model that the request's route and precision need, and prove it against the float one on pictures.

    A model that holds Q/DQ pairs already gets no others. Raises ModelError, BuildError, CalibrationError or, for an
    unknown quantiser, UsageError; out_path is written whole or not at all.
    """
    quantiser = _parse_quantiser(request.quantiser)
    model = _read(request)
    trained = holds_quantisation(model)
    pairs = request.route == "explicit" and not trained
    half = request.typed and request.precision != "fp32"
    unnamed = request.route == "calibrator" and not _well_named(model)
    if not (pairs or half or unnamed):
        return PrepareAnswer(None, _head_layers(model, request))
    name_nodes(model)
    out_path = Path(request.out_path)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    needed_bytes = 6 * Path(request.model_path).stat().st_size
    with disk_errors(out_path.parent, needed_bytes), tempfile.TemporaryDirectory(dir=out_path.parent) as work:
        made = _Made(model)
        if pairs:
            made = _with_pairs(model, request, quantiser, Path(work), on_progress)
        if half:
            made = _with_half(made, request, Path(work), on_progress)
        return _published(made, request, Path(work), on_progress)


def _parse_quantiser(text: str) -> _Quantiser:
    tool, *rest = text.split(":")
    known = {"onnxruntime": (PLACEMENTS, tuple(_METHODS)), "modelopt": (modelopt.METHODS,)}.get(tool)
    if known is None or len(rest) > len(known) or any(word not in words for word, words in zip(rest, known)):
        forms = f"onnxruntime[:{'|'.join(PLACEMENTS)}[:{'|'.join(_METHODS)}]], modelopt[:{'|'.join(modelopt.METHODS)}]"
        raise UsageError(f"unknown quantiser {text!r}", hint=forms)
    if tool == "modelopt":
        return _Quantiser(tool, "", *(rest or modelopt.METHODS[:1]))
    return _Quantiser(tool, *rest)


def _read(request: PrepareRequest) -> onnx.ModelProto:
    path = Path(request.model_path)
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    if sha256_file(path) != request.detector.model_sha256:
        raise ModelError(
            f"{path} is not the model of detector {request.detector.name}",
            why=f"its SHA-256 does not begin with {request.detector.model_sha256[:12]}",
            hint="run the same command again",
        )
    model = read_model(path)
    fix_sizes(model, request.detector.input.name, request.detector.profile)
    return model


def _well_named(model: onnx.ModelProto) -> bool:
    names = [node.name for node in model.graph.node]
    return all(names) and len(set(names)) == len(names)


def _head_layers(model: onnx.ModelProto, request: PrepareRequest) -> Tuple[str, ...]:
    """Nodes of the head in file order; constants are no layers. A node without a name cannot be told of.

    For the calibrator also what is kept in float besides, with its activations: TensorRT is told of each by name.
    """
    if not _well_named(model):
        return ()
    head = head_nodes(model.graph)
    if request.route == "calibrator":
        check_kept(model, request.keep_float)
        head |= with_activations(model.graph, set(request.keep_float))
    return tuple(node.name for node in model.graph.node if node.name in head and node.op_type != "Constant")


def _with_pairs(
    model: onnx.ModelProto, request: PrepareRequest, quantiser: _Quantiser, work: Path, on_progress: OnProgress
) -> _Made:
    check_kept(model, request.keep_float)
    on_progress("folding constants", 0, 1)
    path = work / "folded.onnx"
    inputs = fold(model, path, HALF_OPSET if request.typed else _OPSET_FOR_CHANNEL_SCALES)
    folded = onnx.load(str(path)).graph
    kept = head_nodes(folded) | kept_nodes(model.graph, folded, request.keep_float)
    if quantiser.tool == "modelopt":
        made = _by_modelopt(path, inputs, kept, request, quantiser, on_progress)
    else:
        made = _by_onnxruntime(path, inputs, kept, request, quantiser, on_progress)
    if not count_layers(made.model)[1]:
        raise BuildError(
            "nothing in this model can be quantised",
            why="every weighted layer is a last layer of the head or kept in float",
            hint="use --precision fp16",
        )
    return made


def _by_onnxruntime(
    path: Path,
    inputs: Sequence[TensorSpec],
    kept: Set[str],
    request: PrepareRequest,
    quantiser: _Quantiser,
    on_progress: OnProgress,
) -> _Made:
    model = onnx.load(str(path))
    sites = find_sites(model, quantiser.placement, kept)
    if not sites:
        return _Made(model)
    method = _METHODS[quantiser.method]
    ranges = calibrate(
        path,
        inputs,
        request.detector,
        request.calibration_dir,
        path.parent,
        on_progress,
        method=method,
        tensors=set(sites),
    )
    on_progress("quantising", 0, 1)
    insert_pairs(model, sites, {name: ranges.largest(name) for name in sites}, half=request.typed)
    name = f"onnxruntime {onnxruntime.__version__} {quantiser.placement} {quantiser.method}"
    return _Made(model, name, ranges.pictures, ranges.warnings)


def _by_modelopt(
    path: Path,
    inputs: Sequence[TensorSpec],
    kept: Set[str],
    request: PrepareRequest,
    quantiser: _Quantiser,
    on_progress: OnProgress,
) -> _Made:
    pictures = CalibrationPictures(
        request.calibration_dir, request.detector, batch_of(inputs, request.detector), on_progress
    )
    model = modelopt.quantise(
        path, pictures, lambda images: network_inputs(request.detector, inputs, images), kept, quantiser.method
    )
    return _Made(model, f"modelopt {modelopt.version()} {quantiser.method}", pictures.used, pictures.warnings)


def _with_half(made: _Made, request: PrepareRequest, work: Path, on_progress: OnProgress) -> _Made:
    on_progress("putting in FP16", 0, 1)
    path = work / "float.onnx"
    if made.quantiser:
        model = made.model
    elif holds_quantisation(made.model):
        model = at_opset(made.model, HALF_OPSET)
    else:
        fold(made.model, path, HALF_OPSET)
        model = onnx.load(str(path))
    onnx.save(onnx.shape_inference.infer_shapes(model), str(path))
    large = overflowing(path, sample_inputs(request, tensor_specs(plain_session(path).get_inputs())), work)
    model = onnx.load(str(path))
    keep = large | box_arithmetic(model.graph)
    warnings = made.warnings
    if large:
        warnings += (f"{len(large)} layers stay in FP32, their numbers are too large for FP16: {min(large)} ...",)
    return _Made(to_half(model, keep), made.quantiser, made.pictures, warnings)


def _published(made: _Made, request: PrepareRequest, work: Path, on_progress: OnProgress) -> PrepareAnswer:
    on_progress("checking the prepared model", 0, 1)
    path = work / "prepared.onnx"
    onnx.save(made.model, str(path))
    warnings = made.warnings + check_prepared(path, request)
    total, quantised = count_layers(made.model)
    with replacing(request.out_path) as temporary:
        temporary.write_bytes(path.read_bytes())
    prepared = PreparedModel(
        sha256_file(request.out_path), made.pictures, made.quantiser, total, quantised, tuple(warnings)
    )
    on_progress("checking the prepared model", 1, 1)
    return PrepareAnswer(prepared, _head_layers(made.model, request))
