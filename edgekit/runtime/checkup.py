"""Verb `checkup`: whether this device can build and run engines, by trying what a probe only looks up."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import os
import shutil
from pathlib import Path
from typing import Iterator, Optional

from edgekit.core.boards import Board
from edgekit.core.checkup import CheckupAnswer, CheckupRequest, Finding
from edgekit.core.device import BACKEND_VARIABLE
from edgekit.core.l4t import L4T_VARIABLE, jetpack_of
from edgekit.core.opencv import parse_gstreamer
from edgekit.core.precision import parse_release
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, EdgekitError
from edgekit.runtime.back_end import BackEnd, Jetson, find_back_end
from edgekit.runtime.cuda.compile import compile_kernels
from edgekit.runtime.cuda.driver import GpuFacts
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.limits import memory_mib
from edgekit.runtime.packages import find_tensorrt
from edgekit.runtime.tuning.journal import check_tuned

OLDEST_TENSORRT = (8, 5)  # JetPack 5.1
_LOW_MEMORY_MIB, _LOW_DISK_MIB = 1024, 2048
_SMALLEST_KERNEL = 'extern "C" __global__ void nothing() {}'


def run_checkup(request: CheckupRequest, on_progress: OnProgress) -> CheckupAnswer:
    """The answer to verb `checkup`."""
    return CheckupAnswer(tuple(examine_device()))


def examine_device(root: Path = Path("/")) -> Iterator[Finding]:
    """Everything found about this device. Never raises an EdgekitError: what fails is a finding."""
    yield from check_tuned(root)
    try:
        back_end = find_back_end(root)
    except DeviceError as error:
        yield _failed("back end", error)
        return
    yield _back_end(back_end)
    if back_end.jetson is not None:
        yield check_jetson(back_end.jetson, os.environ.get(L4T_VARIABLE, ""))
        yield _opencv(cameras=not back_end.asked)
    if back_end.gpu is not None:
        yield from _tensorrt(back_end.version, back_end.gpu)
        yield check_memory(memory_mib(root)[1])
        yield check_disk(shutil.disk_usage(str(Path.home())).free >> 20)


def check_jetson(jetson: Jetson, stated_l4t: str) -> Finding:
    """Which Jetson this is, and that its release was read and not just stated."""
    jetpack = jetpack_of(jetson.l4t)
    name = jetson.board.title if jetson.board else jetson.module
    found = f"{name}, Jetson Linux {jetson.l4t}, {'JetPack ' + jetpack if jetpack else 'of no known JetPack'}"
    if jetson.board is not None and not jetson.board.supported:
        return _unsupported(jetson.board, found)
    if stated_l4t:
        return Finding("ok", "Jetson", f"{found}, as {L4T_VARIABLE} states")
    return Finding("ok", "Jetson", found)


def check_memory(available_mib: int) -> Finding:
    """Memory for a build; a Jetson's GPU takes its own from it too."""
    found = f"{available_mib} MiB available"
    if available_mib < _LOW_MEMORY_MIB:
        return Finding("warning", "memory", found, "stop other programs there, or add swap")
    return Finding("ok", "memory", found)


def check_disk(free_mib: int) -> Finding:
    """Room for engines, caches and releases."""
    severity = "warning" if free_mib < _LOW_DISK_MIB else "ok"
    return Finding(severity, "disk", f"{free_mib} MiB free", "free some disk space" if severity != "ok" else "")


def check_two_installs(package: str, library: Optional[str]) -> Finding:
    """Whether Python's TensorRT and the library that the loader finds belong together.

    package: version of the Python package; library: "8.5.2", None if the loader finds none (wheels bring their own).
    """
    if library is None:
        return Finding("ok", "libnvinfer", "the loader finds none; the Python package brings its own")
    if package.split(".")[:3] != library.split(".")[:3]:
        return Finding(
            "warning",
            "libnvinfer",
            f"two TensorRT: the Python package is {package}, the library that is found first {library}",
            "remove one of them, or put the folder of the wanted one first in LD_LIBRARY_PATH",
        )
    return Finding("ok", "libnvinfer", library)


