"""What is advised and found before a measurement."""

from __future__ import annotations

import pytest

from edgekit.core.jetson_clocks import ClockRange
from edgekit.core.machine import MachineReadings
from edgekit.core.meminfo import Swap
from edgekit.core.nvpmodel import PowerMode
from edgekit.core.power_mode_choice import ModeChoice
from edgekit.core.preflight import Preflight, Setting
from edgekit.core.preflight_rules import (
    Surroundings,
    clocks_locked_of,
    clocks_setting,
    compose_preflight,
    fan_setting,
    governor_setting,
    power_mode_setting,
)
from edgekit.core.processor_load import OtherLoad

MAXN, W25, W15 = PowerMode(0, "MAXN"), PowerMode(3, "25W"), PowerMode(2, "15W")
OPEN, HELD = ClockRange("policy0", 729600, 1984000), ClockRange("GPU", 918000000, 918000000)


def test_the_strongest_mode_is_as_it_should_be() -> None:
    """No advice where there is nothing to do; "" is what tables leave out."""
    assert power_mode_setting("MAXN", ModeChoice(MAXN, MAXN)) == Setting("power_mode", "MAXN")
    assert power_mode_setting(None, ModeChoice(None, MAXN)) == Setting("power_mode", None)


def test_advice_names_the_number_and_the_restart() -> None:
    """Modes go by name, the program by number; a restart is not to come as a surprise."""
    assert power_mode_setting("25W", ModeChoice(MAXN, MAXN)).advice.endswith("MAXN: sudo nvpmodel -m 0")
    advice = power_mode_setting("10W", ModeChoice(W15, MAXN)).advice
    assert "sudo nvpmodel -m 0, which needs a restart" in advice and "15W: sudo nvpmodel -m 2" in advice


@pytest.mark.parametrize(
    ("clocks", "value", "locked"),
    [((HELD, OPEN), "vary", False), ((HELD,), "locked", True), ((), None, None)],
    ids=["one varies", "all held", "not readable"],
)
def test_clocks_count_as_locked_only_if_all_are(clocks, value, locked) -> None:
    """ "Could not be read" stays apart from "vary": Conditions compare by it."""
    setting = clocks_setting(clocks, lockable=True)
    assert setting.value == value and bool(setting.advice) is (value == "vary")
    assert clocks_locked_of(Preflight((setting,))) is locked


def test_nobody_is_told_to_run_a_program_that_is_not_there() -> None:
    """A PC has no jetson_clocks."""
    assert clocks_setting((OPEN,), lockable=False) == Setting("clocks", "vary")
    assert governor_setting(["schedutil"], ["schedutil"]).advice == ""


def test_groups_of_processors_may_differ_in_their_governor() -> None:
    """One at performance does not make the machine so."""
    setting = governor_setting(["performance", "schedutil", "performance"], ["performance", "schedutil"])
    assert setting.value == "performance, schedutil" and "edgekit bench --tune" in setting.advice
    assert governor_setting(["performance"], ["performance"]) == Setting("governor", "performance")
    assert governor_setting([], []) == Setting("governor", None)


def test_a_quiet_fan_matters_only_near_the_limit() -> None:
    """A fan that turns by temperature is as it should be, until the device is about to slow down."""
    assert fan_setting(88, 40.0) == Setting("fan", "88 of 255")
    assert fan_setting(88, 4.0).advice and not fan_setting(255, 4.0).advice
    assert fan_setting(255) == Setting("fan", "full") and fan_setting(None) == Setting("fan", None)


def test_findings_come_worst_first() -> None:
    """Who reads one line reads the one that spoils the figures most."""
    around = Surroundings(
        OtherLoad(34.4, ("chrome", "cc1plus")),
        MachineReadings(temperature_c=91.0, throttling=("cpu-throttle-alert",), memory_available_mib=412),
        (Swap("/dev/zram0", 1024, 812), Swap("/dev/zram1", 1024, 3)),
        ("python3 (process 4711)",),
    )
    found = compose_preflight([clocks_setting((OPEN,), lockable=True)], around, ("fan",))
    words = [
        "cpu-throttle-alert",
        "34 % of the processors (chrome, cc1plus)",
        "python3 (process 4711)",
        "412 MiB",
        "812 MiB",
    ]
    assert all(word in sentence for word, sentence in zip([*words, "clocks vary: lock them"], found.findings))
    assert len(found.findings) == 6
    assert (found.busy_pct, found.memory_available_mib, found.temperature_c, found.tuned) == (34.4, 412, 91.0, ("fan",))


def test_a_quiet_cool_machine_has_no_findings() -> None:
    """Advice that always comes is advice that nobody reads; and what is not measured is no finding either."""
    cool = Surroundings(OtherLoad(1.2), MachineReadings(headroom_c=45.0, memory_available_mib=6000))
    assert compose_preflight([Setting("governor", "performance")], cool).findings == ()
    assert compose_preflight([], Surroundings()) == Preflight()


def test_a_hot_start_is_told_before_it_throttles() -> None:
    """Six degrees short of its limit a board reaches it within the measurement."""
    found = compose_preflight([], Surroundings(machine=MachineReadings(headroom_c=6.0, limiting_zone="tj-thermal")))
    assert "tj-thermal is 6 °C short" in found.findings[0]
