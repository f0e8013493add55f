"""How hot a device is and whether it slows itself down for it, from the kernel's thermal zones.

Source: JetPack 5 to 7 devices. Zones that are switched off give no temperature, or -256 degrees; PMIC says
50 or 100 degrees whatever happens. A cooling device named *-throttle-alert is above 0 while the chip throttles;
oc1_event_cnt of soctherm counts under-voltage since the start, oc2 and oc3 over-current.
Trip points are the kernel's: "active" starts a fan, "passive" slows the chip down, "hot" tells a driver to, "critical"
switches the device off. PCs write -274 or 0 degrees where a trip point is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Tuple

_OFF_C = -40.0
_ABSURD_C = 200.0
_LIMITS_C = (40.0, 150.0)  # a trip point outside is one that is not used
_BEFORE_CRITICAL_C = 10.0


@dataclass(frozen=True)
class ThermalZone:
    """A part of the chip, and where the device slows down for it, acts, and switches itself off; None: not said."""

    name: str
    temperature_c: float
    critical_c: Optional[float] = None
    passive_c: Optional[float] = None  # the lowest of several
    hot_c: Optional[float] = None

    @property
    def placeholder(self) -> bool:
        """True for a zone that always says the same."""
        return self.name.startswith("PMIC")

    @property
    def limit_c(self) -> Optional[float]:
        """Where it begins to slow the device down, or else 10 degrees below where it switches it off."""
        if self.passive_c is not None:
            return self.passive_c
        last_c = None if self.critical_c is None else self.critical_c - _BEFORE_CRITICAL_C
        known_c = [limit_c for limit_c in (self.hot_c, last_c) if limit_c is not None]
        return min(known_c, default=None)


def parse_zones(text: str) -> Tuple[ThermalZone, ...]:
    """Lines "NAME<TAB>MILLIDEGREES<TAB>CRITICAL" of bootstrap/collect.py; zones that are off are left out."""
    zones = []
    for line in text.splitlines():
        name, temperature, critical = [*line.split("\t"), "", "", ""][:3]
        degrees, limit = _celsius(temperature), _celsius(critical)
        if degrees is not None and degrees > _OFF_C:
            zones.append(ThermalZone(name, degrees, limit))
    return tuple(zones)


def parse_zone(name: str, temperature: str, trips: Iterable[Tuple[str, str]]) -> Optional[ThermalZone]:
    """A zone of /sys/class/thermal by the texts of its files; None if it is off or says what cannot be.

    trips: (type, temperature) of its trip points, in any order.
    """
    degrees = _celsius(temperature)
    if degrees is None or not _OFF_C < degrees < _ABSURD_C:
        return None
    limits: Dict[str, List[float]] = {}
    for kind, text in trips:
        limit = _celsius(text)
        if limit is not None and _LIMITS_C[0] <= limit <= _LIMITS_C[1]:
            limits.setdefault(kind.strip(), []).append(limit)
    critical, passive, hot = (min(limits.get(kind, ()), default=None) for kind in ("critical", "passive", "hot"))
    return ThermalZone(name.strip(), degrees, critical, passive, hot)


def hottest_zone(zones: Iterable[ThermalZone]) -> Optional[ThermalZone]:
    """The hottest of those that measure; None if none does."""
    measured = [zone for zone in zones if not zone.placeholder]
    return max(measured, key=lambda zone: zone.temperature_c, default=None)


def nearest_to_limit(zones: Iterable[ThermalZone]) -> Optional[Tuple[ThermalZone, float]]:
    """(zone, degrees below its limit) of the one with the fewest left; None if none names a limit."""
    left = [
        (zone, zone.limit_c - zone.temperature_c) for zone in zones if not zone.placeholder and zone.limit_c is not None
    ]
    return min(left, key=lambda pair: pair[1], default=None)


def parse_counters(text: str) -> Dict[str, int]:
    """Lines "NAME<TAB>NUMBER": states of cooling devices, counts of events."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def throttling_alerts(counters: Dict[str, int]) -> Tuple[str, ...]:
    """The thermal alerts that are on."""
    return tuple(name for name, state in counters.items() if name.endswith("throttle-alert") and state > 0)


def _celsius(text: str) -> Optional[float]:
    try:
        return int(text) / 1000
    except ValueError:
        return None
