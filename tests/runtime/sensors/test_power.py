"""Which power sensor of a machine is taken, on trees of every kind of board, and the energy counters of a PC."""

from __future__ import annotations

import pytest

from edgekit.core.power_choice import INA, NVML, RAPL, TEGRASTATS
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.power import open_power_source
from edgekit.runtime.sensors.rapl import find_rapl
from tests.machine_trees import tree_of, write

LINE = "RAM 1/2MB CPU [1%@1] VDD_IN 5000mW/5000mW VDD_CPU_GPU_CV 773mW/773mW VDD_SOC 1424mW/1424mW"


def no_gpu():
    raise DeviceError("libnvidia-ml.so.1 cannot be loaded")


def opened(root):
    source, trials = open_power_source(root, 0.1, no_gpu, 0.0)
    return source, {trial.kind: trial.against for trial in trials}


@pytest.mark.parametrize(
    ("machine", "name", "of", "step_w"),
    [
        ("nano-4gb-jetpack-4", "INA3221", "module input", 0.0),
        ("agx-xavier-jetpack-4", "INA3221", "sum of the module's rails", 0.0),
        ("xavier-nx-jetpack-5", "INA3221", "module input", 0.0),
        ("agx-orin-64gb-jetpack-5", "INA3221", "sum of the module's rails", 0.0),
        ("orin-nx-16gb-jetpack-6", "INA3221", "module input", 0.04),
        ("agx-thor-jetpack-7", "INA238", "board input", 0.0),
    ],
)
def test_a_board_is_measured_by_its_own_monitors(machine, name, of, step_w, tmp_path):
    """The name of the sensor is part of what a figure means; 8 mA at 5 V are 40 mW."""
    source, against = opened(tree_of(machine, tmp_path))
    assert (source.name, source.read(0.0).watts_of) == (name, of)
    assert source.limits.step_w == pytest.approx(step_w)
    assert against == {INA: ""}
    source.close()


def test_a_thor_without_a_monitor_of_its_input_names_the_one_it_has(tmp_path):
    """INA238 would promise the board's input."""
    root = tree_of("agx-thor-jetpack-7", tmp_path)
    (root / "sys/class/hwmon/hwmon5").unlink()
    (root / "sys/bus/i2c/drivers/ina238/2-0044").unlink()
    assert opened(root)[0].name == "INA3221"


def tegrastats(root):
    write(root, "usr/bin/tegrastats", f"#!/bin/sh\nwhile :; do echo '{LINE}'; sleep 0.1; done\n")
    (root / "usr/bin/tegrastats").chmod(0o755)


def without_monitors(root):
    (root / "sys/class/hwmon/hwmon1").unlink()
    (root / "sys/bus/i2c/drivers/ina3221/1-0040").unlink()
    return root


def test_where_the_monitors_cannot_be_read_tegrastats_is_asked(tmp_path):
    """A container has the program and not the files."""
    root = without_monitors(tree_of("orin-nano-8gb-jetpack-6", tmp_path))
    tegrastats(root)
    source, against = opened(root)
    assert (source.name, against) == ("tegrastats", {INA: "not there", TEGRASTATS: ""})
    source.close()


def test_where_there_is_nothing_the_reasons_are_told(tmp_path):
    """Not measured, and what to do about it."""
    root = without_monitors(tree_of("orin-nano-8gb-jetpack-6", tmp_path))
    source, against = opened(root)
    assert source is None
    assert against == {
        INA: "not there",
        TEGRASTATS: "tegrastats cannot be started: No such file or directory",
        NVML: "libnvidia-ml.so.1 cannot be loaded",
        RAPL: "not there",
    }


def test_a_board_that_nobody_knows_is_not_added_up_by_guess(tmp_path):
    """Its rails may contain one another."""
    root = tree_of("orin-nano-8gb-jetpack-6", tmp_path)
    write(root, "sys/firmware/devicetree/base/compatible", "nvidia,p9999-0001\0nvidia,tegra234\0")
    source, against = opened(root)
    assert source is None
    assert against[INA] == "no rule says which of VDD_IN, VDD_CPU_GPU_CV, VDD_SOC are the whole board"


def counted(root, *package_uj):
    for number, microjoules in enumerate(package_uj):
        write(root, f"sys/class/powercap/intel-rapl:{number}/energy_uj", f"{microjoules}\n")


def test_energy_counters_are_read_without_a_gap_also_around_their_wrap(tmp_path):
    """They wrap once every half an hour under load; a run would cost minus 200 kJ."""
    root = tree_of("pc", tmp_path)
    last_uj = 262143328850
    counted(root, last_uj - 4_000_000)
    source, against = opened(root)
    assert (source.name, against[RAPL]) == ("RAPL", "")
    assert source.limits.tick_s == 0.001
    counted(root, last_uj - 1_000_000)
    assert source.read(0.2).joules == pytest.approx(3.0)
    counted(root, 2_000_000)
    power = source.read(0.4)
    assert power.joules == pytest.approx(6.0)
    assert power.watts == pytest.approx(15.0)
    assert source.read(0.4001).joules == pytest.approx(6.0)
    counted(root, 2_400_000)  # a step of a busy server right after another is no 4000 W, and no new beginning
    assert source.read(0.4002).joules == pytest.approx(6.4)


def test_an_energy_counter_that_was_set_back_begins_again(tmp_path):
    """The difference would be anything; without a joules of this reading the energy falls back to the watts."""
    root = tree_of("pc", tmp_path)
    source = find_rapl(root)
    source.read(0.0)
    counted(root, 1_010_000_000)
    assert source.read(1.0).joules == pytest.approx(10.0)
    counted(root, 5)
    assert source.read(2.0).joules == 0.0
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    assert source.read(3.0).joules is None
    counted(root, 5_000_005)
    assert source.read(4.0).joules == 0.0
    assert source.read(4.0).watts is None
