"""Which back end a machine has, decided on made-up file systems with recorded texts in them.

There is no driver where these run in CI: its failure is real. A driver that works is stood in for by GpuFacts as an
H200 (driver 580) and, from NVIDIA's tables, an Orin would give.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime import back_end
from edgekit.runtime.back_end import find_back_end, find_jetson
from edgekit.runtime.cuda.driver import GpuFacts
from edgekit.runtime.packages import Package
from edgekit.runtime.probe import probe_device

CASES = Path(__file__).parents[1] / "cases/jetson"
RELEASES = {case["l4t"]: case for case in json.loads((CASES / "nv_tegra_release.json").read_text("utf-8"))}
TREES = {case["module"]: case for case in json.loads((CASES / "device_trees.json").read_text("utf-8"))}
H200 = GpuFacts("NVIDIA H200", 90, 143771, "13.0", False, True, True)
ORIN = GpuFacts("Orin", 87, 7620, "12.6", True, True, True)
XAVIER = GpuFacts("Xavier", 72, 6854, "11.4", True, True, True)


def make_root(folder: Path, module: str = "", l4t: str = "") -> Path:
    """A machine's files: a device tree and a release as recorded, and what every Linux has."""
    texts = {"proc/meminfo": "MemTotal: 8029252 kB\nMemAvailable: 4194304 kB\n", "proc/cpuinfo": ""}
    if module:
        texts["proc/device-tree/compatible"] = "\0".join(TREES[module]["compatible"]) + "\0"
        texts["proc/device-tree/model"] = TREES[module]["model"] + "\0"
    if l4t:
        texts["etc/nv_tegra_release"] = "\n".join(RELEASES[l4t]["lines"]) + "\n"
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch) -> None:
    for name in ("EDGEKIT_L4T", "EDGEKIT_MODULE", "EDGEKIT_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(monkeypatch):
    """machine(tensorrt, gpu, onnxruntime): what is installed and what the driver says; an error is raised."""

    def make(tensorrt=None, gpu=None, onnxruntime="1.23.2") -> None:
        def facts(index: int = 0) -> GpuFacts:
            assert tensorrt is not None, "the driver was started for nothing"
            if isinstance(gpu, GpuFacts):
                return gpu
            raise gpu or DeviceError("there is no NVIDIA driver on this machine", hint="install the NVIDIA driver")

        package = Package(tensorrt, "/usr/lib/python3.8/dist-packages/tensorrt") if tensorrt else None
        monkeypatch.setattr(back_end, "find_tensorrt", lambda: package)
        monkeypatch.setattr(back_end, "gpu_facts", facts)
        monkeypatch.setattr(back_end, "onnxruntime_version", lambda: onnxruntime)

    return make


@pytest.mark.parametrize(
    ("module", "l4t", "tensorrt", "gpu", "key"),
    [
        ("orin-nano-8gb", "36.4.7", "10.3.0", ORIN, "orin-nano-8gb-sm87-trt10.3.0-l4t36.4.7"),
        ("xavier-nx", "35.6.4", "8.5.2.2", XAVIER, "xavier-nx-sm72-trt8.5.2.2-l4t35.6.4"),
        ("", "", "8.5.2.2", H200, "nvidia-h200-sm90-trt8.5.2.2"),
    ],
    ids=["Orin Nano", "Xavier NX", "PC"],
)
def test_key_names_all_that_an_engine_depends_on(tmp_path, machine, module, l4t, tensorrt, gpu, key) -> None:
    """One part too few and a foreign engine is loaded; one too many and good engines are built again."""
    machine(tensorrt, gpu)
    profile = probe_device(make_root(tmp_path, module, l4t))
    assert key == profile.engine_key
    assert (gpu.name, gpu.cuda_driver, gpu.memory_mib) == (
        profile.gpu_name,
        profile.cuda_driver,
        profile.gpu_memory_mib,
    )


def test_jetpack_is_known_for_display(tmp_path, machine) -> None:
    """People ask for JetPack 6.2.1, not for L4T 36.4.7."""
    machine("10.3.0", ORIN)
    assert probe_device(make_root(tmp_path, "orin-nano-8gb", "36.4.7")).jetpack == "6.2.1"


def test_pc_without_tensorrt_uses_onnxruntime_and_never_starts_the_driver(tmp_path, machine) -> None:
    """cuInit takes a quarter of a second, before every command, for nothing."""
    machine(None, None)
    found = find_back_end(make_root(tmp_path))
    assert (found.name, found.version, found.passed_over) == ("onnxruntime", "1.23.2", "")


def test_pc_with_tensorrt_and_no_driver_says_why_it_is_passed_over(tmp_path, machine) -> None:
    """It works, ten times slower; doctor must be able to say so."""
    machine("8.5.2.2")
    found = find_back_end(make_root(tmp_path))
    assert found.name == "onnxruntime"
    assert "8.5.2.2" in found.passed_over and "no NVIDIA driver" in found.passed_over


def test_tensorrt_without_driver_and_nothing_else_is_an_error(tmp_path, machine) -> None:
    """ "pip install onnxruntime" alone would send an owner of a GPU the wrong way."""
    machine("8.5.2.2", onnxruntime=None)
    with pytest.raises(DeviceError, match="no GPU that it could use") as told:
        find_back_end(make_root(tmp_path))
    assert "no NVIDIA driver" in told.value.why and "driver" in told.value.hint


def test_machine_with_nothing_says_what_to_install(tmp_path, machine) -> None:
    """The most common fault of a fresh machine."""
    machine(None, None, onnxruntime=None)
    with pytest.raises(DeviceError, match="pip install onnxruntime"):
        find_back_end(make_root(tmp_path))


def test_jetson_without_tensorrt_is_an_error_even_with_onnxruntime(tmp_path, machine) -> None:
    """A Jetson that quietly detects on its processor is the fault nobody finds."""
    machine(None, None)
    root = make_root(tmp_path, "orin-nano-8gb", "36.4.7")
    with pytest.raises(DeviceError, match="TensorRT is not installed") as told:
        find_back_end(root)
    assert "python3-libnvinfer" in told.value.hint
    (root / "usr/lib/python3.10/dist-packages/tensorrt").mkdir(parents=True)
    with pytest.raises(DeviceError, match="does not see") as told:
        find_back_end(root)
    assert "usr/lib/python3.10/dist-packages/tensorrt" in told.value.why


def test_jetson_that_is_asked_to_runs_engines_on_its_processor(tmp_path, machine, monkeypatch) -> None:
    """A virtual Jetson, or a board kept without TensorRT on purpose; its engines stay apart from those of others."""
    machine("8.5.2.2", XAVIER, "1.19.2")
    monkeypatch.setenv("EDGEKIT_BACKEND", "onnxruntime")
    profile = probe_device(make_root(tmp_path, "xavier-nx", "35.4.1"))
    assert (profile.engine_key, profile.jetpack) == ("xavier-nx-baseline-ort1.19.2", "5.1.2")
    assert find_back_end(tmp_path).asked
    monkeypatch.setenv("EDGEKIT_BACKEND", "cpu")
    with pytest.raises(DeviceError, match="'cpu'"):
        find_back_end(tmp_path)


@pytest.mark.parametrize("tree", ["sys/firmware/devicetree/base", "proc/device-tree"])
def test_board_is_read_in_either_place(tmp_path, tree: str) -> None:
    """/proc/device-tree is a link that sandboxes and virtual devices lack; containers may have nothing else."""
    root = make_root(tmp_path, l4t="36.4.7")
    (root / tree).mkdir(parents=True)
    (root / tree / "compatible").write_text("\0".join(TREES["orin-nano-8gb"]["compatible"]) + "\0")
    found = find_jetson(root)
    assert found is not None and found.module == "orin-nano-8gb"


def test_power_mode_is_known_by_name(tmp_path, machine) -> None:
    """The same number is another mode on the next board, and results of two modes do not compare."""
    machine("8.5.2.2", XAVIER)
    root = make_root(tmp_path, "xavier-nx", "35.4.1")
    assert probe_device(root).power_mode is None
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/nvpmodel").write_text(
        "#!/bin/sh\necho 'NVPM WARN: fan mode is not set!'; echo 'NV Power Mode: MAXN'; echo 0\n"
    )
    (root / "usr/sbin/nvpmodel").chmod(0o755)
    assert probe_device(root).power_mode == "MAXN"
    (root / "var/lib/nvpmodel").mkdir(parents=True)
    (root / "var/lib/nvpmodel/status").write_text("pmode:0002 fmode:quiet\n")
    (root / "etc/nvpmodel.conf").write_text("< POWER_MODEL ID=2 NAME=MODE_15W_6CORE >\nCPU_ONLINE CORE_0 1\n")
    assert probe_device(root).power_mode == "MODE_15W_6CORE"


