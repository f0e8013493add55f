"""Samples of power as they come, in little memory."""

from __future__ import annotations

import math
import threading
from array import array
from typing import Dict

import numpy as np

from edgekit.core.power_curve import PowerCurve, PowerSample, ordered_curve


class PowerLog:
    """Appended to by one thread, read by others. A sample takes 24 bytes, and 8 for each rail."""

    def __init__(self) -> None:
        self._columns: Dict[str, array[float]] = {name: array("d") for name in ("t_s", "watts", "joules")}
        self._rails: Dict[str, array[float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._columns["t_s"])

    def append(self, sample: PowerSample) -> None:
        """Keep it. A rail that came only later has no power before."""
        with self._lock:
            for name in sample.rails_w.keys() - self._rails.keys():
                self._rails[name] = array("d", [math.nan]) * len(self)
            self._columns["t_s"].append(sample.t_s)
            self._columns["watts"].append(sample.watts)
            self._columns["joules"].append(math.nan if sample.joules is None else sample.joules)
            for name, rail in self._rails.items():
                rail.append(sample.rails_w.get(name, math.nan))

    def curve(self) -> PowerCurve:
        """All of them until now."""
        with self._lock:
            columns = [np.array(column) for column in self._columns.values()]
            rails_w = {name: np.array(rail) for name, rail in self._rails.items()}
        return ordered_curve(columns[0], columns[1], columns[2], rails_w)
