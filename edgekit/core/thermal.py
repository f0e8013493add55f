"""How hot a device is and whether it slows itself down for it, from the kernel's thermal zones.

Source: JetPack 5 to 7 devices. Zones that are switched off give no temperature, or -256 degrees; PMIC says
50 or 100 degrees whatever happens. A cooling device named *-throttle-alert is above 0 while the chip throttles;
oc1_event_cnt of soctherm counts under-voltage since the start, oc2 and oc3 over-current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

_OFF_C = -40.0


@dataclass(frozen=True)
class ThermalZone:
    """A part of the chip. critical_c: where the device switches itself off, None if it does not say."""

    name: str
    temperature_c: float
    critical_c: Optional[float] = None

    @property
    def placeholder(self) -> bool:
        """True for a zone that always says the same."""
        return self.name.startswith("PMIC")


def parse_zones(text: str) -> Tuple[ThermalZone, ...]:
    """Lines "NAME<TAB>MILLIDEGREES<TAB>CRITICAL" of bootstrap/collect.py; zones that are off are left out."""
    zones = []
    for line in text.splitlines():
        name, temperature, critical = [*line.split("\t"), "", "", ""][:3]
        degrees, limit = _celsius(temperature), _celsius(critical)
        if degrees is not None and degrees > _OFF_C:
            zones.append(ThermalZone(name, degrees, limit))
    return tuple(zones)


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
