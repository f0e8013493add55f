"""Opening and building engines, whichever back end: checked against this device before any byte of them is parsed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Protocol

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest, check_fits
from edgekit.core.progress import OnProgress
from edgekit.errors import BuildError, DeviceError, EngineError
from edgekit.runtime.engine_files import check_attachments, check_digest, read_manifest

if TYPE_CHECKING:
    from edgekit.runtime.stages import Stages

# Back end -> the module that runs its engines and the one that builds them; imported when first needed.
_RUNNERS = {"onnxruntime": "edgekit.runtime.ort.engine", "tensorrt": "edgekit.runtime.trt.engine"}
_BUILDERS = {"onnxruntime": "edgekit.runtime.ort.build", "tensorrt": "edgekit.runtime.trt.build"}
# What a package that may be missing is called where it is installed from.
_HINTS = {
    "tensorrt": "sudo apt install python3-libnvinfer, or a virtual environment with --system-site-packages",
    "cv2": "sudo apt install python3-opencv",
}


class Engine(Protocol):
    """A loaded engine. Not thread-safe: one owner thread calls `infer`."""

    manifest: EngineManifest

    def infer(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run one batch. tensors by input name, each C-contiguous in the declared dtype, e.g. images (N, 3, H, W).

        The returned arrays, by output name, belong to the caller until the next call.
        """

    def close(self) -> None:
        """Give back memory; the engine cannot be used afterwards. Safe more than once."""

    def stages(self, detector: DetectorSpec, batch: int) -> Optional[Stages]:
        """The stages of the pipeline as this back end does them best; None: the host does them around `infer`."""


def load_engine(engine_dir: str, detector: DetectorSpec, profile: DeviceProfile, *, threads: int = 0) -> Engine:
    """Open the engine in a folder for a detector on this device.

    Raises EngineMismatchError if it belongs to another device, version or model, EngineError if a file is damaged.
    """
    folder = Path(engine_dir)
    manifest = read_manifest(folder)
    check_fits(manifest, profile.engine_key, model_sha256=detector.model_sha256)
    path = check_digest(folder, manifest)
    check_attachments(folder, manifest)
    return _module(_RUNNERS, manifest.backend).load(path, manifest, threads)  # type: ignore[no-any-return]


def build_engine(request: BuildRequest, profile: DeviceProfile, on_progress: OnProgress) -> EngineManifest:
    """Build what is asked, or find it already built. on_progress(what, done, total) is told of each step."""
    if request.engine_key != profile.engine_key:
        raise BuildError(
            f"asked for an engine for {request.engine_key}, but this device is {profile.engine_key}",
            why="the device changed since it was probed",
            hint="run the same command again",
        )
    return _module(_BUILDERS, profile.backend).build(request, profile, on_progress)  # type: ignore[no-any-return]


def _module(table: Mapping[str, str], backend: str) -> Any:
    if backend not in table:
        raise EngineError(
            f"no back end named {backend!r}", why=f"this version of edgekit has {', '.join(sorted(table))}"
        )
    try:
        return importlib.import_module(table[backend])
    except ModuleNotFoundError as error:
        # A device that only runs engines may lack what building needs, the package onnx.
        name = (error.name or "unknown").partition(".")[0]
        missing = f"the Python package {name!r} is missing on this device"
        raise DeviceError(missing, hint=_HINTS.get(name, f"pip install {name}")) from None
