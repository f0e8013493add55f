"""Installed Python packages, found without importing them: an import would cost a probe seconds."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Iterable, List, Optional, Sequence

from edgekit.errors import DeviceError

# The package that provides `import onnxruntime` goes by several names; the plain one is preferred.
ONNXRUNTIME = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-silicon")
# JetPack's Debian package and the wheels up to 8.5 are one package; in later wheels `tensorrt` takes everything,
# the version too, from `tensorrt_bindings`.
_TENSORRT_MODULES = ("tensorrt", "tensorrt_bindings")
_TENSORRT = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11", "tensorrt-bindings")
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
# JetPack's and Ubuntu's OpenCV bear their version in the names of their libraries alone.
_OPENCV_LIBRARIES = "usr/lib/*/libopencv_core.so.*.*.*"
_VERSION = re.compile(r"""^__version__\s*=\s*["']([0-9][0-9A-Za-z.+]*)["']""", re.MULTILINE)
_OPENCV_VERSION = re.compile(r"""^opencv_version\s*=\s*["']([0-9.]+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """A package that `import` would find."""

    version: str
    folder: str


def onnxruntime_version() -> Optional[str]:
    """The version of ONNX Runtime; None if this Python has none."""
    return distribution_version(ONNXRUNTIME)


def find_tensorrt(search: Optional[Sequence[str]] = None) -> Optional[Package]:
    """The TensorRT that this Python would import; None if it has none.

    search: folders instead of sys.path. The version is read from the text of the very files that would be imported,
    since the metadata found first may be another copy's. Raises DeviceError if it is there and names no version.
    """
    folder = _package_folder("tensorrt", search)
    if folder is None:
        return None
    for module in _TENSORRT_MODULES:
        version = _written_version(_package_folder(module, search))
        if version is not None:
            return Package(version, str(folder))
    version = distribution_version(_TENSORRT, search)
    if version is None:
        raise DeviceError(
            f"TensorRT in {folder} does not say which version it is",
            why="neither its __init__.py nor the installed packages name one",
            hint="install it again: sudo apt install --reinstall python3-libnvinfer",
        )
    return Package(version, str(folder))


def opencv_version(root: Path, search: Optional[Sequence[str]] = None) -> Optional[str]:
    """The version of the OpenCV that this Python would import; None if it has none, or none that can be told."""
    spec = PathFinder.find_spec("cv2", search)
    if spec is None or spec.origin is None:
        return None
    written = _OPENCV_VERSION.search(_text(Path(spec.origin).with_name("version.py")))
    if written is not None:
        return written.group(1)
    libraries = sorted(path.name.partition(".so.")[2] for path in root.glob(_OPENCV_LIBRARIES))
    return distribution_version(_OPENCV, search) or (libraries[-1] if libraries else None)


def other_pythons(package: str, root: Path) -> Iterable[str]:
    """Where a system's own Python has a package that this Python may not see, as a virtual environment does not."""
    return [str(path) for path in sorted(root.glob(f"usr/lib/python3*/dist-packages/{package}")) if path.is_dir()]


def this_python() -> str:
    """ "Python 3.8.10"."""
    return f"Python {platform.python_version()}"


def _package_folder(module: str, search: Optional[Sequence[str]]) -> Optional[Path]:
    spec = PathFinder.find_spec(module, search)
    # A folder that only happens to bear the name, such as a clone of the sources, has no origin.
    if spec is None or spec.origin is None or not spec.submodule_search_locations:
        return None
    return Path(spec.origin).parent


def _written_version(folder: Optional[Path]) -> Optional[str]:
    if folder is None:
        return None
    found = _VERSION.search(_text(folder / "__init__.py"))
    return found.group(1) if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def distribution_version(names: Iterable[str], search: Optional[Sequence[str]] = None) -> Optional[str]:
    """The version in the name of the package's metadata: importlib.metadata would import the mail parser to read it."""
    for name in names:
        pattern = re.compile(re.sub("[-_.]", "[-_.]", name) + r"-(\d[^-]*)(-py.*)?\.(dist|egg)-info", re.IGNORECASE)
        for folder in sys.path if search is None else search:
            found = next(filter(None, map(pattern.fullmatch, _listed(folder))), None)
            if found is not None:
                return found.group(1).replace("_", "-")
    return None


def _listed(folder: str) -> List[str]:
    try:
        return sorted(path.name for path in Path(folder or ".").iterdir())
    except OSError:  # a zip file, or a folder that is not there
        return []
