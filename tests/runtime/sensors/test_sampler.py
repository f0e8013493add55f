"""Sampling beside a measurement: on trees of boards, a GPU's driver, and sensors that hang."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekit.core.results import MachineRun
from edgekit.runtime.sensors.sampler import MachineSampler
from edgekit.runtime.sensors.state import StateReader
from tests.fake_nvml import compiled
from tests.machine_trees import tree_of, write

NO_NVML = "/none.so"
CURRENT = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/curr1_input"
OVER_CURRENT = "sys/devices/platform/soctherm-oc-event/hwmon/hwmon2"
SOON_S = 20.0

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")


def until(condition):
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(0.01)


def sampling_threads():
    return [thread.name for thread in threading.enumerate() if thread.name in ("edgekit-power", "edgekit-state")]


def counted_run(sampler, looks=10):
    """A counted window in which power was sampled some times."""
    sampler.look()
    start_s, before = time.monotonic(), len(sampler.samples_so_far().power)
    until(lambda: len(sampler.samples_so_far().power) >= before + looks)
    end_s = time.monotonic()
    sampler.look()
    sampler.mark(start_s, end_s)
    return start_s, end_s


def test_a_board_is_sampled_while_frames_are_counted(tmp_path):
    """Power, heat and clocks of the run come from here and from nowhere else."""
    root = tree_of("orin-nx-16gb-jetpack-6", tmp_path)
    with MachineSampler(0.01, root, NO_NVML) as sampler:
        idle_start_s = time.monotonic()
        until(lambda: len(sampler.samples_so_far().power) > 5)
        idle_end_s = time.monotonic()
        sampler.look()
        write(root, CURRENT, "4000\n")
        start_s, end_s = counted_run(sampler)
        samples = sampler.stop()
    energy = samples.energy(100, samples.mean_watts((idle_start_s, idle_end_s)))
    assert (energy.of, energy.sensor, energy.idle_w) == ("module input", "INA3221", pytest.approx(13.2))
    assert energy.mean_w == pytest.approx(20.0)
    assert energy.joules == pytest.approx(20.0 * (end_s - start_s))
    assert energy.error_joules == pytest.approx(0.02 * (end_s - start_s), rel=0.01)
    assert energy.rails_w == pytest.approx({"VDD_IN": 20.0, "VDD_CPU_GPU_CV": 6.96, "VDD_SOC": 2.04})
    run = samples.machine_run()
    assert run == MachineRun(
        temperature_start_c=54.875,
        temperature_max_c=54.875,
        hottest_zone="gpu-thermal",
        gpu_utilisation_pct=60.0,
        memory_available_low_mib=8192,
        gpu_clock_mhz=(1173.0, 1173.0),
    )
    assert samples.disturbances() == ()
    assert samples.notes() == ("power is measured by INA3221: module input",)


def test_what_happens_in_the_run_disturbs_it(tmp_path):
    """A run in which the supply broke down must not be the slow engine's fault."""
    root = tree_of("orin-nx-16gb-jetpack-6", tmp_path)
    with MachineSampler(0.01, root, NO_NVML) as sampler:
        until(lambda: len(sampler.samples_so_far().machine) > 0)
        start_s = time.monotonic()
        write(root, f"{OVER_CURRENT}/oc1_event_cnt", "3\n")
        write(root, f"{OVER_CURRENT}/oc3_event_cnt", "9\n")
        write(root, "sys/class/thermal/cooling_device5/cur_state", "1\n")
        write(root, "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq", "1190400\n")
        write(root, "sys/devices/platform/bus@0/17000000.gpu/devfreq/17000000.gpu/max_freq", "918000000\n")
        seen = len(sampler.samples_so_far().machine)
        until(lambda: len(sampler.samples_so_far().machine) > seen + 1)
        sampler.mark(start_s, time.monotonic())
        disturbances = sampler.stop().disturbances()
    assert len(disturbances) == 5
    assert disturbances[0].startswith("the chip slowed itself down for heat")
    assert disturbances[1:] == (
        "its voltage was too low: a stronger power supply is due (oc1_event_cnt rose by 3)",
        "it drew more current than it may at a moment (oc3_event_cnt rose by 2)",
        "the clock limits of CPU policy4 changed: 729600-1984000 -> 729600-1190400",
        "the clock limits of GPU changed: 306000000-1173000000 -> 306000000-918000000",
    )


@contextmanager
def drawing(nvml, watts):
    """Its counter of energy goes on by so many watts."""
    begun_s, ended = time.monotonic(), threading.Event()

    def draw():
        while not ended.wait(0.002):
            nvml.set(energy_mj=int((time.monotonic() - begun_s) * watts * 1000))

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@needs_compiler
def test_a_pc_is_sampled_by_its_gpus_driver(tmp_path):
    """A GPU's own counter knows what was drawn between the samples too."""
    nvml = compiled(tmp_path)
    nvml.set(pid=os.getpid(), power_mw=100_000, reasons=0x4, energy_mj=0)
    with drawing(nvml, 100.0), MachineSampler(0.01, tree_of("pc", tmp_path), nvml.path) as sampler:
        start_s, end_s = counted_run(sampler, 30)
        samples = sampler.stop()
    energy = samples.energy(10)
    assert (energy.of, energy.sensor) == ("GPU board", "NVML")
    assert abs(energy.joules - 100.0 * (end_s - start_s)) <= energy.error_joules
    run = samples.machine_run()
    assert (run.gpu_utilisation_pct, run.gpu_memory_peak_mib, run.gpu_clock_mhz) == (87.0, 300, (1980.0, 1980.0))
    assert (run.temperature_max_c, run.hottest_zone) == (64.0, "GPU")
    assert samples.disturbances() == ()
    assert samples.notes()[1:] == ("the board's power monitors: not there", "tegrastats: not there")
    assert nvml.get("open") == 0