def test_jetson_whose_gpu_does_not_answer_is_an_error(tmp_path, machine) -> None:
    """As in a container started without the NVIDIA runtime."""
    machine("10.3.0", DeviceError("the NVIDIA driver does not start: no CUDA-capable device is detected (100)"))
    with pytest.raises(DeviceError, match="GPU cannot be used") as told:
        find_back_end(make_root(tmp_path, "orin-nano-8gb", "36.4.7"))
    assert "no CUDA-capable device" in told.value.why and "--runtime nvidia" in told.value.hint


def test_container_that_is_told_gives_the_devices_own_key(tmp_path, machine, monkeypatch) -> None:
    """Docker hides the device tree and the release file; an engine built there must still fit the device."""
    machine("10.3.0", ORIN)
    outside = probe_device(make_root(tmp_path / "device", "orin-nano-8gb", "36.4.7"))
    monkeypatch.setenv("EDGEKIT_L4T", outside.l4t)
    monkeypatch.setenv("EDGEKIT_MODULE", outside.module)
    assert probe_device(make_root(tmp_path / "container")).engine_key == outside.engine_key
    # An image may carry the file of the release it was made on.
    assert probe_device(make_root(tmp_path / "image", l4t="36.4.4")).engine_key == outside.engine_key


def test_container_that_is_not_told_says_what_to_tell(tmp_path, machine, monkeypatch) -> None:
    """A key with a hole in it would admit engines of any release or module."""
    machine("10.3.0", ORIN)
    with pytest.raises(DeviceError, match="EDGEKIT_L4T"):
        find_jetson(make_root(tmp_path / "a", "orin-nano-8gb"))
    with pytest.raises(DeviceError, match="EDGEKIT_MODULE"):
        find_jetson(make_root(tmp_path / "b", l4t="36.4.7"))
    monkeypatch.setenv("EDGEKIT_L4T", "newest")
    with pytest.raises(DeviceError, match="newest"):
        find_jetson(make_root(tmp_path / "c", "orin-nano-8gb", "36.4.7"))


@pytest.mark.gpu
def test_this_gpu_machine_builds_with_its_tensorrt() -> None:
    """The probe reads texts; they must say what importing would."""
    pytest.importorskip("tensorrt", reason="TensorRT is not installed")
    from edgekit.runtime.trt.library import load_library

    found = find_back_end()
    if found.passed_over:
        pytest.skip(found.passed_over)
    assert (found.name, found.version) == ("tensorrt", load_library().__version__)
    assert found.gpu is not None and probe_device().engine_key.endswith(f"-sm{found.gpu.sm}-trt{found.version}")
