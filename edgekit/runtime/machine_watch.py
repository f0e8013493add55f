"""Looks at the device once a second beside the frames, and slows these down before the device trips."""

from __future__ import annotations

import threading
import time
from typing import Any, List, Optional

from edgekit.core.heat import HeatState, next_heat
from edgekit.core.machine import MachineReadings
from edgekit.runtime.pace import Pace
from edgekit.runtime.sensors.machine import MachineReader

_EVERY_S = 1.0
_END_WITHIN_S = 2.0  # a driver may hang in a read


class MachineWatch:
    """The readings of the device, as new as the last second, while it is entered.

    It reads in a thread of its own: a sensor on a slow bus must not make a frame late.
    """

    def __init__(self, reader: Optional[MachineReader] = None, every_s: float = _EVERY_S) -> None:
        self._reader = reader or MachineReader()
        self._every_s = every_s
        self._heat = HeatState()
        self._pace = Pace()
        self._readings = MachineReadings()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="edgekit-machine", daemon=True)

    @property
    def readings(self) -> MachineReadings:
        """The latest."""
        return self._readings

    def new_pace(self) -> Pace:
        """At what rate the frames of the next pipeline may come in; kept up to date from now on."""
        pace = Pace()
        pace.limit(self._heat.limit.share)
        self._pace = pace
        return pace

    def warnings(self) -> List[str]:
        """Why frames are left out, if the device is hot."""
        reason = self._heat.limit.reason
        return [reason] if reason else []

    def __enter__(self) -> MachineWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join(_END_WITHIN_S)

    def _watch(self) -> None:
        while True:
            self._readings = self._reader.read()
            self._heat = next_heat(self._heat, self._readings, time.monotonic())
            self._pace.limit(self._heat.limit.share)
            if self._ended.wait(self._every_s):
                return
