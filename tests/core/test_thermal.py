"""Heat, from the kernel's thermal zones as Orin, Xavier and Thor boards have them."""

from __future__ import annotations

import pytest

from edgekit.core.thermal import (
    ThermalZone,
    hottest_zone,
    nearest_to_limit,
    parse_counters,
    parse_zone,
    parse_zones,
    throttling_alerts,
)


def test_zones_that_are_off_are_left_out() -> None:
    """cv0-2 of an idle Orin cannot be read, and JetPack 5 said -256 degrees."""
    text = "cpu-thermal\t48500\t104500\ncv0-thermal\t\t104500\nGPU-therm\t-256000\t\ntj-thermal\t49100\t\n"
    assert parse_zones(text) == (ThermalZone("cpu-thermal", 48.5, 104.5), ThermalZone("tj-thermal", 49.1))


def test_zone_that_never_changes_is_known() -> None:
    """100 degrees of a PMIC would be an alarm for ever."""
    assert [zone.placeholder for zone in parse_zones("PMIC-Die\t100000\t\nCPU-therm\t46000\t")] == [True, False]


def test_alerts_that_are_on_are_named() -> None:
    """Counters of the power monitor are no alerts, and a state that cannot be read is no number."""
    counters = parse_counters("gpu-throttle-alert\t0\ntj-throttle-alert\t2\noc3_event_cnt\t5\ncv0-throttle-alert\t\n")
    assert counters == {"gpu-throttle-alert": 0, "tj-throttle-alert": 2, "oc3_event_cnt": 5}
    assert throttling_alerts(counters) == ("tj-throttle-alert",)


def test_the_lowest_trip_point_at_which_the_chip_slows_down_is_the_limit() -> None:
    """A fan's trip points would slow the cameras down at 51 degrees, and the critical one comes too late."""
    trips = [("active", "51000"), ("critical", "104500"), ("passive", "99000"), ("passive", "102000")]
    zone = parse_zone("cpu-thermal\n", "48500\n", trips)
    assert zone == ThermalZone("cpu-thermal", 48.5, 104.5, 99.0)
    assert zone.limit_c == 99.0


@pytest.mark.parametrize(
    ("trips", "limit_c"),
    [
        ([("critical", "114500")], 104.5),
        ([("hot", "100000"), ("critical", "105000")], 95.0),
        ([("hot", "85000"), ("critical", "105000")], 85.0),
        ([("hot", "85000")], 85.0),
        ([("active", "60000")], None),
        ([("passive", "-274000"), ("critical", "0")], None),
        ([("passive", "65535000"), ("hot", "")], None),
        ([], None),
    ],
)
def test_a_limit_comes_from_what_a_zone_says_and_from_nothing_else(trips, limit_c) -> None:
    """Trip points that are not used read -274 or 0 degrees; such a PC would always be too hot."""
    zone = parse_zone("x86_pkg_temp", "54000", trips)
    assert zone is not None
    assert zone.limit_c == limit_c


@pytest.mark.parametrize("temperature", ["", "-256000", "65535000", "hot", "48.5"])
def test_a_zone_that_is_off_or_says_what_cannot_be_is_none(temperature) -> None:
    """It would be the hottest of all, or freeze."""
    assert parse_zone("gpu-thermal", temperature, [("critical", "104500")]) is None


def test_placeholders_are_neither_hottest_nor_nearest_to_a_limit() -> None:
    """A PMIC that always says 100 degrees would stop every Nano."""
    zones = (
        ThermalZone("PMIC-Die", 100.0, 101.0),
        ThermalZone("AO-therm", 45.0),
        ThermalZone("CPU-therm", 40.0, 102.5),
    )
    hottest, nearest = hottest_zone(zones), nearest_to_limit(zones)
    assert hottest is not None
    assert hottest.name == "AO-therm"
    assert nearest is not None
    assert (nearest[0].name, nearest[1]) == ("CPU-therm", 52.5)
    assert hottest_zone(zones[:1]) is None
    assert nearest_to_limit(zones[:2]) is None
