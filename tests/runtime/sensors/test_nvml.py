"""The GPU's driver, by a real library with NVML's symbols that is compiled here: figures, errors, missing functions."""

from __future__ import annotations

import os
import shutil

import pytest

from edgekit.core.machine import Rail
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.nvml import NvmlSource, open_gpu
from tests.fake_nvml import compiled

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")


@pytest.fixture
def nvml(tmp_path):
    return compiled(tmp_path)


def test_a_gpu_gives_its_figures_in_our_units(nvml):
    """Milliwatts for watts are a thousandfold, and the clock of the memory is another one."""
    nvml.set(pid=os.getpid())
    gpu = open_gpu({}, nvml.path)
    assert (gpu.power_w(), gpu.energy_j()) == (61.5, 5000.0)
    assert (gpu.load_pct(), gpu.clock_mhz(), gpu.temperature_c()) == (87.0, 1980.0, 64.0)
    assert gpu.clock_reasons() == 0x44
    assert gpu.process_memory_mib() == 300
    assert nvml.get("open") == 1
    gpu.close()
    assert nvml.get("open") == 0


def test_its_power_is_that_of_its_board_and_its_energy_counts_from_here(nvml):
    """The counter is of all that the GPU drew since its driver was loaded."""
    source = NvmlSource(open_gpu({}, nvml.path))
    nvml.set(energy_mj=5_061_500)
    power = source.read(0.0)
    assert (power.watts, power.watts_of, power.rails) == (61.5, "GPU board", (Rail("GPU", 61500.0, True),))
    assert power.joules == pytest.approx(61.5)
    assert source.name == "NVML"
    source.close()


@pytest.mark.parametrize("code", [3, 4, 15, 999])
def test_what_a_gpu_does_not_tell_is_none(nvml, code):
    """Thor's driver knows no clocks: 0 MHz would be a GPU that stands still. A lost GPU must not end a benchmark."""
    gpu = open_gpu({}, nvml.path)
    source = NvmlSource(gpu)
    nvml.set(error=code)
    told = (gpu.power_w, gpu.energy_j, gpu.load_pct, gpu.clock_mhz, gpu.temperature_c, gpu.clock_reasons)
    assert [ask() for ask in (*told, gpu.process_memory_mib)] == [None] * 7
    power = source.read(0.0)
    assert (power.watts, power.watts_of, power.rails, power.joules) == (None, "", (), None)
    gpu.close()


def test_functions_that_a_driver_lacks_are_done_without(tmp_path):
    """Drivers before 535 know throttle reasons under another name, and those before 510 processes."""
    nvml = compiled(tmp_path, "ENERGY", "EVENT_REASONS", "V3")
    nvml.set(pid=os.getpid())
    gpu = open_gpu({}, nvml.path)
    assert gpu.energy_j() is None
    assert NvmlSource(gpu).read(0.0).joules is None
    assert gpu.clock_reasons() == 0x44
    assert gpu.process_memory_mib() == 300
    gpu.close()


def test_only_the_memory_of_this_process_counts(nvml):
    """What else runs on the GPU is not the engine's, and NVML may not know whose memory it is."""
    gpu = open_gpu({}, nvml.path)
    nvml.set(pid=1)
    assert gpu.process_memory_mib() is None
    nvml.set(pid=os.getpid(), processes=200)
    assert gpu.process_memory_mib() == 300
    nvml.set(used=2**64 - 1)
    assert gpu.process_memory_mib() is None
    nvml.set(processes=0)
    assert gpu.process_memory_mib() is None
    nvml.set(processes=10**6)
    assert gpu.process_memory_mib() is None
    gpu.close()


def test_of_several_gpus_the_one_that_cuda_uses_is_read(nvml):
    """The idle one would make the engine look frugal; a guess is no measurement."""
    nvml.set(devices=2)
    with pytest.raises(DeviceError, match="which of 2 GPUs is measured is not known"):
        open_gpu({}, nvml.path)
    assert nvml.get("open") == 0
    gpu = open_gpu({"CUDA_VISIBLE_DEVICES": "GPU-2222"}, nvml.path)
    gpu.power_w()
    second = nvml.get("asked")
    gpu.close()
    gpu = open_gpu({"CUDA_VISIBLE_DEVICES": "GPU-1111"}, nvml.path)
    gpu.power_w()
    assert nvml.get("asked") != second
    gpu.close()


def test_a_gpu_that_may_not_be_used_keeps_its_number(nvml):
    """In a container that has one of two, the other would be read under its number."""
    nvml.set(devices=2, hidden=0)
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    gpu = open_gpu(order, nvml.path)
    assert gpu.power_w() == 61.5
    gpu.close()
    with pytest.raises(DeviceError, match="nvmlDeviceGetHandleByIndex_v2 failed"):
        open_gpu({**order, "CUDA_VISIBLE_DEVICES": "0"}, nvml.path)
    assert nvml.get("open") == 0


def test_no_driver_no_gpu_and_no_library_are_told_apart(nvml, tmp_path):
    """Each has another remedy."""
    nvml.set(init_error=9)
    with pytest.raises(DeviceError, match=r"nvmlInit_v2 failed: Driver Not Loaded \(9\)"):
        open_gpu({}, nvml.path)
    nvml.set(init_error=0, devices=0)
    with pytest.raises(DeviceError, match="the driver sees no GPU"):
        open_gpu({}, nvml.path)
    with pytest.raises(DeviceError, match="cannot be loaded"):
        open_gpu({}, str(tmp_path / "none.so"))
    with pytest.raises(DeviceError, match="nvmlInit_v2 failed: this driver has no such function"):
        open_gpu({}, "libc.so.6")
