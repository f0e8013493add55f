"""The same work on many devices: bounded, independent, and honest about how each ended."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from edgekit.control.fleet import run_fleet
from edgekit.control.inventory import Device
from edgekit.errors import BuildError, UnhealthyError, UnreachableError


def devices(*names):
    return [Device(name, "local", "tiny", "tiny", "scenes://") for name in names]


def run(work, names, jobs=8):
    events = []
    done = run_fleet(devices(*names), work, events.append, jobs=jobs)
    return done, events


def test_outcomes_keep_the_order_of_the_devices():
    """A table whose rows change places from run to run cannot be compared."""

    def work(device, told):
        time.sleep(0.05 if device.name == "a" else 0)
        return "healthy", device.name

    done, _ = run(work, "abc")
    assert [(item.device, item.value) for item in done.outcomes] == [("a", "a"), ("b", "b"), ("c", "c")]
    assert (done.exit_code, done.interrupted) == (0, False)


@pytest.mark.parametrize(
    ("errors", "exit_code", "states"),
    [
        ({}, 0, {"healthy": 3}),
        ({"a": UnreachableError("no route")}, 9, {"healthy": 2, "unreachable": 1}),
        ({"a": UnreachableError("cut"), "b": UnhealthyError("no")}, 8, {"unreachable": 1, "reverted": 1, "healthy": 1}),
        ({"a": BuildError("no memory")}, 8, {"healthy": 2, "failed": 1}),
        ({"a": ZeroDivisionError("ours")}, 8, {"healthy": 2, "failed": 1}),
    ],
)  # fmt: skip
def test_one_failure_ends_nothing_for_the_others_and_the_exit_code_tells_its_kind(errors, exit_code, states):
    """Unreachable is no success, and no failed release either: one wants a cable, the other a developer."""

    def work(device, told):
        if device.name in errors:
            raise errors[device.name]
        return "healthy", None

    done, _ = run(work, "abc")
    assert done.counts == states
    assert done.exit_code == exit_code


def test_our_own_mistake_is_reported_with_its_place():
    """One device's traceback must not take the other nineteen down, nor vanish."""

    def work(device, told):
        raise KeyError("engine")

    (outcome,) = run(work, "a")[0].outcomes
    assert "KeyError" in outcome.error.what and "test_fleet.py" in outcome.error.why


def test_no_more_than_jobs_devices_are_at_work_at_once():
    """Lost: the bound; a hundred SSH handshakes and builds at once stall everything."""
    lock, now, most = threading.Lock(), 0, 0

    def work(device, told):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return "healthy", None

    run(work, [f"d{number}" for number in range(12)], jobs=3)
    assert most == 3


def test_a_stalled_device_does_not_hold_up_the_others():
    """One camera on a bad radio link must not delay the street."""
    others = threading.Event()

    def work(device, told):
        if device.name == "stalled":
            assert others.wait(5.0), "the others were held up"
        elif device.name == "last":
            others.set()
        return "healthy", None

    done, events = run(work, ["stalled", "b", "c", "last"], jobs=2)
    assert done.exit_code == 0
    assert [event.device for event in events if event.ended][-1] == "stalled"


def test_events_tell_the_state_and_the_step_within_it():
    """What the live table is made of."""

    def work(device, told):
        told.state("building")
        told.progress("optimising", 1, 4)
        return "healthy", None

    _, events = run(work, "a")
    assert [(event.state, event.what, event.done, event.ended) for event in events] == [
        ("building", "", 0, False),
        ("building", "optimising", 1, False),
        ("healthy", "", 0, True),
    ]


def test_ctrl_c_begins_no_other_device_and_lets_those_at_work_clean_up():
    """Nothing half-done may stay on this machine, and nobody wants nineteen more devices after Ctrl-C."""
    cleaned, begun = [], []

    def work(device, told):
        begun.append(device.name)
        told.state("building")
        try:
            while True:
                if len(begun) == 2 and device.name == "b":
                    os.kill(os.getpid(), signal.SIGINT)
                    begun.append("signal")
                time.sleep(0.02)
                told.progress("optimising", 1, 4)
        finally:
            cleaned.append(device.name)

    done, _ = run(work, "abcd", jobs=2)
    assert done.interrupted
    assert sorted(cleaned) == ["a", "b"] and "c" not in begun
    assert [item.state for item in done.outcomes] == ["building", "building", "pending", "pending"]
