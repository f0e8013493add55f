"""The part of edgekit that runs on a device: sent there for calls, and inside every release."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

# What of edgekit runs on a device; the same folders that keep to Python 3.8.
_DEVICE_CODE = ("__init__.py", "errors.py", "files.py", "core", "scenes", "runtime")
_CODE_SUFFIXES = (".py", ".cu", ".html", ".css", ".js", ".svg")


def device_code() -> dict[str, Path]:
    """The source files of what runs on a device, Python, CUDA and its page, by their path below edgekit/."""
    package = Path(__file__).resolve().parents[1]
    found: dict[str, Path] = {}
    for name in _DEVICE_CODE:
        place = package / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix not in _CODE_SUFFIXES:
                continue
            found[path.relative_to(package).as_posix()] = path
    return found


@dataclass(frozen=True)
class CodeFile:
    """One file of it. name: below edgekit/."""

    name: str
    sha256: str
    content: bytes


@dataclass(frozen=True)
class DeviceCode:
    """The code that runs on a device. digest names its folder there, code/<digest>."""

    digest: str
    files: tuple[CodeFile, ...]

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(len(file.content) for file in self.files)


@functools.cache
def this_code() -> DeviceCode:
    """The code of this edgekit, as it is at the first call: someone may be editing it, and a fleet gets the same.

    Its digest is taken over the lines "SHA-256 name", sorted, as bootstrap/receive.py does it.
    """
    files = tuple(_read(name, path) for name, path in device_code().items())
    listed = sorted(f"{file.sha256} {file.name}\n" for file in files)
    return DeviceCode(hashlib.sha256("".join(listed).encode()).hexdigest(), files)


def _read(name: str, path: Path) -> CodeFile:
    content = path.read_bytes()
    return CodeFile(name, hashlib.sha256(content).hexdigest(), content)
