"""What a result says of the machine it was measured on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.disturbances import MachineSample
from edgekit.core.machine_samples import MachineSamples
from edgekit.core.power_curve import PowerSample, curve_of_samples
from edgekit.core.results import Energy, MachineRun
from edgekit.core.wire import from_wire, to_wire


def machine(second, **values):
    return MachineSample(t_s=float(second), **values)


POWER = [PowerSample(step / 10, 4.0 if step < 20 else 12.0, {"VDD_IN": 12.0}) for step in range(101)]
RUN = MachineSamples(
    power=curve_of_samples(POWER),
    machine=(
        machine(0, temperature_c=99.0, hottest_zone="gpu", gpu_load_pct=100.0, memory_available_mib=1),
        machine(
            3, temperature_c=50.0, hottest_zone="cpu", gpu_load_pct=40.0, gpu_clock_mhz=600.0, process_memory_mib=70
        ),
        machine(5, memory_available_mib=900, gpu_memory_mib=300),
        machine(
            7,
            temperature_c=61.5,
            hottest_zone="tj",
            gpu_load_pct=60.0,
            gpu_clock_mhz=1020.0,
            gpu_memory_mib=310,
            memory_available_mib=850,
        ),
        machine(12, temperature_c=99.0, throttling=("tj-throttle-alert",)),
    ),
    windows=((3.5, 6.0), (6.0, 6.5)),
    every_s=0.1,
    of="module input",
    sensor="INA3221",
    choice=("power is measured by INA3221: module input",),
)


def test_the_figures_are_those_of_the_counted_time():
    """Building before and cooling after would be in them."""
    assert RUN.machine_run() == MachineRun(
        temperature_start_c=50.0,
        temperature_max_c=61.5,
        hottest_zone="tj",
        gpu_utilisation_pct=50.0,
        gpu_memory_peak_mib=310,
        memory_available_low_mib=850,
        gpu_clock_mhz=(600.0, 1020.0),
    )
    assert RUN.disturbances() == ()
    assert RUN.notes() == RUN.choice


def test_energy_knows_its_frames_and_the_idle_power():
    """Joules a frame are what the power is measured for."""
    idle_w = RUN.mean_watts((0.5, 1.5))
    energy = RUN.energy(60, idle_w)
    assert idle_w == pytest.approx(4.0)
    assert (energy.of, energy.sensor) == ("module input", "INA3221")
    assert energy.joules_per_frame == pytest.approx(0.6)
    assert energy.joules_per_frame_above_idle == pytest.approx(0.4)
    assert from_wire(Energy, json.loads(json.dumps(to_wire(energy), allow_nan=False)), "it") == energy


def test_a_part_of_a_soak_knows_its_heat_and_memory_and_not_those_of_long_before():
    """A trend over figures that stood still would say that nothing leaks."""
    assert (RUN.temperature_at(4.9), RUN.memory_at(4.9)) == (50.0, 70)
    assert RUN.temperature_at(5.5) is None
    assert RUN.temperature_at(11.9) == 61.5
    assert RUN.temperature_at(24.1) is None
    assert RUN.temperature_at(-1.0) is None
    assert RUN.temperature_at(40.0) is None


def test_a_machine_without_sensors_has_no_figures_and_no_zeros():
    """0 W would be the best machine of all."""
    nothing = MachineSamples(windows=((1.0, 2.0),), choice=("power is not measured",))
    assert nothing.machine_run() == MachineRun()
    assert nothing.energy(10) is None
    assert nothing.mean_watts((1.0, 2.0)) is None
    assert nothing.disturbances() == ()
    assert nothing.notes() == ("power is not measured",)


def test_missing_samples_are_told():
    """An energy that is half a guess must not look like the others."""
    lost = MachineSamples(power=curve_of_samples(POWER[:30]), windows=RUN.windows, every_s=0.1, sensor="INA3221")
    assert lost.energy(60) is None
    assert lost.notes() == (
        "the power sensor missed several samples once: it gave nothing for up to 3.6 s",
        "nobody looked at heat and clocks at the end: what disturbed the run is not known",
    )
    assert replace(lost, power=RUN.power, machine=RUN.machine).notes() == ()
