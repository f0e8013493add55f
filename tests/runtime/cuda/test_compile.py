"""Compiling the kernels with whatever compiler a board has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import compile as compiling
from edgekit.runtime.cuda.compile import compile_kernels
from edgekit.runtime.cuda.kernels import NAMES

NVCC = compiling._nvcc()
ELF = b"\x7fELF"
# Turing, Ampere and Ada of PCs, Orin, data centre, Thor; Xavier (72) needs a CUDA before 13.
ARCHITECTURES = [75, 86, 87, 89, 90, 110]


def only_nvcc(monkeypatch):
    if NVCC is None:
        pytest.skip("no nvcc here")
    monkeypatch.setattr(compiling, "_nvrtc_libraries", list)


@pytest.mark.parametrize("sm", ARCHITECTURES)
def test_nvcc_compiles_the_kernels_for(sm, monkeypatch):
    """A board whose kernels do not compile runs on its CPU, many times slower."""
    only_nvcc(monkeypatch)
    listed = subprocess.run([str(NVCC), "--list-gpu-arch"], capture_output=True, text=True, check=False).stdout
    if f"compute_{sm}" not in listed.split():
        pytest.skip(f"this nvcc does not know sm_{sm}")
    made = compile_kernels(sm)
    assert (made.cubin[:4], made.sm) == (ELF, sm)
    assert made.compiler.startswith("nvcc ")
    for name in NAMES:
        assert name.encode() in made.cubin


def test_products_and_sums_are_rounded_one_by_one(tmp_path):
    """A product fused with a sum keeps digits that numpy drops: a box at the limit stays here and goes there."""
    if NVCC is None:
        pytest.skip("no nvcc here")
    path = tmp_path / "kernels.ptx"
    subprocess.run([str(NVCC), "-ptx", "-o", str(path), str(compiling.SOURCE_PATH)], check=True)
    text = path.read_text()
    assert "mul.rn.f32" in text
    assert "fma.rn.f32" not in text


def test_nvrtc_compiles_the_kernels_without_headers():
    """Boards with the runtime packages alone have the library and no headers."""
    libraries = compiling._nvrtc_libraries()
    if not libraries:
        pytest.skip("no NVRTC here")
    made = compiling._compile_nvrtc(libraries[0], 87, compiling.SOURCE_PATH.read_text(encoding="utf-8"))
    assert made.cubin[:4] == ELF
    assert made.compiler.startswith("nvrtc ")
    with pytest.raises(compiling._CompileError, match=r"kernels\.cu\(1\)"):
        compiling._compile_nvrtc(libraries[0], 87, "int main( {")


def test_what_the_compiler_says_reaches_the_reader(monkeypatch):
    """An unknown GPU or a typing error: the compiler's own line says which."""
    only_nvcc(monkeypatch)
    with pytest.raises(DeviceError, match="sm_87") as caught:
        compile_kernels(87, source="__global__ void broken( {")
    assert "error" in caught.value.why
    with pytest.raises(DeviceError, match="sm_999") as caught:
        compile_kernels(999)
    assert "sm_999" in caught.value.why


def test_a_board_without_a_compiler_is_told_what_to_install(monkeypatch):
    """The caller goes on with the CPU and shows this."""
    monkeypatch.setattr(compiling, "_nvrtc_libraries", list)
    monkeypatch.setattr(compiling, "_nvcc", lambda: None)
    with pytest.raises(DeviceError, match="neither NVRTC nor nvcc") as caught:
        compile_kernels(87)
    assert "cuda-nvrtc" in caught.value.hint


def test_compilers_are_found_outside_the_path(tmp_path, monkeypatch):
    """Services and SSH commands have no /usr/local/cuda/bin in PATH."""
    folder = tmp_path / "cuda"
    for name in ("bin/nvcc", "targets/aarch64-linux/lib/libnvrtc.so.11.2"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    opened = []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compiling, "CUDA_FOLDERS", (str(folder),))
    monkeypatch.setattr(compiling.ctypes, "CDLL", lambda path: _missing(opened, path))
    assert compiling._nvcc() == folder / "bin/nvcc"
    assert compiling._nvrtc_libraries() == []
    assert opened[-1] == str(folder / "targets/aarch64-linux/lib/libnvrtc.so.11.2")
    assert "libnvrtc.so.12" in opened


def _missing(opened, path):
    opened.append(path)
    raise OSError(path)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    """A board that compiles at each build must not fill its flash with temporary folders."""
    only_nvcc(monkeypatch)
    monkeypatch.setattr(compiling.tempfile, "tempdir", str(tmp_path))
    compile_kernels(87)
    assert list(Path(tmp_path).iterdir()) == []