def library_version(number: int) -> str:
    """getInferLibVersion()'s number in words: 8502 -> "8.5.2", 101602 -> "10.16.2". Source: NvInferVersion.h."""
    major, rest = divmod(number, 10_000) if number >= 100_000 else divmod(number, 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _back_end(back_end: BackEnd) -> Finding:
    name = "TensorRT" if back_end.name == "tensorrt" else "ONNX Runtime"
    if back_end.asked:
        found = f"{name} {back_end.version} on the processor, as {BACKEND_VARIABLE} asks"
        return Finding("info" if back_end.jetson else "ok", "back end", found)
    if back_end.passed_over:
        remedy = "make the GPU usable, or uninstall TensorRT"
        return Finding("warning", "back end", f"{name} {back_end.version}; {back_end.passed_over}", remedy)
    return Finding("ok", "back end", f"{name} {back_end.version}")


def _unsupported(board: Board, found: str) -> Finding:
    return Finding("error", "Jetson", f"{found}: the last JetPack of {board.title} is too old", "use a newer module")


def _tensorrt(version: str, gpu: GpuFacts) -> Iterator[Finding]:
    capability = f"{gpu.sm // 10}.{gpu.sm % 10}"
    found = f"{gpu.name}, compute capability {capability}, {gpu.memory_mib} MiB, driver for CUDA {gpu.cuda_driver}"
    yield Finding("ok", "GPU", found)
    yield _tensorrt_module(version)
    yield check_two_installs(version, _loaded_version(parse_release(version)[0]))
    yield _context()
    yield _compiler(gpu.sm)
    yield _optional_libraries()


def _tensorrt_module(version: str) -> Finding:
    package = find_tensorrt()
    found = f"{version} in {package.folder if package else 'an unknown folder'}"
    if parse_release(version) < OLDEST_TENSORRT:
        oldest = ".".join(map(str, OLDEST_TENSORRT))
        return Finding("error", "TensorRT", found, f"edgekit needs TensorRT {oldest}, which comes with JetPack 5.1")
    try:
        imported = importlib.import_module("edgekit.runtime.trt.library").load_library().__version__
    except EdgekitError as error:
        return _failed("TensorRT", error)
    if imported != version:
        remedy = "uninstall one of the two, or take its folder out of PYTHONPATH"
        return Finding("error", "TensorRT", f"{found}, but importing it gives {imported}", remedy)
    return Finding("ok", "TensorRT", found)


def _loaded_version(major: int) -> Optional[str]:
    try:
        library = ctypes.CDLL(f"libnvinfer.so.{major}")
        return library_version(int(library.getInferLibVersion()))
    except (OSError, AttributeError):  # not on the loader's path
        return None


def _context() -> Finding:
    try:
        OwnerThread().close()
    except EdgekitError as error:
        return _failed("pycuda", error)
    return Finding("ok", "pycuda", "it gives a context on the GPU")


def _compiler(sm: int) -> Finding:
    try:
        return Finding("ok", "kernel compiler", compile_kernels(sm, _SMALLEST_KERNEL).compiler)
    except EdgekitError as error:
        return Finding(
            "warning",
            "kernel compiler",
            f"{error.what}: the processor does the work before and after the network",
            error.hint or error.why,
        )


def _optional_libraries() -> Finding:
    found = [f"{name} {ctypes.util.find_library(name) or 'not found'}" for name in ("cublas", "cudnn")]
    return Finding("ok", "library tactics", ", ".join(found))


def _opencv(cameras: bool) -> Finding:
    """OpenCV, with GStreamer where cameras are to be opened through it: a device on its processor brings a wheel."""
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        return Finding("error", "OpenCV", f"it cannot be imported: {error}", "sudo apt install python3-opencv")
    if cameras and parse_gstreamer(cv2.getBuildInformation()) is False:
        remedy = "pip uninstall opencv-python opencv-python-headless, so that JetPack's own is found"
        return Finding("warning", "OpenCV", f"{cv2.__version__} has no GStreamer: no CSI cameras", remedy)
    return Finding("ok", "OpenCV", str(cv2.__version__))


def _failed(subject: str, error: EdgekitError) -> Finding:
    found = error.what + (f": {error.why.splitlines()[0]}" if error.why else "")
    return Finding("error", subject, found, error.hint)
