"""What this device is: the facts a build and a result depend on.

It is asked before every command, so it imports neither the inference library nor numpy or OpenCV.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import edgekit
from edgekit.core.cpuinfo import parse_cpuinfo
from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError
from edgekit.runtime.back_end import find_back_end
from edgekit.runtime.limits import memory_mib, usable_cpus
from edgekit.runtime.packages import opencv_version
from edgekit.runtime.power_mode import power_mode


@dataclass(frozen=True)
class ProbeRequest:
    """Verb `probe`. disk_of: the folder whose disk is asked for free room; "": the home folder."""

    disk_of: str = ""
    schema: int = 1


def run_probe(request: ProbeRequest, on_progress: OnProgress) -> DeviceProfile:
    """The answer to verb `probe`."""
    return probe_device(disk_of=Path(request.disk_of) if request.disk_of else None)


def probe_device(root: Path = Path("/"), disk_of: Optional[Path] = None) -> DeviceProfile:
    """The profile of this machine.

    root: where its file system begins. disk_of: the folder whose disk is asked for free room; the home folder by
    default. Raises DeviceError as find_back_end does.
    """
    back_end = find_back_end(root)
    cpu = parse_cpuinfo(_read(root / "proc/cpuinfo"))
    total_mib, available_mib = memory_mib(root)
    gpu = back_end.gpu
    return DeviceProfile(
        module=back_end.module(platform.machine()),
        backend=back_end.name,
        backend_version=back_end.version,
        python=platform.python_version(),
        edgekit=edgekit.__version__,
        cpu_count=usable_cpus(root),
        memory_total_mib=total_mib,
        memory_available_mib=available_mib,
        disk_free_mib=_disk_free_mib(disk_of or Path.home()),
        cpu_features=cpu.features,
        opencv=opencv_version(root),
        sm=gpu.sm if gpu else None,
        l4t=back_end.jetson.l4t if back_end.jetson else None,
        power_mode=power_mode(root) if back_end.jetson else None,
        cpu_name=cpu.name,
        gpu_name=gpu.name if gpu else None,
        cuda_driver=gpu.cuda_driver if gpu else None,
        gpu_memory_mib=gpu.memory_mib if gpu else None,
    )


def _disk_free_mib(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(os.fspath(folder)).free >> 20


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise DeviceError(f"{path} cannot be read", why=error.strerror or str(error)) from None
