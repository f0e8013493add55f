"""An engine on disk: its manifest, and whether the file beside it is the one that the manifest names."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.core.engine import MANIFEST_NAME, EngineManifest
from edgekit.core.wire import from_wire
from edgekit.errors import EngineError
from edgekit.files import sha256_file


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
    _check_file(path, manifest.file_bytes, manifest.file_sha256, manifest)
    return path


def check_attachments(engine_dir: Path, manifest: EngineManifest) -> None:
    """Raise EngineError unless every file that belongs to the engine is there as the manifest names it."""
    for item in manifest.attachments:
        if Path(item.file_name).name != item.file_name:
            raise EngineError(f"{item.file_name!r} is no plain file name", hint=_again(manifest))
        _check_file(engine_dir / item.file_name, item.bytes, item.sha256, manifest)


def _check_file(path: Path, size: int, sha256: str, manifest: EngineManifest) -> None:
    if not path.is_file():
        raise EngineError(f"{path} is missing", hint=_again(manifest))
    if path.stat().st_size != size:
        raise EngineError(
            f"{path} holds {path.stat().st_size} bytes, its manifest says {size}",
            why="the file was cut short or replaced",
            hint=_again(manifest),
        )
    if sha256_file(path) != sha256:
        raise EngineError(
            f"{path} does not match the digest in its manifest", why="the file was altered", hint=_again(manifest)
        )


def _again(manifest: EngineManifest) -> str:
    return f"edgekit build {manifest.detector} --precision {manifest.precision} --force"
