"""What this device is: the facts a build and a result depend on. Quick, and never imports the inference library."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Optional, Tuple

import edgekit
from edgekit.core.cpuinfo import parse_cpuinfo
from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError
from edgekit.runtime.limits import memory_mib, usable_cpus

# The package that provides `import onnxruntime` goes by several names; the plain one is preferred.
_ONNXRUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-silicon")
_GSTREAMER = re.compile(r"^\s*GStreamer:\s*(YES|NO)", re.MULTILINE)


@dataclass(frozen=True)
class ProbeRequest:
    """Verb `probe`. disk_of: the folder whose disk is asked for free room; "": the home folder."""

    disk_of: str = ""
    schema: int = 1


def run_probe(request: ProbeRequest, on_progress: OnProgress) -> DeviceProfile:
    """The answer to verb `probe`."""
    return probe_device(disk_of=Path(request.disk_of) if request.disk_of else None)


def probe_device(root: Path = Path("/"), disk_of: Optional[Path] = None) -> DeviceProfile:
    """The profile of a machine whose back end is ONNX Runtime.

    disk_of: the folder whose disk is asked for free room; the home folder by default. Raises DeviceError if ONNX
    Runtime is not installed.
    """
    cpu = parse_cpuinfo(_read(root / "proc/cpuinfo"))
    total_mib, available_mib = memory_mib(root)
    opencv, gstreamer = _opencv()
    return DeviceProfile(
        module=platform.machine(),
        backend="onnxruntime",
        backend_version=_onnxruntime_version(),
        python=platform.python_version(),
        edgekit=edgekit.__version__,
        cpu_count=usable_cpus(root),
        memory_total_mib=total_mib,
        memory_available_mib=available_mib,
        disk_free_mib=_disk_free_mib(disk_of or Path.home()),
        cpu_features=cpu.features,
        opencv=opencv,
        gstreamer=gstreamer,
        cpu_name=cpu.name,
    )


def parse_gstreamer(build_information: str) -> Optional[bool]:
    """Whether OpenCV was built with GStreamer, from cv2.getBuildInformation(); None if it does not say."""
    found = _GSTREAMER.search(build_information)
    return None if found is None else found.group(1) == "YES"


def _onnxruntime_version() -> str:
    for package in _ONNXRUNTIME_PACKAGES:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    raise DeviceError(
        "ONNX Runtime is not installed on this device",
        why=f"looked for {', '.join(_ONNXRUNTIME_PACKAGES)} in Python {platform.python_version()}",
        hint="pip install onnxruntime onnx",
    )


def _opencv() -> Tuple[Optional[str], Optional[bool]]:
    try:
        import cv2
    except ImportError:
        return None, None
    return cv2.__version__, parse_gstreamer(cv2.getBuildInformation())


def _disk_free_mib(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(os.fspath(folder)).free >> 20


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise DeviceError(f"{path} cannot be read", why=error.strerror or str(error)) from None
