"""The part of edgekit that runs on a device: sent there for calls, and inside every release."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from edgekit.core.release import ReleaseFile
from edgekit.files import sha256_file

# What of edgekit runs on a device; the same folders that keep to Python 3.8.
_DEVICE_CODE = ("__init__.py", "errors.py", "files.py", "core", "scenes", "runtime")
_CODE_SUFFIXES = (".py", ".cu")


def device_code() -> dict[str, Path]:
    """The source files that run on a device, Python and CUDA, by their path below edgekit/."""
    package = Path(__file__).resolve().parents[1]
    found: dict[str, Path] = {}
    for name in _DEVICE_CODE:
        place = package / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix not in _CODE_SUFFIXES:
                continue
            found[path.relative_to(package).as_posix()] = path
    return found


@functools.cache
def code_paths() -> Mapping[str, Path]:
    """Where the files of device code are here, by their path in a release."""
    return {f"code/edgekit/{name}": path for name, path in device_code().items()}


@functools.cache
def code_files() -> tuple[ReleaseFile, ...]:
    """The same as entries of a release. Read once a process: a fleet gets the same code."""
    return tuple(release_file(name, path) for name, path in code_paths().items())


def release_file(name: str, path: Path) -> ReleaseFile:
    """A file of this machine as an entry of a release."""
    return ReleaseFile(name, path.stat().st_size, sha256_file(path))
