"""Files that later builds on this device reuse: each under its key, written at once, with a digest of its own.

TensorRT reads what it is given without looking, so a file that was cut short or altered must not reach it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgekit.core.engine import BuildRequest
from edgekit.errors import BuildError
from edgekit.files import write_bytes

_MAGIC = b"edgekit cache 1"


@dataclass(frozen=True)
class Cached:
    """What lay in a cache file: its content, or None and why it could not be used ("" if there was no file)."""

    content: Optional[bytes]
    refusal: str = ""


def read_cache(path: Path, key: str) -> Cached:
    """The content stored under `key`; a damaged file, or one of another key, is refused with the reason."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Cached(None)
    except OSError as error:
        return Cached(None, f"{path.name} cannot be read: {error.strerror}")
    head, _, content = raw.partition(b"\n")
    if not head.startswith(_MAGIC):
        return Cached(None, f"{path.name} is no cache of edgekit")
    fields = head[len(_MAGIC) :].split()
    if len(fields) != 2 or fields[1].decode("ascii", "replace") != hashlib.sha256(content).hexdigest():
        return Cached(None, f"{path.name} is damaged")
    if fields[0].decode("ascii", "replace") != _digest(key):
        return Cached(None, f"{path.name} was made for something else")
    return Cached(content)


def write_cache(path: Path, key: str, content: bytes) -> None:
    """Put `content` in place of whatever the file held; readers see the old or the new."""
    head = b" ".join([_MAGIC, _digest(key).encode(), hashlib.sha256(content).hexdigest().encode()])
    write_bytes(path, head + b"\n" + content)


def drop_cache(path: Path) -> None:
    """Remove a cache file, if it is there."""
    path.unlink(missing_ok=True)


def cache_folder(request: BuildRequest) -> Path:
    """The folder for caches of this kind of device, made and tried.

    Raises BuildError if nothing can be written there: better now than after minutes of building.
    """
    base = Path(request.cache_dir) if request.cache_dir else Path(request.engines_dir).resolve().parent / "cache"
    folder = base / request.engine_key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".trial-{os.getpid()}"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise BuildError(
            f"the cache folder {folder} cannot be written",
            why=error.strerror or str(error),
            hint=f"give this user the folder, e.g. sudo chown -R $USER {base}, or name another one as cache_dir",
        ) from None
    return folder


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8")).hexdigest()
