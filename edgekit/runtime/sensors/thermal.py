"""The thermal zones and throttling alerts of a machine, from /sys/class/thermal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

from edgekit.core.thermal import ThermalZone, parse_zone, throttling_alerts
from edgekit.runtime.sensors.sysfs import found, number_in, text_of

_CLASS = "sys/class/thermal"
_ALERT = "throttle-alert"


@dataclass(frozen=True)
class _Zone:
    name: str
    temperature: Path
    trips: Tuple[Tuple[str, str], ...]


@dataclass(frozen=True)
class ThermalSensors:
    """The files to read, each known by its name."""

    zones: Tuple[_Zone, ...] = ()
    alerts: Tuple[Tuple[str, Path], ...] = ()

    def read_zones(self) -> Tuple[ThermalZone, ...]:
        """The zones that give a temperature now."""
        read = (parse_zone(zone.name, text_of(zone.temperature) or "", zone.trips) for zone in self.zones)
        return tuple(zone for zone in read if zone is not None)

    def read_alerts(self) -> Tuple[str, ...]:
        """The alerts that are on now."""
        return throttling_alerts({name: number_in(path) or 0 for name, path in self.alerts})


def find_thermal_sensors(root: Path) -> ThermalSensors:
    """The sensors that this machine has."""
    zones = [
        _Zone(text_of(folder / "type") or folder.name, folder / "temp", tuple(_trips(folder)))
        for folder in found(root, f"{_CLASS}/thermal_zone*")
    ]
    kinds = [(text_of(folder / "type") or "", folder) for folder in found(root, f"{_CLASS}/cooling_device*")]
    alerts = [(kind, folder / "cur_state") for kind, folder in kinds if kind.endswith(_ALERT)]
    return ThermalSensors(tuple(zones), tuple(alerts))


def _trips(zone: Path) -> List[Tuple[str, str]]:
    kinds = found(zone, "trip_point_*_type")
    return [(text_of(kind) or "", text_of(kind.with_name(kind.name[: -len("type")] + "temp")) or "") for kind in kinds]