@needs_compiler
def test_a_gpu_that_protects_itself_disturbs_the_run(tmp_path):
    """Its figures are those of a hot GPU."""
    nvml = compiled(tmp_path)
    with MachineSampler(0.01, tree_of("pc", tmp_path), nvml.path) as sampler:
        counted_run(sampler)
        disturbances = sampler.stop().disturbances()
    assert disturbances == ("the GPU slowed itself down in 2 of 2 looks at it (heat, by the hardware)",)


@needs_compiler
def test_a_sensor_that_hangs_hangs_nobody(tmp_path):
    """A driver that does not come back would end the benchmark, hours of a soak included."""
    nvml = compiled(tmp_path)
    with MachineSampler(0.01, tree_of("pc", tmp_path), nvml.path) as sampler:
        until(lambda: len(sampler.samples_so_far().power) > 3)
        start_s = time.monotonic()
        nvml.set(hang=1)
        sampler.look()
        sampler.look()
        sampler.mark(start_s, time.monotonic() + 1.0)
        samples = sampler.stop()
    assert time.monotonic() - start_s < SOON_S
    assert samples.energy(10) is None
    nvml.set(hang=0)
    until(lambda: not sampling_threads())


def test_a_machine_without_any_sensor_is_not_measured(tmp_path):
    """0 W and 0 degrees would be the best machine of all."""
    with MachineSampler(0.01, tmp_path, NO_NVML) as sampler:
        until(lambda: sampling_threads() == ["edgekit-state"])
        sampler.look()
        sampler.mark(time.monotonic(), time.monotonic() + 0.01)
        samples = sampler.stop()
    assert (samples.energy(10), samples.mean_watts((0.0, 1.0)), samples.sensor) == (None, None, "")
    assert samples.machine_run() == MachineRun()
    assert samples.disturbances() == ()
    assert samples.notes() == (
        "power is not measured",
        "the board's power monitors: not there",
        "tegrastats: not there",
        "the GPU's driver (NVML): /none.so cannot be loaded",
        "the processor's energy counters (RAPL): not there",
    )


def test_energy_counters_of_a_pc_are_sampled_from_the_first_window_on(tmp_path):
    """Their first reading is no power: a run without an idle time would have no energy."""
    root = tree_of("pc", tmp_path)
    with MachineSampler(0.02, root, NO_NVML) as sampler:
        start_s, end_s = counted_run(sampler)
        samples = sampler.stop()
    assert samples.sensor == "RAPL"
    assert samples.energy(10).joules == 0.0  # of a counter that stands still
    assert samples.energy(10).sampled_s == pytest.approx(end_s - start_s, abs=1e-5)


def test_without_an_interval_nothing_is_sampled(tmp_path):
    """What sampling costs can only be measured against a run without it."""
    with MachineSampler(0.0, tree_of("orin-nx-16gb-jetpack-6", tmp_path)) as sampler:
        sampler.look()
        sampler.mark(1.0, 2.0)
        assert sampling_threads() == []
        assert len(sampler.stop().power) == 0
        assert sampler.stop().energy(1) is None


def test_threads_end_with_it_and_a_second_stop_gives_the_same(tmp_path):
    """A service that benches again and again would fill up with threads."""
    sampler = MachineSampler(0.01, tree_of("orin-nx-16gb-jetpack-6", tmp_path), NO_NVML)
    sampler.start()
    assert sorted(sampling_threads()) == ["edgekit-power", "edgekit-state"]
    sampler.mark(time.monotonic(), time.monotonic() + 0.001)
    time.sleep(0.001)
    first = sampler.stop()
    assert first.energy(1) is not None
    assert sampling_threads() == []
    assert sampler.stop().energy(1) == first.energy(1)
    assert len(sampler.stop().power) == len(first.power)


def test_this_process_and_its_memory_are_known_on_this_machine():
    """A leak in a soak is told by it."""
    sample = StateReader(Path("/")).read(time.monotonic())
    assert sample.process_memory_mib > 5
    assert sample.memory_available_mib > 0


@pytest.mark.timed
def test_sampling_ten_times_a_second_takes_no_processor_from_the_frames(tmp_path):
    """It would be part of what it measures. A look at a real board takes time on its bus, and none of the processor."""
    with MachineSampler(0.1, tree_of("orin-nx-16gb-jetpack-6", tmp_path), NO_NVML) as sampler:
        wall_s, used_s = time.monotonic(), time.process_time()
        until(lambda: len(sampler.samples_so_far().power) > 20 or time.sleep(0.2))
        share = (time.process_time() - used_s) / (time.monotonic() - wall_s)
    assert share < 0.02


def test_windows_that_follow_one_another_are_one(tmp_path):
    """A day of seconds would be a list that grows, and each of their edges an error."""
    sampler = MachineSampler(0.0, tmp_path)
    for second in range(1000):
        sampler.mark(float(second), second + 1.0)
    sampler.mark(2000.0, 2001.0)
    sampler.mark(1500.0, 1501.0)
    assert sampler.stop().windows == ((0.0, 1000.0), (2000.0, 2001.0), (1500.0, 1501.0))
