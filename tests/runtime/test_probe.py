"""The probe tells what the machine is, quickly, and within its limits."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cv2
import pytest

from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError
from edgekit.runtime import probe
from edgekit.runtime.limits import memory_mib, usable_cpus


def make_root(folder: Path, **files: str) -> Path:
    """A file system with the given texts; "__" in a name stands for "/"."""
    texts = {"proc__meminfo": "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n", "proc__cpuinfo": "", **files}
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_this_machine_gives_a_profile_that_travels() -> None:
    """The host reads it back from JSON before it plans anything."""
    profile = probe.probe_device()
    assert profile == from_wire(type(profile), to_wire(profile))
    assert (platform.machine(), "onnxruntime") == (profile.module, profile.backend)
    assert metadata.version("onnxruntime") == profile.backend_version
    assert 1 <= profile.cpu_count <= (os.cpu_count() or 1)
    assert 0 < profile.memory_available_mib <= profile.memory_total_mib
    assert profile.disk_free_mib > 0
    assert profile.opencv and cv2.__version__ in profile.opencv


def test_probe_imports_no_library(tmp_path) -> None:
    """It is asked before every command; importing would cost more than everything else in it."""
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt/__init__.py").write_text('__version__ = "8.5.2.2"\nraise ImportError("imported")\n')
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from edgekit.runtime.probe import probe_device; probe_device(); "
        "sys.exit(bool({'onnxruntime', 'onnx', 'tensorrt', 'pycuda', 'numpy', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_container_limit_counts_as_the_memory_there_is(tmp_path) -> None:
    """Planning with the host's memory would get the container killed."""
    limits = {"sys__fs__cgroup__memory.max": f"{1 << 30}\n", "sys__fs__cgroup__memory.current": f"{256 << 20}\n"}
    assert memory_mib(make_root(tmp_path, **limits)) == (1024, 768)


def test_limit_above_the_machines_memory_is_none(tmp_path) -> None:
    """systemd writes such limits by default."""
    assert memory_mib(make_root(tmp_path, **{"sys__fs__cgroup__memory.max": f"{64 << 30}\n"})) == (8192, 4096)


def test_limit_in_the_older_place_counts_too(tmp_path) -> None:
    """JetPack 5 still mounts control groups of version 1."""
    limit = {"sys__fs__cgroup__memory__memory.limit_in_bytes": f"{2 << 30}\n"}
    assert memory_mib(make_root(tmp_path, **limit)) == (2048, 2048)


def test_cpu_quota_bounds_the_threads(tmp_path) -> None:
    """Threads beyond the quota only wait for each other."""
    assert usable_cpus(make_root(tmp_path, **{"sys__fs__cgroup__cpu.max": "50000 100000\n"})) == 1
    unlimited = make_root(tmp_path, **{"sys__fs__cgroup__cpu.max": "max 100000\n"})
    assert len(os.sched_getaffinity(0)) == usable_cpus(unlimited)


def test_machine_that_hides_its_memory_is_a_device_error(tmp_path) -> None:
    """A wrong figure would be worse."""
    with pytest.raises(DeviceError):
        memory_mib(tmp_path)
