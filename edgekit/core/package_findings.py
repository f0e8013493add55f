"""Packages on a Jetson that keep each other from working: rules over its facts, see core.findings.

Sources: the numpy 2 migration notes (extensions built for numpy 1 do not load); TensorRT 8.5's `nptype`, which names
numpy.bool, gone since numpy 1.24; wheels of OpenCV on the public index are built without GStreamer.
"""

from __future__ import annotations

from typing import Iterator, List, Optional

from edgekit.core.checkup import Finding
from edgekit.core.facts import DEVICE_FOLDER, DeviceFacts
from edgekit.core.installed import PythonPackage, upstream_version, version_numbers

OLDEST_TENSORRT = (8, 5)  # JetPack 5.1
_OPENCV_DEBS = ("libopencv-python", "python3-opencv", "libopencv")


def check_tensorrt(facts: DeviceFacts) -> Iterator[Finding]:
    """One TensorRT that the device's python3 finds, new enough, with a library of its own version."""
    seen = [package for package in facts.tensorrt if package.seen]
    if not seen:
        yield _no_tensorrt(facts)
        return
    package, version = seen[0], _tensorrt_version(seen[0], facts)
    found = f"{version or 'of an unknown version'} in {package.folder}"
    if version and version_numbers(version)[:2] < OLDEST_TENSORRT:
        oldest = ".".join(map(str, OLDEST_TENSORRT))
        yield Finding("error", "TensorRT", f"{found}: {oldest} or newer is needed", "install JetPack 5.1 or newer")
    else:
        yield Finding("ok", "TensorRT", found)
    yield from _two_installs(facts, seen, version)


def check_opencv(facts: DeviceFacts) -> Iterator[Finding]:
    """JetPack's OpenCV, which has GStreamer, and no wheel over it."""
    wheels = [each for each in facts.python_packages if each.name.startswith("opencv-") and each.seen]
    wheels = [each for each in wheels if not each.folder.startswith(DEVICE_FOLDER)]
    deb = next((name for name in _OPENCV_DEBS if name in facts.packages), None)
    if facts.opencv is None:
        yield Finding("error", "OpenCV", "python3 finds none", "sudo apt install python3-opencv")
    elif facts.opencv.error:
        yield Finding("error", "OpenCV", f"it cannot be imported: {facts.opencv.error}", _opencv_remedy(wheels))
    elif wheels and deb:
        found = f"{_named(wheels)} in {wheels[0].folder} hides the system's {deb} {facts.packages[deb]}"
        yield Finding("warning", "OpenCV", found, _opencv_remedy(wheels))
    elif facts.opencv.gstreamer is False:
        found = f"{facts.opencv.origin} has no GStreamer: no CSI cameras, no hardware decoding"
        yield Finding("warning", "OpenCV", found, _opencv_remedy(wheels))
    else:
        yield Finding("ok", "OpenCV", facts.opencv.origin + (", with GStreamer" if facts.opencv.gstreamer else ""))


def check_numpy(facts: DeviceFacts) -> Iterator[Finding]:
    """The numpy that python3 finds first, against what was built for an older one."""
    numpy = next((each for each in facts.python_packages if each.name == "numpy" and each.seen), None)
    if numpy is None:
        return
    numbers, found = version_numbers(numpy.version), f"{numpy.version} in {numpy.folder}"
    built_for_1 = [name for name in _OPENCV_DEBS if name in facts.packages]
    tensorrt = next((each.version for each in facts.tensorrt if each.seen), "")
    if numbers[:1] >= (2,) and built_for_1 and facts.jetpack_before_7:
        found = f"{found}: the system's OpenCV was built for numpy 1 and does not load with it"
        yield Finding("error", "numpy", found, "sudo python3 -m pip uninstall numpy, so that the system's is found")
    elif numbers >= (1, 24) and tensorrt and version_numbers(tensorrt)[:2] < (8, 6):
        found = (
            f"{found}: TensorRT {tensorrt} names numpy.bool, which is gone; edgekit does without, other programs fail"
        )
        yield Finding("info", "numpy", found)
    else:
        yield Finding("ok", "numpy", found)


def check_pycuda(facts: DeviceFacts) -> Iterator[Finding]:
    """What pycuda is compiled with, where it is not there yet."""
    if facts.provisioned or any(each.name == "pycuda" for each in facts.python_packages):
        return
    lacking = [name for name, path in (("nvcc", facts.cuda.compiler), ("cuda.h", facts.cuda.header)) if not path]
    if lacking:
        version = _cuda_packages_version(facts)
        found = f"{' and '.join(lacking)} not found: pycuda cannot be built here"
        remedy = f"sudo apt install cuda-nvcc-{version} cuda-cudart-dev-{version} libcurand-dev-{version}"
        yield Finding("warning", "CUDA", found, remedy if version else "sudo apt install nvidia-jetpack")
    else:
        yield Finding("ok", "CUDA", f"{facts.cuda.version} {facts.cuda.compiler}".strip())


def _no_tensorrt(facts: DeviceFacts) -> Finding:
    install = "sudo apt install python3-libnvinfer"
    if not facts.tensorrt:
        return Finding("error", "TensorRT", "not installed for Python", install)
    places = ", ".join(f"{each.folder} (Python {each.python or 'unknown'})" for each in facts.tensorrt)
    here = ".".join(map(str, facts.python[:2]))
    return Finding("error", "TensorRT", f"python3 is {here} and does not see that in {places}", install)


def _tensorrt_version(package: PythonPackage, facts: DeviceFacts) -> str:
    return package.version or upstream_version(facts.packages.get("python3-libnvinfer", ""))


def _two_installs(facts: DeviceFacts, seen: List[PythonPackage], version: str) -> Iterator[Finding]:
    if len(seen) > 1:
        others = ", ".join(f"{each.version} in {each.folder}" for each in seen[1:])
        found = f"two of them: python3 takes {version} in {seen[0].folder}; hidden is {others}"
        yield Finding("warning", "TensorRT", found, f"sudo python3 -m pip uninstall {seen[0].name}")
    strangers = [each for each in facts.tensorrt_libraries if each.split(".") != version.split(".")[:3]]
    if version and strangers:
        found = f"Python's is {version}, beside it there are libraries of {', '.join(strangers)}"
        yield Finding("warning", "libnvinfer", found, "dpkg --list 'libnvinfer*', and remove what does not belong")


def _opencv_remedy(wheels: List[PythonPackage]) -> str:
    if wheels:
        return f"sudo python3 -m pip uninstall -y {' '.join(dict.fromkeys(each.name for each in wheels))}"
    return "sudo apt install --reinstall libopencv-python    (from the Jetson packages: it has GStreamer)"


def _named(packages: List[PythonPackage]) -> str:
    return ", ".join(f"{each.name} {each.version}" for each in packages)


def _cuda_packages_version(facts: DeviceFacts) -> Optional[str]:
    """ "12-6", as packages name it, from one that is installed."""
    names = [name for name in facts.packages if name.startswith("cuda-cudart-")]
    return names[0].rsplit("cudart-", 1)[1].replace("dev-", "") if names else None
