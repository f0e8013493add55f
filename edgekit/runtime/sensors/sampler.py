"""Samples power and the machine beside a measurement, in threads of its own."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, List, Optional, Tuple

from edgekit.core.disturbances import MachineSample, worth_keeping
from edgekit.core.energy import SensorLimits, Window
from edgekit.core.machine_samples import MachineSamples
from edgekit.core.power_choice import describe_choice
from edgekit.core.power_curve import PowerSample, interval_s
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.gpu_load import find_gpu_load
from edgekit.runtime.sensors.nvml import Gpu, driver_of, open_gpu
from edgekit.runtime.sensors.power import PowerSource, open_power_source
from edgekit.runtime.sensors.power_log import PowerLog
from edgekit.runtime.sensors.state import StateReader

log = logging.getLogger(__name__)

# Heat and clocks change slowly, and looking at all of it costs more than looking at the power.
_STATE_EVERY_S = 0.5
_START_S = 10.0  # a driver that nobody uses is loaded first
_FIRST_S = 1.0
_LOOK_S = 0.1
_END_S = 2.0


class MachineSampler:
    """Samples from `start` to `stop`; times are of time.monotonic(). every_s 0: nothing is sampled.

    A sensor that hangs in a driver hangs a thread of this, never its caller: what was not sampled is not measured.
    """

    def __init__(self, every_s: float, root: Path = Path("/"), nvml: Optional[str] = None) -> None:
        """every_s: between two samples of power. nvml: the library of the GPU's driver, if not the machine's own."""
        self._every_s, self._root = every_s, root
        self._nvml = driver_of(root) if nvml is None else nvml
        self._power = PowerLog()
        self._machine: List[MachineSample] = []
        self._windows: List[Window] = []
        self._source: Optional[PowerSource] = None
        self._gpu: Optional[Gpu] = None
        self._of = ""
        self._choice: Tuple[str, ...] = ()
        self._ready, self._wake, self._looked, self._ended = (threading.Event() for _ in range(4))
        self._threads = [
            threading.Thread(target=self._sample_power, name="edgekit-power", daemon=True),
            threading.Thread(target=self._sample_machine, name="edgekit-state", daemon=True),
        ]

    def start(self) -> None:
        """Find the sensors, and return once there is a first sample."""
        if self._every_s > 0:
            for thread in self._threads:
                thread.start()
            if not self._ready.wait(_START_S):
                log.warning("no power sensor answered within %g s", _START_S)

    def look(self) -> None:
        """Take a sample of the power now: where a counted window begins or ends, so that no gap reaches over it."""
        if self._source is not None and not self._ended.is_set():
            self._looked.clear()
            self._wake.set()
            self._looked.wait(_LOOK_S)

    def mark(self, start_s: float, end_s: float) -> None:
        """Frames were counted between these moments. Windows may come in any order."""
        last = self._windows[-1] if self._windows else None
        if last is not None and last[0] <= start_s <= last[1] <= end_s:
            self._windows[-1] = (last[0], end_s)  # a soak has one each second
        else:
            self._windows.append((start_s, end_s))

    def samples_so_far(self) -> MachineSamples:
        """What was sampled until now."""
        return MachineSamples(
            power=self._power.curve(),
            machine=tuple(self._machine),
            windows=tuple(self._windows),
            every_s=self._every_s,
            of=self._of,
            sensor=self._source.name if self._source else "",
            limits=self._source.limits if self._source else SensorLimits(),
            choice=self._choice,
        )

    def stop(self) -> MachineSamples:
        """Take a last sample, and end what was started. A second call gives the same."""
        first = not self._ended.is_set()
        self._ended.set()
        self._wake.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_END_S)
        if first and not any(thread.is_alive() for thread in self._threads):  # one that hangs keeps its sensor
            self._close()
        return self.samples_so_far()

    def __enter__(self) -> MachineSampler:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _close(self) -> None:
        for resource in (self._source, self._gpu):
            if resource is not None:
                resource.close()

    def _sample_power(self) -> None:
        self._open()
        if self._source is None:
            self._ready.set()
            return
        opened_s = next_s = time.monotonic()
        while not self._ended.is_set():
            self._take_power()
            self._looked.set()
            now_s = time.monotonic()
            if len(self._power) or now_s - opened_s > _FIRST_S:  # counters need two readings
                self._ready.set()
            if now_s >= next_s:
                every_s = interval_s(self._every_s, now_s - opened_s)
                next_s += every_s * (1 + (now_s - next_s) // every_s)
            self._wake.wait(next_s - now_s)
            self._wake.clear()
        self._take_power()

    def _open(self) -> None:
        # The kernel tells of a Jetson's GPU; where it does not, its driver is asked for more than power.
        if find_gpu_load(self._root) is None:
            try:
                self._gpu = open_gpu(library=self._nvml)
            except DeviceError as error:
                log.info("the GPU's driver is not asked: %s", error.what)
        self._source, trials = open_power_source(self._root, self._every_s, self._gpu_or_raise, time.monotonic())
        self._choice = describe_choice(trials, self._source.name if self._source else "", trials[-1].of)
        log.info("%s", "; ".join(self._choice))

    def _gpu_or_raise(self) -> Gpu:
        if self._gpu is None:
            self._gpu = open_gpu(library=self._nvml)
        return self._gpu

    def _take_power(self) -> None:
        if self._source is None:
            return
        before_s = time.monotonic()
        power = self._source.read(before_s)
        if power.watts is None:
            return
        self._of = self._of or power.watts_of
        rails_w = {rail.name: rail.milliwatts / 1000 for rail in power.rails}
        self._power.append(PowerSample((before_s + time.monotonic()) / 2, power.watts, rails_w, power.joules))

    def _sample_machine(self) -> None:
        self._ready.wait(_START_S)
        reader = StateReader(self._root, self._gpu)
        ended = False
        while not ended:
            ended = self._ended.wait(max(_STATE_EVERY_S, self._every_s) if self._machine else 0.0)
            sample = reader.read(time.monotonic())
            if ended or worth_keeping(sample, self._machine):
                self._machine.append(sample)
