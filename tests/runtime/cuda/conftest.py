"""A GPU for tests: the real one under the marker gpu, and everywhere else a stand-in that runs the kernels as C++."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver, libcuda
from edgekit.runtime.cuda.compile import SOURCE_PATH, compile_kernels
from edgekit.runtime.cuda.driver import GpuFacts
from edgekit.runtime.cuda.kernels import Kernels
from edgekit.runtime.cuda.owner import OwnerThread


@dataclass
class Gpu:
    """What the tests need; stand_in is the library of cpu_cuda.cpp, or None on a real GPU."""

    facts: GpuFacts
    kernels: Kernels
    stream: int
    stand_in: Optional[Any]


def forget_library() -> None:
    libcuda.library.cache_clear()
    libcuda._library_that_keeps_the_lock.cache_clear()
    libcuda._function.cache_clear()


@pytest.fixture(scope="session")
def stand_in_path(tmp_path_factory):
    """The compiled stand-in; skips where there is no C++ compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the kernels for the CPU")
    path = tmp_path_factory.mktemp("cuda") / "libcuda.so.1"
    source = Path(__file__).with_name("cpu_cuda.cpp")
    flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Wno-unknown-pragmas"]
    command = [compiler, *flags, f'-DKERNELS="{SOURCE_PATH}"', "-o", str(path), str(source)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def stand_in(stand_in_path, monkeypatch):
    """The stand-in in libcuda's place; it must be as empty afterwards as before."""
    monkeypatch.setattr(libcuda, "NAME", str(stand_in_path))
    forget_library()
    library = ctypes.CDLL(str(stand_in_path))
    library.stand_in_copied_bytes.restype = ctypes.c_longlong
    yield library
    alive = library.stand_in_alive()
    library.stand_in_reset()
    forget_library()
    assert alive == 0, "something on the GPU was not given back"


@pytest.fixture(scope="session")
def real_owner():
    """The owner thread of a real GPU; skips where there is none."""
    try:
        owner = OwnerThread()
    except DeviceError as error:
        pytest.skip(error.what)
    yield owner
    owner.close()


@pytest.fixture(scope="session")
def real_cubin(real_owner):
    """The kernels, compiled for the real GPU."""
    return compile_kernels(driver.gpu_facts().sm).cubin


BACKS = ["as C++", "as C++, memory shared", "on the GPU", "on the GPU, memory shared"]


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.gpu] * name.startswith("on")) for name in BACKS])
def gpu(request):
    """A GPU with the kernels loaded: each test runs on the stand-in and for real.

    "memory shared": as on a Jetson, whose kernels read the CPU's memory. Other GPUs can do so too, only slower.
    """
    library = None
    if request.param.startswith("on the GPU"):
        owner, cubin = request.getfixturevalue("real_owner"), request.getfixturevalue("real_cubin")
        driver.set_current(owner.context_handle)
    else:
        library, cubin = request.getfixturevalue("stand_in"), b"stand-in"
    kernels, stream = Kernels(cubin), driver.make_stream()
    facts = replace(driver.gpu_facts(), integrated="shared" in request.param)
    yield Gpu(facts, kernels, stream, library)
    driver.stream_synchronise(stream)
    driver.destroy_stream(stream)
    kernels.close()
