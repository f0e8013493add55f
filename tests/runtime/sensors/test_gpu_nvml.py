"""The driver of a real GPU, by NVML: its figures are those of a GPU, and agree with one another and with nvidia-smi."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.memory import DeviceBuffer
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.sensors.nvml import NvmlSource, open_gpu
from edgekit.runtime.sensors.sampler import MachineSampler

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu():
    """Its driver; skips where there is none."""
    try:
        opened = open_gpu()
    except DeviceError as error:
        pytest.skip(error.what)
    with closing(opened):
        yield opened


@pytest.fixture
def copying():
    """Call it to keep the GPU busy for so many seconds."""
    owner = OwnerThread()
    first, second = (owner.call(lambda: DeviceBuffer(1 << 28)) for _ in range(2))
    stream = owner.call(driver.make_stream)

    def copies(count):
        for _ in range(count):
            driver.copy_on_device(second.pointer, first.pointer, first.nbytes, stream)
        driver.stream_synchronise(stream)

    def run(seconds):
        started_s = time.monotonic()
        while time.monotonic() - started_s < seconds:
            owner.call(lambda: copies(20))

    yield run
    for buffer in (first, second):
        owner.call(buffer.free)
    owner.close()


def smi(*names):
    command = ["nvidia-smi", f"--query-gpu={','.join(names)}", "--format=csv,noheader,nounits", "-i", "0"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [float(text) for text in done.stdout.decode().splitlines()[0].split(",")]


def test_the_figures_of_a_real_gpu_are_those_that_nvidia_smi_tells(gpu):
    """A function whose units or order of arguments were read wrongly gives numbers all the same."""
    power_w, temperature_c = smi("power.draw", "temperature.gpu")
    assert gpu.power_w() == pytest.approx(power_w, rel=0.25)
    assert gpu.temperature_c() == pytest.approx(temperature_c, abs=5)
    assert 0 <= gpu.load_pct() <= 100
    assert gpu.clock_reasons() is not None


def test_a_busy_gpu_draws_more_than_an_idle_one_and_runs_at_a_higher_clock(gpu, copying):
    """Figures that do not move are of another GPU, or of none."""
    time.sleep(2)
    idle_w, idle_j, began_s = gpu.power_w(), gpu.energy_j(), time.monotonic()
    copying(3)
    busy_w, took_s = gpu.power_w(), time.monotonic() - began_s
    assert busy_w > idle_w * 1.2
    assert gpu.load_pct() > 50
    assert gpu.clock_mhz() > 500
    assert idle_w * 0.8 < (gpu.energy_j() - idle_j) / took_s < busy_w * 1.2


def test_a_process_sees_its_own_memory_on_the_gpu_or_says_that_it_does_not(gpu, copying):
    """512 MiB were taken above; a container that hides process numbers leaves it unknown, never 0."""
    held_mib = gpu.process_memory_mib()
    assert held_mib is None or held_mib >= 512


def test_samples_beside_a_busy_gpu_add_up_to_what_its_counter_says(gpu, copying):
    """Joules for each frame are made of this sum."""
    with MachineSampler(0.1) as sampler:
        copying(1)
        sampler.look()
        first_j, began_s = gpu.energy_j(), time.monotonic()
        copying(4)
        last_j, ended_s = gpu.energy_j(), time.monotonic()
        sampler.look()
        sampler.mark(began_s, ended_s)
        samples = sampler.stop()
    energy = samples.energy(0)
    assert samples.sensor == "NVML"
    assert samples.of == "GPU board"
    assert energy.joules == pytest.approx(last_j - first_j, rel=0.1)


def test_a_source_counts_from_when_it_was_made(gpu, copying):
    """The driver's own counter began when it was loaded."""
    source = NvmlSource(gpu)
    copying(1)
    assert 0 < source.read(0.0).joules < 2000
