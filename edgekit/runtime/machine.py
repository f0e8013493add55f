"""How this device fares, read from the kernel's files: heat, power, memory, the GPU's load, the power mode."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Tuple

from edgekit.core.boards import identify_board
from edgekit.core.machine import MachineReadings
from edgekit.core.thermal import hottest_zone, nearest_to_limit
from edgekit.errors import EdgekitError
from edgekit.runtime.limits import memory_mib
from edgekit.runtime.power_mode_watch import PowerModeWatch
from edgekit.runtime.power_sensors import PowerSensors, find_power_sensors
from edgekit.runtime.sysfs import found, number_in, text_of
from edgekit.runtime.thermal_sensors import ThermalSensors, find_thermal_sensors

_DEVICE_TREES = ("sys/firmware/devicetree/base", "proc/device-tree")
# Where the GPU's driver says how busy it is, in thousandths. Thor's does not; NVML would.
_GPU_LOADS = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/class/devfreq/*.gpu/device/load",
    "sys/class/devfreq/*.g[apv][0-9]*b/device/load",
    "sys/devices/platform/17000000.gpu/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
)
# A driver that is loaded late, or again under another number, is found within that time.
_FIND_EVERY_S = 60.0


@dataclass(frozen=True)
class _Sensors:
    found_s: float
    thermal: ThermalSensors
    power: PowerSensors
    gpu_load: Optional[Path]


class MachineReader:
    """Reads the same few files each time. One thread at a time may use it.

    Reading never fails and never waits for a program: what cannot be read is None, or left out.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        """root: where the device's files are; clock: of seconds that only go forward."""
        self._root = root
        self._clock = clock
        self._sensors: Optional[_Sensors] = None
        self._power_mode = PowerModeWatch(root)

    def read(self) -> MachineReadings:
        """One look at the device."""
        now_s = self._clock()
        sensors = self._find(now_s)
        zones, power = sensors.thermal.read_zones(), sensors.power.read(now_s)
        hottest, nearest = hottest_zone(zones), nearest_to_limit(zones)
        total_mib, available_mib = self._memory()
        return MachineReadings(
            temperature_c=hottest.temperature_c if hottest else None,
            hottest_zone=hottest.name if hottest else "",
            limit_c=hottest.limit_c if hottest else None,
            throttling=sensors.thermal.read_alerts(),
            watts=power.watts,
            rails=power.rails,
            memory_total_mib=total_mib,
            memory_available_mib=available_mib,
            gpu_load_pct=_load_pct(sensors.gpu_load),
            power_mode=self._power_mode.mode(now_s),
            headroom_c=nearest[1] if nearest else None,
            limiting_zone=nearest[0].name if nearest else "",
            watts_of=power.watts_of,
        )

    def _find(self, now_s: float) -> _Sensors:
        before = self._sensors
        if before is not None and now_s - before.found_s < _FIND_EVERY_S:
            return before
        power = find_power_sensors(self._root, _module(self._root))
        if before is not None and before.power.counters and power.counters:
            power = before.power  # counters remember the reading before
        loads = [path for pattern in _GPU_LOADS for path in found(self._root, pattern)]
        self._sensors = _Sensors(now_s, find_thermal_sensors(self._root), power, loads[0] if loads else None)
        return self._sensors

    def _memory(self) -> Tuple[Optional[int], Optional[int]]:
        with suppress(EdgekitError, OSError, ValueError):
            return memory_mib(self._root)
        return None, None


def _module(root: Path) -> Optional[str]:
    for tree in _DEVICE_TREES:
        compatible = text_of(root / tree / "compatible")
        if compatible:
            board = identify_board(compatible, text_of(root / tree / "model") or "")
            return board.module if board else None
    return None


def _load_pct(path: Optional[Path]) -> Optional[float]:
    thousandths = number_in(path) if path is not None else None
    return None if thousandths is None or not 0 <= thousandths <= 1000 else thousandths / 10
