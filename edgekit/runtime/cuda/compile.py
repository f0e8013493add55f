"""Compiles kernels.cu for one GPU, once, when an engine is built. The result lies beside the engine.

NVRTC is a library and comes with CUDA's runtime packages; nvcc comes with the development packages. Either will do.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Tuple

from edgekit.errors import DeviceError

KERNELS_FILE = "kernels.cubin"
SOURCE_PATH = Path(__file__).with_name("kernels.cu")
CUDA_FOLDERS = ("/usr/local/cuda",)
_NVRTC_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so")
_NVCC_LIMIT_S = 300


@dataclass(frozen=True)
class CompiledKernels:
    """Machine code for one kind of GPU, and what made it."""

    cubin: bytes
    compiler: str  # "nvrtc 12.6", "nvcc 13.0"
    sm: int


def compile_kernels(sm: int, source: Optional[str] = None) -> CompiledKernels:
    """Compile the kernels, or other CUDA source, for GPUs of compute capability sm / 10. Needs no GPU.

    Raises DeviceError if there is neither NVRTC nor nvcc, or neither can compile for this GPU.
    """
    text = SOURCE_PATH.read_text(encoding="utf-8") if source is None else source
    failures: List[str] = []
    for compiler in [*_nvrtc_libraries(), _nvcc()]:
        if compiler is None:
            continue
        try:
            return (
                _compile_nvcc(compiler, sm, text) if isinstance(compiler, Path) else _compile_nvrtc(compiler, sm, text)
            )
        except _CompileError as error:
            failures.append(str(error))
    if failures:
        raise DeviceError(f"the GPU kernels could not be compiled for sm_{sm}", why="\n".join(failures))
    raise DeviceError(
        "the GPU kernels cannot be compiled: there is neither NVRTC nor nvcc",
        why=f"no {', '.join(_NVRTC_NAMES)}, no nvcc in PATH or under {', '.join(CUDA_FOLDERS)}",
        hint="install cuda-nvrtc-<version> or cuda-nvcc-<version> of the device's CUDA",
    )


class _CompileError(Exception):
    """This compiler is there and did not do it."""


def _nvrtc_libraries() -> List[Any]:
    """Every NVRTC that can be loaded, the loader's own first."""
    paths = list(_NVRTC_NAMES)
    for folder in CUDA_FOLDERS:
        for pattern in ("lib64/libnvrtc.so*", "targets/*/lib/libnvrtc.so*"):
            paths += [str(path) for path in sorted(Path(folder).glob(pattern))]
    libraries = {}
    for path in paths:
        try:
            library = ctypes.CDLL(path)
        except OSError:  # not installed under this name
            continue
        libraries[library._handle] = library  # one library may go by several names
    return list(libraries.values())


def _compile_nvrtc(library: Any, sm: int, source: str) -> CompiledKernels:
    nvrtc = _Nvrtc(library)
    program = c_void_p()
    nvrtc.call("nvrtcCreateProgram", ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    try:
        options = (c_char_p * 1)(f"--gpu-architecture=sm_{sm}".encode())
        if nvrtc.status("nvrtcCompileProgram", program, len(options), options):
            raise _CompileError(f"nvrtc {nvrtc.version()}: {_first_lines(nvrtc.text('nvrtcGetProgramLog', program))}")
        cubin = nvrtc.text("nvrtcGetCUBIN", program)
    finally:
        nvrtc.status("nvrtcDestroyProgram", ctypes.byref(program))
    return CompiledKernels(cubin, f"nvrtc {nvrtc.version()}", sm)


class _Nvrtc:
    """NVRTC's functions with their C signatures. Source: nvrtc.h, CUDA 11.2 and newer."""

    _SIGNATURES: ClassVar[Dict[str, Tuple[Any, ...]]] = {
        "nvrtcVersion": (POINTER(c_int), POINTER(c_int)),
        "nvrtcCreateProgram": (POINTER(c_void_p), c_char_p, c_char_p, c_int, c_void_p, c_void_p),
        "nvrtcDestroyProgram": (POINTER(c_void_p),),
        "nvrtcCompileProgram": (c_void_p, c_int, POINTER(c_char_p)),
        "nvrtcGetProgramLogSize": (c_void_p, POINTER(c_size_t)),
        "nvrtcGetProgramLog": (c_void_p, c_char_p),
        "nvrtcGetCUBINSize": (c_void_p, POINTER(c_size_t)),
        "nvrtcGetCUBIN": (c_void_p, c_char_p),
    }

    def __init__(self, library: Any) -> None:
        self._library = library

    def status(self, name: str, *arguments: Any) -> int:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise _CompileError(f"this NVRTC has no {name}; it is older than CUDA 11.2") from None
        function.argtypes, function.restype = self._SIGNATURES[name], c_int
        return int(function(*arguments))

    def call(self, name: str, *arguments: Any) -> None:
        code = self.status(name, *arguments)
        if code:
            raise _CompileError(f"nvrtc {self.version()}: {name} failed ({code})")

    def version(self) -> str:
        major, minor = c_int(), c_int()
        self.status("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def text(self, name: str, program: c_void_p) -> bytes:
        size = c_size_t()
        self.call(f"{name}Size", program, ctypes.byref(size))
        content = ctypes.create_string_buffer(size.value)
        self.call(name, program, content)
        return content.raw


def _nvcc() -> Optional[Path]:
    found = shutil.which("nvcc")
    if found:
        return Path(found)
    # Services and SSH commands run without the login shell's PATH.
    paths = [Path(folder, "bin", "nvcc") for folder in CUDA_FOLDERS]
    return next((path for path in paths if path.is_file()), None)


def _compile_nvcc(nvcc: Path, sm: int, source: str) -> CompiledKernels:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        given, made = Path(folder, "kernels.cu"), Path(folder, KERNELS_FILE)
        given.write_text(source, encoding="utf-8")
        done = _run([str(nvcc), "-cubin", f"-arch=sm_{sm}", "-o", str(made), str(given)])
        if done.returncode or not made.is_file():
            raise _CompileError(f"nvcc: {_first_lines(done.stderr or done.stdout)}")
        return CompiledKernels(made.read_bytes(), f"nvcc {_nvcc_version(nvcc)}", sm)


def _nvcc_version(nvcc: Path) -> str:
    found = re.search(rb"release (\d+\.\d+)", _run([str(nvcc), "--version"]).stdout)
    return found.group(1).decode() if found else "of unknown version"


def _run(command: List[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_NVCC_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _CompileError(f"nvcc: {error}") from None


def _first_lines(output: bytes) -> str:
    lines = output.strip(b"\0\n ").decode("utf-8", "replace").splitlines()
    return "\n".join(lines[:8]) or "no message"
