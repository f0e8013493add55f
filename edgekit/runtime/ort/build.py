"""Building an engine for ONNX Runtime: the model, at its precision, optimised for this version and this CPU."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import onnx
import onnxruntime

import edgekit
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.precision import check_precision
from edgekit.core.progress import OnProgress
from edgekit.errors import ModelError
from edgekit.runtime.building import base_manifest, build_or_find, read_requested_model
from edgekit.runtime.engine_folders import check_disk, disk_errors, disk_full, part_folder, publish
from edgekit.runtime.ort import quantise as ort_quantise
from edgekit.runtime.ort.engine import OrtEngine, first_line, open_session, tensor_specs
from edgekit.runtime.ort.fold import fold
from edgekit.runtime.ort.graph import (
    count_layers,
    fix_sizes,
    holds_quantisation,
    name_nodes,
    read_model,
    unshare_biases,
)
from edgekit.runtime.ort.kept import check_kept, kept_nodes
from edgekit.runtime.sanity import prove

FILE_NAME = "model.onnx"
_OPSET_FOR_CHANNEL_SCALES = 13


def build(request: BuildRequest, profile: DeviceProfile, on_progress: OnProgress) -> EngineManifest:
    """Build the engine asked for, or find it finished. on_progress(what, done, total) is told of each step.

    Raises ModelError, BuildError, CalibrationError or VerifyError; whatever fails, nothing half written stays behind.
    """
    check_precision(request.precision, profile.backend)
    return build_or_find(
        request, on_progress, lambda engines_dir: _build_new(request, profile, engines_dir, on_progress)
    )


def _build_new(
    request: BuildRequest, profile: DeviceProfile, engines_dir: Path, on_progress: OnProgress
) -> EngineManifest:
    started_s = time.perf_counter()
    model_path = Path(request.model_path)
    model = _requested_model(request)
    # The engine and, for int8, the float model, its twin that reports ranges and the quantised one.
    needed_bytes = (6 if request.precision == "int8" else 2) * model_path.stat().st_size + (4 << 20)
    check_disk(engines_dir, needed_bytes)
    with disk_errors(engines_dir, needed_bytes), part_folder(engines_dir, request.engine_id) as part:
        model, calibration = _at_precision(model, request, profile, part, on_progress)
        on_progress("optimising", 0, 1)
        session = _optimised(model, part / FILE_NAME, needed_bytes)
        manifest = _manifest(request, part / FILE_NAME, session, count_layers(model), calibration, started_s)
        manifest = _proved(OrtEngine(session, manifest), request)
        publish(part, manifest)
    on_progress("optimising", 1, 1)
    return manifest


def _requested_model(request: BuildRequest) -> onnx.ModelProto:
    read_requested_model(request)  # the digest first: nothing is parsed that was not asked for
    model = read_model(Path(request.model_path))
    name_nodes(model)
    fix_sizes(model, request.detector.input.name, request.detector.profile)
    return model


@dataclass(frozen=True)
class _Calibration:
    """What happened on the way to the precision asked for."""

    sha256: Optional[str] = None
    pictures: int = 0
    method: str = ""
    warnings: Tuple[str, ...] = ()


def _at_precision(
    model: onnx.ModelProto, request: BuildRequest, profile: DeviceProfile, part: Path, on_progress: OnProgress
) -> Tuple[onnx.ModelProto, _Calibration]:
    if holds_quantisation(model):
        own_scales = "the model was trained for INT8 and brings its own scales; "
        kept = "no calibration took place" if request.precision == "int8" else "the engine computes in INT8 there"
        return model, _Calibration(warnings=(own_scales + kept,))
    if request.precision == "fp32":
        return model, _Calibration()
    return _quantised(model, request, profile, part, on_progress)


def _quantised(
    model: onnx.ModelProto, request: BuildRequest, profile: DeviceProfile, part: Path, on_progress: OnProgress
) -> Tuple[onnx.ModelProto, _Calibration]:
    check_kept(model, request.keep_float)
    with tempfile.TemporaryDirectory(dir=part) as work:
        prepared_path = Path(work) / "prepared.onnx"
        inputs = fold(model, prepared_path, _OPSET_FOR_CHANNEL_SCALES)
        ranges = ort_quantise.calibrate(
            prepared_path, inputs, request.detector, request.calibration_dir, Path(work), on_progress
        )
        prepared = onnx.load(str(prepared_path))
    unshare_biases(prepared)
    kept = kept_nodes(model.graph, prepared.graph, request.keep_float)
    on_progress("quantising", 0, 1)
    quantised = ort_quantise.quantise(
        prepared, ranges, kept, reduce_range=_saturates(profile.module, profile.cpu_features)
    )
    method = ort_quantise.CALIBRATION_METHOD.name.lower()
    return quantised, _Calibration(request.calibration_sha256, ranges.pictures, method, ranges.warnings)


def _saturates(module: str, cpu_features: Sequence[str]) -> bool:
    """True for x86 CPUs without VNNI: their 8-bit multiply-add clips sums at 16 bits."""
    return module in ("x86_64", "AMD64", "i686") and not {"avx512_vnni", "avx_vnni"} & set(cpu_features)


def _optimised(model: onnx.ModelProto, path: Path, needed_bytes: int) -> onnxruntime.InferenceSession:
    everything = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    try:
        return _model_session(model, optimise=everything, save_to=path)
    except ModelError:
        # ONNX Runtime reports a failed write like any other failure.
        if shutil.disk_usage(path.parent).free < (4 << 20):
            raise disk_full(path.parent.parent, needed_bytes) from None
        raise


def _model_session(model: onnx.ModelProto, *, optimise: Any, save_to: Path) -> onnxruntime.InferenceSession:
    try:
        return open_session(model.SerializeToString(), optimise=optimise, save_to=save_to)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise ModelError("ONNX Runtime cannot run this model", why=first_line(error)) from error


def _manifest(
    request: BuildRequest,
    path: Path,
    session: onnxruntime.InferenceSession,
    layers: Tuple[int, int],
    calibration: _Calibration,
    started_s: float,
) -> EngineManifest:
    manifest = base_manifest(
        request,
        path,
        backend="onnxruntime",
        tensors=(tensor_specs(session.get_inputs()), tensor_specs(session.get_outputs())),
        tool_versions=_tool_versions(),
        layers=layers,
        started_s=started_s,
    )
    return dataclasses.replace(
        manifest,
        calibration_sha256=calibration.sha256,
        calibration_images=calibration.pictures,
        warnings=calibration.warnings,
        extra={"calibration_method": calibration.method} if calibration.method else {},
    )


def _tool_versions() -> Dict[str, str]:
    return {
        "edgekit": edgekit.__version__,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }


def _proved(engine: OrtEngine, request: BuildRequest) -> EngineManifest:
    """The engine's manifest, once the engine has proved itself."""
    try:
        proof = prove(engine, request)
    finally:
        engine.close()
    manifest = engine.manifest
    warnings = (*manifest.warnings, *proof.warnings)
    return dataclasses.replace(manifest, warnings=warnings, golden_distance=proof.golden_distance)
