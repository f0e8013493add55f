"""Building an engine for TensorRT on the device it is for: found or built, proved, and only then given its name."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

import edgekit
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import Attachment, BuildRequest, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.errors import BuildError, DeviceError
from edgekit.files import fsync_file, sha256_file
from edgekit.runtime.building import base_manifest, build_or_find, read_requested_model
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.compile import KERNELS_FILE, compile_kernels
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.engine_folders import check_disk, disk_errors, part_folder, publish
from edgekit.runtime.sanity import prove
from edgekit.runtime.trt.builder import Built, build_plan
from edgekit.runtime.trt.cache_files import cache_folder
from edgekit.runtime.trt.engine import load
from edgekit.runtime.trt.failures import release_frames
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.plan import DLA_CORE, PLUGINS

FILE_NAME = "model.plan"
# Weights may be stored once for each kernel that wants them in another order, and caches grow beside the plan.
_DISK_PER_MODEL_BYTE = 4
_DISK_BESIDES = 128 << 20


def build(request: BuildRequest, profile: DeviceProfile, on_progress: OnProgress) -> EngineManifest:
    """Build the engine asked for, or find it finished. on_progress(what, done, total) is told of each step.

    Raises ModelError, BuildError, CalibrationError, VerifyError, or DeviceError where there is no GPU, driver or
    TensorRT. Whatever fails or is killed, no engine that was not proved lies under its final name.
    """
    return build_or_find(
        request, on_progress, lambda engines_dir: _build_new(request, profile, engines_dir, on_progress)
    )


def _build_new(
    request: BuildRequest, profile: DeviceProfile, engines_dir: Path, on_progress: OnProgress
) -> EngineManifest:
    started_s = time.perf_counter()
    version = load_library().__version__
    if request.route == "calibrator" and request.prepared is not None and request.prepared.quantiser:
        raise BuildError("a prepared model is not calibrated again", hint="run the same command again")
    content = read_requested_model(request)
    cache = cache_folder(request)
    needed_bytes = _DISK_PER_MODEL_BYTE * len(content) + _DISK_BESIDES
    check_disk(engines_dir, needed_bytes)
    with disk_errors(engines_dir, needed_bytes), part_folder(engines_dir, request.engine_id) as part:
        facts = driver.gpu_facts()
        built = _on_gpu(request, content, part / FILE_NAME, cache, on_progress)
        attachments, compiler, warnings = _attach_kernels(part, profile.sm or facts.sm)
        versions = _tool_versions(version, facts.cuda_driver, compiler)
        manifest = _manifest(request, part / FILE_NAME, built, versions, started_s)
        manifest = dataclasses.replace(manifest, attachments=attachments, warnings=(*manifest.warnings, *warnings))
        manifest = _proved(part / FILE_NAME, manifest, request, on_progress, started_s)
        publish(part, manifest)
    return manifest


def _on_gpu(request: BuildRequest, content: bytes, path: Path, cache: Path, on_progress: OnProgress) -> Built:
    with OwnerThread() as owner:
        built: Built = owner.call(_tidily, request, content, path, cache, on_progress)
        return built


def _tidily(*arguments: Any) -> Built:
    try:
        return build_plan(*arguments)
    except BaseException as error:
        release_frames(error)
        raise


def _attach_kernels(part: Path, sm: int) -> Tuple[Tuple[Attachment, ...], str, Tuple[str, ...]]:
    """The compiled kernels for what comes before and after the network: attachments, their compiler, warnings."""
    try:
        kernels = compile_kernels(sm)
    except DeviceError as error:
        warning = f"pictures are prepared and decoded on the CPU: {error.what}"
        return (), "", (f"{warning} ({error.hint})" if error.hint else warning,)
    path = part / KERNELS_FILE
    path.write_bytes(kernels.cubin)
    fsync_file(path)
    return (Attachment(path.name, sha256_file(path), path.stat().st_size),), kernels.compiler, ()


def _manifest(
    request: BuildRequest, path: Path, built: Built, versions: Dict[str, str], started_s: float
) -> EngineManifest:
    manifest = base_manifest(
        request,
        path,
        backend="tensorrt",
        tensors=(built.opened.inputs, built.opened.outputs),
        tool_versions=versions,
        layers=(built.layers_total, built.layers_quantised),
        started_s=started_s,
    )
    pictures, told = _calibration(request, built)
    return dataclasses.replace(
        manifest,
        calibration_sha256=request.calibration_sha256 if pictures else None,
        calibration_images=pictures,
        warnings=(*told, *built.warnings),
        build=built.facts,
        extra=_extra(request, built),
    )


def _calibration(request: BuildRequest, built: Built) -> Tuple[int, Tuple[str, ...]]:
    """Pictures that scales were measured on, here or on the host, and what is to be said of it."""
    if built.calibration is not None:
        return built.calibration.pictures, built.calibration.warnings
    if request.route == "trained":
        kept = "no calibration took place" if request.precision == "int8" else "the engine computes in INT8 there"
        return 0, (f"the model was trained for INT8 and brings its own scales; {kept}",)
    if request.prepared is not None:
        return request.prepared.calibration_images, request.prepared.warnings
    return 0, ()


def _extra(request: BuildRequest, built: Built) -> Dict[str, str]:
    extra: Dict[str, str] = {}
    if built.calibration is not None:
        extra["calibration_method"] = f"TensorRT {request.tensorrt.calibrator}, {built.calibration.state}"
    elif request.prepared is not None and request.prepared.quantiser:
        extra["calibration_method"] = request.prepared.quantiser
    if request.tensorrt.dla_core is not None:
        extra[DLA_CORE] = str(request.tensorrt.dla_core)
    if request.tensorrt.plugins:
        extra[PLUGINS] = json.dumps(list(request.tensorrt.plugins))
    return extra


def _tool_versions(tensorrt: str, cuda_driver: str, compiler: str) -> Dict[str, str]:
    versions = {
        "cuda_driver": cuda_driver,
        "edgekit": edgekit.__version__,
        "kernels": compiler,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "tensorrt": tensorrt,
    }
    return {name: version for name, version in versions.items() if version}


def _proved(
    path: Path, manifest: EngineManifest, request: BuildRequest, on_progress: OnProgress, started_s: float
) -> EngineManifest:
    """The manifest of an engine that has run and answered sensibly; what checking found and took is in it."""
    on_progress("checking", 0, 1)
    check_started_s = time.perf_counter()
    engine = load(path, manifest, 0)
    try:
        proof = prove(engine, request)
    finally:
        engine.close()
    on_progress("checking", 1, 1)
    build = manifest.build
    if build is not None:
        seconds = {**build.seconds, "check": round(time.perf_counter() - check_started_s, 3)}
        build = dataclasses.replace(build, seconds=seconds)
    return dataclasses.replace(
        manifest,
        warnings=(*manifest.warnings, *proof.warnings),
        golden_distance=proof.golden_distance,
        build=build,
        build_s=round(time.perf_counter() - started_s, 3),
    )
