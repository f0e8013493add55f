"""Which Python packages a device gets beside what its system has. JetPack's own cv2 and tensorrt are never covered."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.control.wheels import PYCUDA, LockedPackage, python_tag, read_lock
from edgekit.core.facts import DeviceFacts
from edgekit.core.installed import PythonPackage, version_numbers
from edgekit.core.package_findings import check_pycuda
from edgekit.errors import DeviceError

OPENCV = "opencv-python-headless"
NUMPY = "numpy"
# The oldest that device code runs with, and the first that extensions built for numpy 1 do not load with.
_NUMPY_FITS = ((1, 19), (2,))
_SYSTEM = "/usr/"


@dataclass(frozen=True)
class DevicePackages:
    """What an environment is to hold. key: the system that compiled packages belong to; "" if there are none."""

    tag: str  # "cp38"
    machine: str
    packages: tuple[LockedPackage, ...]
    key: str = ""

    @property
    def name(self) -> str:
        """Names the environment; the same for the same content."""
        content = "\n".join([*(package.line for package in self.packages), self.key])
        return f"{self.tag}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def compiled(self) -> tuple[LockedPackage, ...]:
        """Those that exist as sources only."""
        return tuple(package for package in self.packages if package.name == PYCUDA)

    @property
    def ready_made(self) -> DevicePackages:
        """The same without what must be compiled: what it is compiled in."""
        return replace(self, packages=tuple(each for each in self.packages if each not in self.compiled), key="")


def packages_for(facts: DeviceFacts, *, processor: bool) -> DevicePackages:
    """What to install on a device. processor: engines run on its processor instead of TensorRT.

    Raises DeviceError if there is nothing for its Python, or if pycuda cannot be compiled there.
    """
    tag = python_tag(facts.python)
    locked = read_lock(tag, facts.machine, "onnxruntime" if processor else "jetson")
    if processor:
        return DevicePackages(tag, facts.machine, _without(locked, OPENCV) if _has_opencv(facts) else locked)
    chosen = _without(locked, NUMPY) if _has_numpy(facts) else locked
    return DevicePackages(tag, facts.machine, chosen, _cuda_key(facts))


def refuse_without_cuda(facts: DeviceFacts) -> None:
    """Raise DeviceError if pycuda cannot be compiled on a device, naming the packages that it lacks."""
    if facts.cuda.compiler and facts.cuda.header:
        return
    finding = next(check_pycuda(replace(facts, provisioned=False, python_packages=())))
    raise DeviceError(finding.found, hint=f"on the device: {finding.remedy}")


def _without(packages: Sequence[LockedPackage], name: str) -> tuple[LockedPackage, ...]:
    return tuple(package for package in packages if package.name != name)


def _has_opencv(facts: DeviceFacts) -> bool:
    """True if the system has an OpenCV of its own: a wheel would hide it, and its GStreamer."""
    return facts.opencv is not None and facts.opencv.origin.startswith(_SYSTEM)


def _has_numpy(facts: DeviceFacts) -> bool:
    """True if the system's numpy will do, whichever of several comes first. The user's own is not seen there."""
    systems = [each for each in facts.python_packages if each.name == NUMPY and each.folder.startswith(_SYSTEM)]
    return bool(systems) and all(_fits(package) for package in systems)


def _fits(numpy: PythonPackage) -> bool:
    oldest, too_new = _NUMPY_FITS
    return oldest <= version_numbers(numpy.version) < too_new


def _cuda_key(facts: DeviceFacts) -> str:
    """What a compiled package may be shared among: the same JetPack, or else the same release, and the same CUDA."""
    system = f"jetpack{facts.jetpack}" if facts.jetpack else f"l4t{facts.l4t}"
    return f"{system}-cuda{facts.cuda.version or 'unknown'}-{python_tag(facts.python)}-{facts.machine}"
