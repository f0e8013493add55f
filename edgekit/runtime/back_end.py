"""Which back end this machine has: TensorRT where there is one and a GPU for it, else ONNX Runtime."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgekit.core.boards import Board, identify_board, slug
from edgekit.core.device import BACKEND_VARIABLE
from edgekit.core.l4t import L4T_VARIABLE, MODULE_VARIABLE, RELEASE_FILE, parse_stated, parse_tegra_release
from edgekit.errors import DeviceError
from edgekit.runtime.cuda.driver import GpuFacts, gpu_facts
from edgekit.runtime.packages import (
    ONNXRUNTIME,
    Package,
    find_tensorrt,
    onnxruntime_version,
    other_pythons,
    this_python,
)

# The first is the place itself; the second a link to it, which a container may have without the first.
DEVICE_TREES = ("sys/firmware/devicetree/base", "proc/device-tree")

_INSTALL_TENSORRT = "sudo apt install python3-libnvinfer, or a virtual environment with --system-site-packages"


@dataclass(frozen=True)
class Jetson:
    """What a Jetson says of itself. board is None in a container that was told the module."""

    module: str
    l4t: str
    board: Optional[Board] = None


@dataclass(frozen=True)
class BackEnd:
    """name: "tensorrt" or "onnxruntime". gpu is known for TensorRT only.

    asked: EDGEKIT_BACKEND asks for it. passed_over: why a TensorRT that is installed is not used; "" if it is, or
    there is none.
    """

    name: str
    version: str
    gpu: Optional[GpuFacts] = None
    jetson: Optional[Jetson] = None
    passed_over: str = ""
    asked: bool = False

    def module(self, machine: str) -> str:
        """What engine keys call this device. machine: the processor's architecture, "x86_64"."""
        if self.jetson is not None:
            return self.jetson.module
        return machine if self.gpu is None else slug(self.gpu.name)


def find_back_end(root: Path = Path("/")) -> BackEnd:
    """The back end of this machine. TensorRT is not imported, and without it the driver is not started.

    EDGEKIT_BACKEND=onnxruntime asks for the processor, whatever else there is: the entry's `backend` in devices.yaml.
    Raises DeviceError for a Jetson without TensorRT or a working GPU that is not asked so, since nothing else is worth
    running there, and for any machine without a back end.
    """
    asked = _asked_for()
    jetson = find_jetson(root)
    if asked:
        return _onnxruntime(jetson, asked=True)
    tensorrt = find_tensorrt()
    if tensorrt is None:
        if jetson is not None:
            raise _no_tensorrt(root)
        return _onnxruntime(None)
    try:
        gpu = gpu_facts()
    except DeviceError as error:
        return _without_gpu(jetson, tensorrt, error)
    return BackEnd("tensorrt", tensorrt.version, gpu, jetson)


def find_jetson(root: Path = Path("/")) -> Optional[Jetson]:
    """What kind of Jetson this is; None if it is none.

    EDGEKIT_L4T and EDGEKIT_MODULE, where they are set, come before the files: in a container those may be hidden, or
    be the image's own. Raises DeviceError if it is a Jetson and nothing names its release or its module.
    """
    board = identify_board(*(_device_tree_text(root, name) for name in ("compatible", "model")))
    stated_l4t, stated_module = os.environ.get(L4T_VARIABLE, ""), os.environ.get(MODULE_VARIABLE, "")
    release = _text(root / RELEASE_FILE)
    if board is None and not release and not stated_l4t:
        return None
    if not release and not stated_l4t:
        raise _unstated("Jetson Linux release", f"there is no /{RELEASE_FILE}", L4T_VARIABLE, "36.4.4")
    l4t = parse_stated(stated_l4t) if stated_l4t else parse_tegra_release(release)
    if stated_module:
        return Jetson(slug(stated_module), l4t, board)
    if board is None:
        raise _unstated("module", "its device tree is hidden", MODULE_VARIABLE, "orin-nano-8gb")
    return Jetson(board.module, l4t, board)


def _asked_for() -> bool:
    asked = os.environ.get(BACKEND_VARIABLE, "")
    if asked not in ("", "auto", "onnxruntime"):
        raise DeviceError(
            f"{BACKEND_VARIABLE} is {asked!r}",
            why="it can ask for onnxruntime only; TensorRT is used wherever it works",
            hint=f"{BACKEND_VARIABLE}=onnxruntime, or unset it",
        )
    return asked == "onnxruntime"


def _device_tree_text(root: Path, name: str) -> str:
    return next(filter(None, (_text(root / tree / name) for tree in DEVICE_TREES)), "")


def _unstated(what: str, why: str, variable: str, example: str) -> DeviceError:
    return DeviceError(
        f"this is a Jetson whose {what} cannot be read",
        why=f"{why}, as happens in containers",
        hint=f"start the container with --env {variable}=..., what `edgekit devices --probe` shows outside: {example}",
    )


def _without_gpu(jetson: Optional[Jetson], tensorrt: Package, error: DeviceError) -> BackEnd:
    if jetson is not None:
        raise DeviceError(
            "this Jetson's GPU cannot be used",
            why="\n".join(part for part in (error.what, error.why) if part),
            hint="in a container, start it with --runtime nvidia; else reboot, or reinstall nvidia-l4t-cuda",
        ) from error
    if onnxruntime_version() is None:
        raise DeviceError(
            f"TensorRT {tensorrt.version} is installed and there is no GPU that it could use",
            why="\n".join(part for part in (error.what, error.why) if part),
            hint=error.hint or "install the NVIDIA driver, or for the processor: pip install onnxruntime onnx",
        ) from error
    return _onnxruntime(None, f"TensorRT {tensorrt.version} is installed and not used: {error.what}")


def _onnxruntime(jetson: Optional[Jetson], passed_over: str = "", asked: bool = False) -> BackEnd:
    version = onnxruntime_version()
    if version is None:
        raise DeviceError(
            "ONNX Runtime is not installed on this device",
            why=f"looked for {', '.join(ONNXRUNTIME)} in {this_python()}",
            hint="pip install onnxruntime onnx",
        )
    return BackEnd("onnxruntime", version, None, jetson, passed_over, asked)


def _no_tensorrt(root: Path) -> DeviceError:
    elsewhere = other_pythons("tensorrt", root)
    found = f"; it is in {', '.join(elsewhere)}, which this Python does not see" if elsewhere else ""
    return DeviceError(
        "TensorRT is not installed for the Python that edgekit runs in on this Jetson",
        why=f"{this_python()} has no package tensorrt{found}",
        hint=_INSTALL_TENSORRT,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
