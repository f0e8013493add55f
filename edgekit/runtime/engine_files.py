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
