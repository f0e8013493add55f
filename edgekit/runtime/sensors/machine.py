"""How this device fares, read from the kernel's files: heat, power, memory, the GPU's load, the power mode."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Tuple

from edgekit.core.machine import MachineReadings
from edgekit.core.power_rails import BoardPower
from edgekit.core.thermal import hottest_zone, nearest_to_limit
from edgekit.errors import DeviceError, EdgekitError
from edgekit.runtime.limits import memory_mib
from edgekit.runtime.sensors.board import find_module
from edgekit.runtime.sensors.gpu_load import find_gpu_load, load_pct
from edgekit.runtime.sensors.ina import find_ina
from edgekit.runtime.sensors.nvml import Gpu, NvmlSource, driver_of, open_gpu
from edgekit.runtime.sensors.power import PowerSource
from edgekit.runtime.sensors.power_mode_watch import PowerModeWatch
from edgekit.runtime.sensors.rapl import RaplSource, find_rapl
from edgekit.runtime.sensors.thermal import ThermalSensors, find_thermal_sensors

# A driver that is loaded late, or again under another number, is found within that time.
_FIND_EVERY_S = 60.0


@dataclass(frozen=True)
class _Sensors:
    found_s: float
    thermal: ThermalSensors
    power: Optional[PowerSource]
    gpu_load: Optional[Path]


class MachineReader:
    """Reads the same few files each time. One thread at a time may use it.

    Reading never fails and never waits for a program: what cannot be read is None, or left out.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        """root: where the device's files are; clock: of seconds that only go forward.

        The driver of the GPU is asked for what no file tells, but only where root is /: it is of this machine.
        """
        self._root = root
        self._clock = clock
        self._sensors: Optional[_Sensors] = None
        self._gpu: Optional[Gpu] = None
        self._power_mode = PowerModeWatch(root)

    def read(self) -> MachineReadings:
        """One look at the device."""
        now_s = self._clock()
        sensors = self._find(now_s)
        zones = sensors.thermal.read_zones()
        power = BoardPower() if sensors.power is None else sensors.power.read(now_s)
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
            gpu_load_pct=self._load_pct(sensors.gpu_load),
            power_mode=self._power_mode.mode(now_s),
            headroom_c=nearest[1] if nearest else None,
            limiting_zone=nearest[0].name if nearest else "",
            watts_of="" if power.watts is None else power.watts_of,
        )

    def _find(self, now_s: float) -> _Sensors:
        before = self._sensors
        if before is not None and now_s - before.found_s < _FIND_EVERY_S:
            return before
        load = find_gpu_load(self._root)
        if load is None:
            self._open_gpu()
        power = self._find_power()
        if before is not None and isinstance(power, RaplSource) and isinstance(before.power, RaplSource):
            power = before.power  # counters remember the reading before
        self._sensors = _Sensors(now_s, find_thermal_sensors(self._root), power, load)
        return self._sensors

    def _find_power(self) -> Optional[PowerSource]:
        # Not tegrastats: a program beside the service for as long as it runs. And monitors also without a total: their
        # rails are worth showing.
        module = find_module(self._root)
        monitors = find_ina(self._root, module)
        if monitors is not None:
            return monitors
        if self._gpu is not None and self._gpu.power_w() is not None:
            return NvmlSource(self._gpu, module)
        return None if module else find_rapl(self._root)

    def _open_gpu(self) -> None:
        if self._gpu is None:
            with suppress(DeviceError):  # looked for again with the next sensors
                self._gpu = open_gpu(library=driver_of(self._root))

    def _load_pct(self, path: Optional[Path]) -> Optional[float]:
        if path is not None:
            return load_pct(path)
        return self._gpu.load_pct() if self._gpu else None

    def _memory(self) -> Tuple[Optional[int], Optional[int]]:
        with suppress(EdgekitError, OSError, ValueError):
            return memory_mib(self._root)
        return None, None
