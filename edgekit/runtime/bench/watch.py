"""What the machine does while frames are counted: power, heat, clocks, and the processor time of this process."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any, List, Optional, Tuple

from edgekit.core.machine_samples import MachineSamples
from edgekit.core.progress import OnProgress
from edgekit.core.results import Energy, MachineRun
from edgekit.runtime.sensors.sampler import MachineSampler
from edgekit.runtime.usage import CpuMeter

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """What was seen, of the counted time alone."""

    energy: Optional[Energy]
    machine: MachineRun
    disturbances: Tuple[str, ...]
    cpu_utilisation_pct: Optional[float]


class Watch:
    """Looks at the machine from when it is entered; `begin` and `end` say when frames are counted."""

    def __init__(self, every_s: float) -> None:
        """every_s: between two looks at the sensors."""
        self._sampler = MachineSampler(every_s)
        self._cpu = CpuMeter()
        self._idle: Optional[Tuple[float, float]] = None
        self._windows: List[Tuple[float, float]] = []

    def __enter__(self) -> Watch:
        self._sampler.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._sampler.stop()

    def idle(self, seconds: float, on_progress: OnProgress) -> None:
        """Let the machine idle for as long, if there is a power sensor to tell what that takes."""
        if not self._sampler.samples_so_far().sensor or seconds <= 0:
            return
        on_progress("measuring the idle machine", 0, 0)
        self._sampler.look()  # samples at both edges, so that the loading after them has no part in the mean
        started_s = time.monotonic()
        time.sleep(seconds)
        self._idle = (started_s, time.monotonic())
        self._sampler.look()

    def begin(self) -> None:
        """From about now on frames are counted."""
        self._sampler.look()
        self._cpu.start()

    def end(self, began_s: float, ended_s: float) -> None:
        """Frames were counted between these moments; called right after the second."""
        self._cpu.stop()
        self._sampler.look()
        self._sampler.mark(began_s, ended_s)
        self._windows.append((began_s, ended_s))

    def restart(self) -> None:
        """Energy and processor time are those of what is counted from now on; disturbances those of all."""
        self._windows.clear()
        self._cpu = CpuMeter()

    @property
    def cpu_utilisation_pct(self) -> Optional[float]:
        """Of this process while frames were counted, since `restart`."""
        return self._cpu.utilisation_pct

    def so_far(self) -> MachineSamples:
        """Everything since it was entered."""
        return self._sampler.samples_so_far()

    def finish(self, frames: int) -> Watched:
        """End it. frames: those that were counted."""
        samples = self._sampler.stop()
        for note in samples.notes():
            _log.info("%s", note)
        idle_w = samples.mean_watts(self._idle) if self._idle else None
        energy = replace(samples, windows=tuple(self._windows)).energy(frames, idle_w)
        return Watched(energy, samples.machine_run(), samples.disturbances(), self.cpu_utilisation_pct)
