"""What was sampled of a machine beside a measurement, and what of it a result says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Iterable, List, Optional, Tuple, TypeVar

from edgekit.core.disturbances import MachineSample, find_disturbances, while_counted
from edgekit.core.energy import SensorLimits, Window, integrate, mean_watts, sampling_problems
from edgekit.core.power_curve import PowerCurve, curve_of_samples
from edgekit.core.results import Energy, MachineRun

_T = TypeVar("_T")
_STALE_S = 12.0


@dataclass(frozen=True)
class MachineSamples:
    """All samples of one run, in order, on the clock of time.monotonic().

    windows: when frames were counted. of, sensor: as in results.Energy, "" without a power sensor. choice: sentences
    about which power sensor was taken and why others were not.
    """

    power: PowerCurve = field(default_factory=lambda: curve_of_samples(()))
    machine: Tuple[MachineSample, ...] = ()
    windows: Tuple[Window, ...] = ()
    every_s: float = 0.0
    of: str = ""
    sensor: str = ""
    limits: SensorLimits = field(default_factory=SensorLimits)
    choice: Tuple[str, ...] = ()

    def energy(self, frames: int, idle_w: Optional[float] = None) -> Optional[Energy]:
        """What was drawn while frames were counted; None if it was not measured throughout."""
        return integrate(self.power, self.windows, frames, idle_w, self.of, self.sensor, self.limits)

    def mean_watts(self, between: Window) -> Optional[float]:
        """The mean power between two moments; None if it was not measured throughout."""
        return mean_watts(self.power, between)

    def disturbances(self) -> Tuple[str, ...]:
        """What happened while frames were counted that forbids comparing them, one sentence each."""
        return find_disturbances(self.machine, self.windows)

    def machine_run(self) -> MachineRun:
        """How the machine fared while frames were counted."""
        seen = while_counted(self.machine, self.windows)
        hottest = max(seen, key=lambda sample: _or_least(sample.temperature_c), default=None)
        loads = _known(sample.gpu_load_pct for sample in seen)
        clocks = _known(sample.gpu_clock_mhz for sample in seen)
        temperatures = _known(sample.temperature_c for sample in seen)
        return MachineRun(
            temperature_start_c=temperatures[0] if temperatures else None,
            temperature_max_c=hottest.temperature_c if hottest else None,
            hottest_zone=hottest.hottest_zone if hottest else "",
            gpu_utilisation_pct=round(sum(loads) / len(loads), 1) if loads else None,
            gpu_memory_peak_mib=max(_known(sample.gpu_memory_mib for sample in seen), default=None),
            memory_available_low_mib=min(_known(sample.memory_available_mib for sample in seen), default=None),
            gpu_clock_mhz=(min(clocks), max(clocks)) if clocks else None,
        )

    def temperature_at(self, t_s: float) -> Optional[float]:
        """Of the hottest zone, as looked at last before that moment; None if there was no look for a while."""
        sample = self._look_at(t_s)
        return sample.temperature_c if sample else None

    def memory_at(self, t_s: float) -> Optional[int]:
        """What this process held in main memory, MiB, as looked at last before that moment."""
        sample = self._look_at(t_s)
        return sample.process_memory_mib if sample else None

    def _look_at(self, t_s: float) -> Optional[MachineSample]:
        before = [sample for sample in self.machine if t_s - _STALE_S <= sample.t_s <= t_s]
        return before[-1] if before else None

    def notes(self) -> Tuple[str, ...]:
        """For people: which power sensor was taken, why others were not, and where samples are missing."""
        gaps = sampling_problems(self.power, self.windows, self.every_s) if self.sensor else ()
        return (*self.choice, *gaps, *self._blind())

    def _blind(self) -> Tuple[str, ...]:
        last_s = max((end_s for _, end_s in self.windows), default=-math.inf)
        if self.every_s <= 0 or any(look.t_s >= last_s - _STALE_S for look in self.machine):
            return ()
        return ("nobody looked at heat and clocks at the end: what disturbed the run is not known",)


def _known(values: Iterable[Optional[_T]]) -> List[_T]:
    return [value for value in values if value is not None]


def _or_least(value: Optional[float]) -> float:
    return -math.inf if value is None else value
