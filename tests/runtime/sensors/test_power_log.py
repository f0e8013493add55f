"""Samples of power, kept in little memory."""

from __future__ import annotations

import math
import threading
import tracemalloc

import numpy as np

from edgekit.core.power_curve import PowerSample
from edgekit.runtime.sensors.power_log import PowerLog


def test_what_was_appended_comes_back_as_a_curve():
    """A rail that a board names later must not shift the others."""
    log = PowerLog()
    log.append(PowerSample(1.0, 5.0, {"VDD_IN": 5.0}))
    log.append(PowerSample(2.0, 6.0, {"VDD_IN": 6.0, "VDD_SOC": 1.0}, 11.0))
    log.append(PowerSample(2.0, 7.0))
    log.append(PowerSample(1.5, math.nan, {"VDD_IN": 9.0}))
    log.append(PowerSample(1.2, 4.0, {"VDD_SOC": 2.0}))
    curve = log.curve()
    assert (len(log), len(curve)) == (5, 3)
    assert curve.times_s.tolist() == [1.0, 1.2, 2.0]
    assert curve.watts.tolist() == [5.0, 4.0, 6.0]
    np.testing.assert_equal(curve.joules, [math.nan, math.nan, 11.0])
    np.testing.assert_equal(curve.rails_w["VDD_IN"], [5.0, math.nan, 6.0])
    np.testing.assert_equal(curve.rails_w["VDD_SOC"], [math.nan, 2.0, 1.0])


def test_it_may_be_read_while_it_grows():
    """The parts of a soak are looked at while it runs."""
    log, ended = PowerLog(), threading.Event()

    def fill():
        for step in range(20_000):
            log.append(PowerSample(float(step), 1.0, {"a": 1.0, "b": 2.0}))
        ended.set()

    thread = threading.Thread(target=fill)
    thread.start()
    while not ended.is_set():
        curve = log.curve()
        assert len(curve.watts) == len(curve.joules) == len(curve.rails_w.get("a", curve.watts)) == len(curve)
    thread.join()
    assert len(log.curve()) == 20_000


def test_a_day_of_samples_takes_less_than_twenty_mebibytes():
    """It stands beside the memory of what is measured."""
    tracemalloc.start()
    log = PowerLog()
    for step in range(86400 * 10 // 4):
        log.append(PowerSample(float(step), 1.0, {"VDD_IN": 1.0, "VDD_SOC": 2.0, "VDD_CPU_GPU_CV": 3.0}))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20 * 2**20
