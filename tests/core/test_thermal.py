"""Heat, from the kernel's thermal zones as Orin, Xavier and Thor boards have them."""

from __future__ import annotations

from edgekit.core.thermal import ThermalZone, parse_counters, parse_zones, throttling_alerts


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
