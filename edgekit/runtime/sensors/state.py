"""One look at a machine that is being measured: heat, clocks, load, memory, and what slows it down."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from edgekit.core.disturbances import MachineSample
from edgekit.core.thermal import ThermalZone, hottest_zone
from edgekit.errors import EdgekitError
from edgekit.runtime.limits import memory_mib
from edgekit.runtime.sensors.gpu_load import find_gpu_clock, find_gpu_load, load_pct
from edgekit.runtime.sensors.nvml import Gpu
from edgekit.runtime.sensors.power_mode_watch import PowerModeWatch
from edgekit.runtime.sensors.sysfs import found, number_in, text_of
from edgekit.runtime.sensors.thermal import find_thermal_sensors

_OVER_CURRENT = "sys/devices/platform/soctherm-oc-event/hwmon/hwmon*/oc*_event_cnt"
_CPU_THROTTLE = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count"
_CPU_CLOCKS = "sys/devices/system/cpu/cpufreq/policy*"
_STATM = "proc/self/statm"
_GPU = "GPU"


@dataclass(frozen=True)
class _ClockLimits:
    of: str
    lowest: Path
    highest: Path

    def read(self) -> Optional[str]:
        lowest, highest = number_in(self.lowest), number_in(self.highest)
        return None if lowest is None or highest is None else f"{lowest}-{highest}"


class StateReader:
    """Reads the same files each time. One thread at a time may use it; reading never fails."""

    def __init__(self, root: Path, gpu: Optional[Gpu] = None) -> None:
        """gpu: asked for what the kernel's files do not tell."""
        self._root, self._gpu = root, gpu
        self._thermal = find_thermal_sensors(root)
        self._power_mode = PowerModeWatch(root)
        self._gpu_load, self._gpu_clock = find_gpu_load(root), find_gpu_clock(root)
        self._limits = _clock_limits(root, self._gpu_clock)
        self._events = [
            (path.name, path) for pattern in (_OVER_CURRENT, _CPU_THROTTLE) for path in found(root, pattern)
        ]

    def read(self, now_s: float) -> MachineSample:
        """One look. now_s: on a clock that only goes forward."""
        hottest = hottest_zone((*self._thermal.read_zones(), *self._gpu_zone()))
        return MachineSample(
            t_s=now_s,
            temperature_c=hottest.temperature_c if hottest else None,
            hottest_zone=hottest.name if hottest else "",
            throttling=self._thermal.read_alerts(),
            gpu_reasons=self._gpu.clock_reasons() if self._gpu else None,
            events=self._counted(),
            power_mode=self._power_mode.mode(now_s),
            clock_limits=self._clock_limits_now(),
            gpu_load_pct=self._load_pct(),
            gpu_clock_mhz=self._clock_mhz(),
            gpu_memory_mib=self._gpu.process_memory_mib() if self._gpu else None,
            memory_available_mib=self._available_mib(),
            process_memory_mib=self._process_mib(),
        )

    def _gpu_zone(self) -> Tuple[ThermalZone, ...]:
        degrees = self._gpu.temperature_c() if self._gpu else None
        return () if degrees is None else (ThermalZone(_GPU, degrees),)

    def _counted(self) -> Dict[str, int]:
        counts: Dict[str, int] = {}
        for name, path in self._events:
            count = number_in(path)
            if count is not None:
                counts[name] = counts.get(name, 0) + count
        return counts

    def _clock_limits_now(self) -> Dict[str, str]:
        read = ((limits.of, limits.read()) for limits in self._limits)
        return {of: limits for of, limits in read if limits is not None}

    def _load_pct(self) -> Optional[float]:
        load = load_pct(self._gpu_load)
        return self._gpu.load_pct() if load is None and self._gpu else load

    def _clock_mhz(self) -> Optional[float]:
        hertz = number_in(self._gpu_clock / "cur_freq") if self._gpu_clock else None
        if hertz is not None:
            return hertz / 1e6
        return self._gpu.clock_mhz() if self._gpu else None

    def _available_mib(self) -> Optional[int]:
        with suppress(EdgekitError, OSError, ValueError):
            return memory_mib(self._root)[1]
        return None

    def _process_mib(self) -> Optional[int]:
        fields = (text_of(self._root / _STATM) or "").split()
        if len(fields) < 2 or not fields[1].isdecimal():
            return None
        return round(int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)


def _clock_limits(root: Path, gpu_clock: Optional[Path]) -> List[_ClockLimits]:
    cpus = [
        _ClockLimits(f"CPU {folder.name}", folder / "scaling_min_freq", folder / "scaling_max_freq")
        for folder in found(root, _CPU_CLOCKS)
    ]
    gpu = [_ClockLimits(_GPU, gpu_clock / "min_freq", gpu_clock / "max_freq")] if gpu_clock else []
    return [*cpus, *gpu]
