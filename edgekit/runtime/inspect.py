"""An engine looked at where it lies: are its files whole, and what does TensorRT say is in it?"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Tuple

from edgekit.core.engine import EngineManifest, check_fits
from edgekit.core.progress import OnProgress
from edgekit.core.requests import FileCheck, InspectAnswer, InspectRequest
from edgekit.errors import EngineError
from edgekit.files import sha256_file
from edgekit.runtime.engine_files import check_digest, read_manifest
from edgekit.runtime.probe import probe_device


def inspect_engine(request: InspectRequest, on_progress: OnProgress) -> InspectAnswer:
    """Check every file of an engine; open its plan if asked.

    Raises EngineError or EngineMismatchError before TensorRT sees a plan that is damaged or of another device.
    """
    folder = Path(request.engine_dir)
    manifest = read_manifest(folder)
    if not request.open:
        return InspectAnswer(check_files(folder, manifest))
    if manifest.backend != "tensorrt":
        raise EngineError(f"an engine of {manifest.backend} has no layers to ask for", why="only TensorRT tells them")
    check_fits(manifest, probe_device().engine_key)
    path = check_digest(folder, manifest)
    opener = importlib.import_module("edgekit.runtime.trt.inspect")
    return InspectAnswer(check_files(folder, manifest), opener.inspect_plan(path, manifest))


def check_files(folder: Path, manifest: EngineManifest) -> Tuple[FileCheck, ...]:
    """The engine file and its attachments, each read to its end."""
    wanted = [(manifest.file_name, manifest.file_sha256, manifest.file_bytes)]
    wanted += [(item.file_name, item.sha256, item.bytes) for item in manifest.attachments]
    return tuple(_check(folder / name, sha256, size) for name, sha256, size in wanted)


def _check(path: Path, sha256: str, size: int) -> FileCheck:
    if not path.is_file():
        return FileCheck(path.name, "missing", 0, size)
    found = path.stat().st_size
    if found < size:
        return FileCheck(path.name, "cut short", found, size)
    whole = found == size and sha256_file(path) == sha256
    return FileCheck(path.name, "whole" if whole else "altered", found, size)
