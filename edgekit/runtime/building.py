"""What every back end's build has in common: find a finished engine, one build at a time, the model as asked for."""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.tensors import TensorSpec
from edgekit.errors import ModelError
from edgekit.files import sha256_file
from edgekit.runtime.engine_folders import build_lock, find_engine

Tensors = Tuple[Tuple[TensorSpec, ...], Tuple[TensorSpec, ...]]


def build_or_find(
    request: BuildRequest, on_progress: OnProgress, build_new: Callable[[Path], EngineManifest]
) -> EngineManifest:
    """The engine asked for: found finished, or made by build_new(engines_dir) while no other build runs here."""
    engines_dir = Path(request.engines_dir)
    found = _finished(request, engines_dir)
    if found is None:
        with build_lock(engines_dir, on_progress):
            # Another builder may have finished it while this one waited.
            found = _finished(request, engines_dir)
            if found is None:
                return build_new(engines_dir)
    on_progress("already built", 1, 1)
    return found


def _finished(request: BuildRequest, engines_dir: Path) -> Optional[EngineManifest]:
    return None if request.force else find_engine(engines_dir, request.engine_id)


def read_requested_model(request: BuildRequest) -> bytes:
    """The model file's bytes, once their digest is the one asked for: the prepared model's, else the detector's.

    Raises ModelError for a file that is missing or another.
    """
    path = Path(request.model_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = f"{path} does not exist" if missing else f"{path} cannot be read: {error.strerror}"
        raise ModelError(what, hint="run the same command again") from None
    expected = request.prepared.sha256 if request.prepared else request.detector.model_sha256
    if hashlib.sha256(content).hexdigest() != expected:
        kind = "prepared model" if request.prepared else "model"
        raise ModelError(
            f"{path} is not the {kind} of detector {request.detector.name}",
            why=f"its SHA-256 does not begin with {expected[:12]}",
            hint="run the same command again",
        )
    return content


def base_manifest(
    request: BuildRequest,
    path: Path,
    *,
    backend: str,
    tensors: Tensors,
    tool_versions: Dict[str, str],
    layers: Tuple[int, int],
    started_s: float,
) -> EngineManifest:
    """The manifest of an engine file just written, without calibration, warnings and build facts.

    tensors: inputs and outputs. layers: weighted ones, and those of them in INT8. started_s: time.perf_counter() when
    the build began.
    """
    return EngineManifest(
        engine_id=request.engine_id,
        engine_key=request.engine_key,
        detector=request.detector.name,
        backend=backend,
        precision=request.precision,
        file_name=path.name,
        file_sha256=sha256_file(path),
        file_bytes=path.stat().st_size,
        model_sha256=request.detector.model_sha256,
        calibration_sha256=None,
        calibration_images=0,
        options_sha256=request.options_sha256,
        profile=request.detector.profile,
        inputs=tensors[0],
        outputs=tensors[1],
        tool_versions=tool_versions,
        build_s=round(time.perf_counter() - started_s, 3),
        created_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        layers_total=layers[0],
        layers_quantised=layers[1],
        route=request.route,
    )
