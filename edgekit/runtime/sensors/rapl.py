"""The energy counters of a PC's processors, through /sys/class/powercap. Newer kernels let only root read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Tuple

from edgekit.core.energy import SensorLimits
from edgekit.core.power_rails import BoardPower, DomainPower, processor_power, watts_between
from edgekit.runtime.sensors.sysfs import found, number_in, text_of

_FOLDERS = "sys/class/powercap/intel-rapl:*"
_TOP_DOMAIN = re.compile(r"intel-rapl:\d+")
# Closer together than that, the counter's own steps would show; further apart, it may have wrapped around twice.
_SHORTEST_S, _LONGEST_S = 0.1, 600.0
# Source: Intel's software developer's manual, volume 3, RAPL interfaces: counters are updated about once a millisecond.
_TICK_S = 0.001


@dataclass
class _Counter:
    """A counter of energy, what it counted since it was first read, and the mean power of the last while."""

    name: str
    microjoules: Path
    range_uj: int
    last: Optional[Tuple[float, int]] = None
    joules: Optional[float] = None
    begun: Optional[Tuple[float, float]] = None  # (seconds, joules) where the present mean begins
    watts: Optional[float] = None

    def read(self, now_s: float) -> DomainPower:
        now_uj = number_in(self.microjoules)
        spent_j = self._spent_since_last(now_s, now_uj)
        self.last = None if now_uj is None else (now_s, now_uj)
        if spent_j is None or self.joules is None or self.begun is None:
            self.joules, self.watts = (None if now_uj is None else 0.0), None
            self.begun = (now_s, 0.0)
            return DomainPower(self.name, None, self.joules)
        self.joules += spent_j
        if now_s - self.begun[0] >= _SHORTEST_S:
            self.watts = (self.joules - self.begun[1]) / (now_s - self.begun[0])
            self.begun = (now_s, self.joules)
        return DomainPower(self.name, self.watts, self.joules)

    def _spent_since_last(self, now_s: float, now_uj: Optional[int]) -> Optional[float]:
        if self.last is None or now_uj is None or not 0 <= now_s - self.last[0] <= _LONGEST_S:
            return None
        took_s = max(_SHORTEST_S, now_s - self.last[0])
        watts = watts_between(self.last[1], now_uj, self.range_uj, took_s)
        return None if watts is None else watts * took_s


@dataclass(frozen=True)
class RaplSource:
    """Power of the processors' packages, on average since the reading before."""

    counters: Tuple[_Counter, ...]
    name: str = "RAPL"
    limits: SensorLimits = field(default_factory=lambda: SensorLimits(tick_s=_TICK_S))

    def read(self, now_s: float) -> BoardPower:
        """The first reading has joules and no watts. now_s: on a clock that only goes forward."""
        return processor_power([counter.read(now_s) for counter in self.counters])

    def close(self) -> None:
        """Nothing is kept open."""


def find_rapl(root: Path) -> Optional[RaplSource]:
    """The counters that this process may read; None if there are none."""
    counters = []
    for folder in found(root, _FOLDERS):
        name, range_uj = text_of(folder / "name"), number_in(folder / "max_energy_range_uj")
        readable = number_in(folder / "energy_uj") is not None
        if name and range_uj and readable and _TOP_DOMAIN.fullmatch(folder.name):
            counters.append(_Counter(name, folder / "energy_uj", range_uj))
    return RaplSource(tuple(counters)) if counters else None
