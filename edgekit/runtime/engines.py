"""Opening an engine: checked against this device and its own digest before any byte of it is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Mapping, Protocol

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, BuildRequest, EngineManifest, check_fits
from edgekit.core.wire import from_wire
from edgekit.errors import BuildError, EngineError
from edgekit.files import sha256_file


class Engine(Protocol):
    """A loaded engine. Not thread-safe: one owner thread calls `infer`."""

    manifest: EngineManifest

    def infer(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run one batch. tensors by input name, each C-contiguous in the declared dtype, e.g. images (N, 3, H, W).

        The returned arrays, by output name, belong to the caller until the next call.
        """

    def close(self) -> None:
        """Give back memory; the engine cannot be used afterwards."""


def read_manifest(engine_dir: Path) -> EngineManifest:
    """The manifest beside an engine. Raises EngineError if there is none, ConfigError if it is not valid."""
    path = engine_dir / MANIFEST_NAME
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EngineError(f"no engine in {engine_dir}: {MANIFEST_NAME} is missing", hint="edgekit build") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}", hint="edgekit build --force") from None
    return from_wire(EngineManifest, data, str(path))


def check_digest(engine_dir: Path, manifest: EngineManifest) -> Path:
    """The engine file's path, once its size and SHA-256 are those the manifest names. Raises EngineError if not."""
    path = engine_dir / manifest.file_name
    hint = f"edgekit build {manifest.detector} --precision {manifest.precision} --force"
    if not path.is_file():
        raise EngineError(f"{path} is missing", hint=hint)
    if path.stat().st_size != manifest.file_bytes:
        raise EngineError(
            f"{path} holds {path.stat().st_size} bytes, its manifest says {manifest.file_bytes}",
            why="the file was cut short or replaced",
            hint=hint,
        )
    if sha256_file(path) != manifest.file_sha256:
        raise EngineError(f"{path} does not match the digest in its manifest", why="the file was altered", hint=hint)
    return path


def load_engine(engine_dir: str, detector: DetectorSpec, profile: DeviceProfile, *, threads: int = 0) -> Engine:
    """Open the engine in a folder for a detector on this device.

    Raises EngineMismatchError if it belongs to another device, version or model, EngineError if the file is damaged.
    """
    folder = Path(engine_dir)
    manifest = read_manifest(folder)
    check_fits(manifest, profile.engine_key, model_sha256=detector.model_sha256)
    path = check_digest(folder, manifest)
    return _backend(manifest.backend).load(path, manifest, threads)  # type: ignore[no-any-return]


def build_engine(request: BuildRequest, profile: DeviceProfile, on_progress: Any) -> EngineManifest:
    """Build what is asked, or find it already built. on_progress(what, done, total) is told of each step."""
    if request.engine_key != profile.engine_key:
        raise BuildError(
            f"asked for an engine for {request.engine_key}, but this device is {profile.engine_key}",
            why="the device changed since it was probed",
            hint="run the same command again",
        )
    return _backend(profile.backend).build(request, profile, on_progress)  # type: ignore[no-any-return]


def _backend(name: str) -> Any:
    if name == "onnxruntime":
        from edgekit.runtime import ort

        return ort
    raise EngineError(
        f"no back end named {name!r}", why="this version of edgekit builds and runs engines with onnxruntime only"
    )
