"""What a board draws, by the rule of each kind, against rails as its users published them."""

from __future__ import annotations

import pytest

from edgekit.core.boards import BOARDS
from edgekit.core.machine import Rail
from edgekit.core.power_rails import (
    BoardPower,
    DomainPower,
    RailReading,
    board_power,
    processor_power,
    watts_between,
)


def rails(**milliwatts):
    """Supplies by their power alone; a name may hold any of a board's letters."""
    return [RailReading(name, milliwatts=power) for name, power in milliwatts.items()]


# Rails of lines of tegrastats from these boards, and what a person adds up from them.
BOARD_RAILS = [
    ("nano-4gb", rails(POM_5V_IN=1750, POM_5V_GPU=0, POM_5V_CPU=366), 1.750, "module input"),
    ("tx2", rails(VDD_SYS_GPU=152, VDD_SYS_SOC=687, VDD_4V0_WIFI=0, VDD_IN=3056), 3.056, "module input"),
    ("xavier-nx", rails(VDD_IN=4067, VDD_CPU_GPU_CV=738, VDD_SOC=1353), 4.067, "module input"),
    ("orin-nano-8gb", rails(VDD_IN=16321, VDD_CPU_GPU_CV=7104, VDD_SOC=3120), 16.321, "module input"),
    ("orin-nx-8gb", rails(VDD_IN=13195, VDD_CPU_GPU_CV=6976, VDD_SOC=2037), 13.195, "module input"),
    ("agx-xavier", rails(GPU=0, CPU=311, SOC=932, CV=0, VDDRQ=621, SYS5V=1482), 3.346, "sum of the module's rails"),
    ("agx-orin-64gb", rails(VDD_GPU_SOC=2340, VDD_CPU_CV=390, VIN_SYS_5V0=4025, NC=0, VDDQ_VDD2_1V8AO=301), 6.755,
     "sum of the module's rails"),
    ("agx-thor-t5000", rails(VDD_GPU=1962, VDD_CPU_SOC_MSS=5887, VIN_SYS_5V0=5635, VIN=19780), 19.780, "board input"),
    ("agx-thor-t5000", rails(VDD_GPU=0, VDD_CPU_SOC_MSS=4165, VIN_SYS_5V0=4126), 8.291,
     "module rails, not the board's input"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "readings", "watts", "watts_of"), BOARD_RAILS)
def test_each_kind_of_board_is_added_up_by_its_own_rule(module, readings, watts, watts_of):
    """Adding every rail counts power twice on an AGX Orin, and three times on a Nano."""
    power = board_power(module, readings)
    assert power.watts == pytest.approx(watts)
    assert power.watts_of == watts_of
    assert sum(rail.milliwatts for rail in power.rails if rail.total) == pytest.approx(watts * 1000)


def test_every_jetson_that_is_known_has_a_rule():
    """A board that is added to the table would have no watts, and nobody would ask why."""
    every = rails(
        **dict.fromkeys(("VIN", "VDD_IN", "POM_5V_IN", "VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), 1000.0),
        **dict.fromkeys(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"), 1000.0),
    )
    without = [board.module for board in BOARDS if board_power(board.module, every).watts is None]
    assert without == ["igx-orin"]  # its rails are not known


@pytest.mark.parametrize("module", ["tegra234-p9998-0000", None])
def test_a_board_without_a_rule_has_rails_and_no_total(module):
    """Which of them contain others is not known."""
    assert board_power(module, rails(VDD_IN=5000)) == BoardPower(None, "", (Rail("VDD_IN", 5000.0),))


def test_power_is_volts_by_amps():
    """Millivolts by milliamps are microwatts; a thousandfold error looks like a plausible figure of another board."""
    power = board_power("orin-nano-8gb", [RailReading("VDD_IN", 4968, 1165)])
    assert power.rails == (Rail("VDD_IN", 4968 * 1165 / 1000, True),)
    assert power.watts == pytest.approx(5.78772)


@pytest.mark.parametrize(
    "reading", [RailReading("VDD_IN"), RailReading("VDD_IN", 5000), RailReading("VDD_IN", None, 9)]
)
def test_half_a_reading_is_none(reading):
    """A rail without a current would draw 0 W."""
    assert board_power("orin-nano-8gb", [reading]) == BoardPower()


def test_channels_that_measure_nothing_are_no_rails():
    """The sum of shunt voltages is a voltage; NC is not connected."""
    readings = [RailReading("NC", 0, 0), RailReading("sum of shunt voltages", 3, 0), RailReading("", 1, 1)]
    assert board_power("agx-orin-64gb", readings) == BoardPower()


def test_energy_between_two_readings_is_power():
    """Also where the counter wraps around; not where it begins again, and not in no time."""
    assert watts_between(1_000_000, 31_000_000, 262_143_328_850, 2.0) == pytest.approx(15.0)
    assert watts_between(262_143_000_000, 14_671_150, 262_143_328_850, 1.0) == pytest.approx(15.0)
    assert watts_between(5_000_000_000, 0, 262_143_328_850, 1.0) is None
    assert watts_between(300_000_000_000, 0, 262_143_328_850, 1.0) is None
    assert watts_between(0, 1, 10, 0.0) is None


def test_a_pc_is_its_packages_and_says_so():
    """A second processor would be left out, or the memory's part counted twice."""
    power = processor_power(
        [DomainPower("package-0", 15.0, 7.0), DomainPower("psys", 40.0, 90.0), DomainPower("package-1", 20.0, 3.0)]
    )
    assert (power.watts, power.watts_of, power.joules) == (35.0, "processor packages, not the whole machine", 10.0)
    first = processor_power([DomainPower("package-0", None, 0.0)])
    assert (first.watts, first.watts_of, first.joules) == (None, "processor packages, not the whole machine", 0.0)
    half = processor_power([DomainPower("package-0", 15.0, 7.0), DomainPower("package-1")])
    assert (half.watts, half.watts_of, half.joules) == (None, "", None)
    assert processor_power([DomainPower("psys", 40.0, 90.0)]).watts is None
    assert processor_power([]) == BoardPower()
