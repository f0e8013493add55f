"""The same work on several devices at once: bounded, each by itself, so that one that stalls holds up no other."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from edgekit.control.inventory import Device
from edgekit.errors import DeployError, DeviceError, EdgekitError, UnhealthyError, UnreachableError

T = TypeVar("T")

PENDING, UNREACHABLE, REVERTED, FAILED = "pending", "unreachable", "reverted", "failed"
TROUBLE = (UNREACHABLE, REVERTED, FAILED)

# How long running work may take to notice Ctrl-C.
_GRACE_S = 10.0


@dataclass(frozen=True)
class Event:
    """What a device is at: its state and, while it works, the step within it. total 0: not known."""

    device: str
    state: str
    what: str = ""
    done: int = 0
    total: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """How the work ended on one device. value is None where `error` tells why, and where it was not begun or ended."""

    device: str
    state: str
    value: T | None = None
    error: EdgekitError | None = None
    duration_s: float = 0.0

    @property
    def in_trouble(self) -> bool:
        """True for every end that is no success: unreachable, reverted, failed."""
        return self.state in TROUBLE


@dataclass(frozen=True)
class FleetOutcome(Generic[T]):
    """The outcomes in the order of the devices. interrupted: Ctrl-C came before all had ended."""

    outcomes: tuple[Outcome[T], ...]
    interrupted: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many devices ended in which state, the most frequent first."""
        return dict(Counter(outcome.state for outcome in self.outcomes).most_common())

    @property
    def exit_code(self) -> int:
        """0 if all went well, 9 if devices could not be reached and nothing else went wrong, 8 otherwise."""
        states = {outcome.state for outcome in self.outcomes if outcome.in_trouble}
        if not states:
            return 0
        return UnreachableError.exit_code if states == {UNREACHABLE} else DeployError.exit_code


class Told(Protocol):
    """What the work on one device tells of itself. Both raise KeyboardInterrupt once the fleet is to stop."""

    def state(self, state: str) -> None:
        """A new state began."""

    def progress(self, what: str, done: int, total: int) -> None:
        """A step within the state."""


# The work on one device: the state that it ended in, and what it gave.
Work = Callable[[Device, Told], "tuple[str, T]"]


def run_fleet(
    devices: Sequence[Device], work: Work[T], on_event: Callable[[Event], None], *, jobs: int
) -> FleetOutcome[T]:
    """Do the work on every device, at most `jobs` at a time. An EdgekitError ends it for that device only.

    on_event is called in the caller's thread. On Ctrl-C no other device is begun, those at work are told to stop, and
    after ten seconds they are left: every file of theirs is written whole or not at all.
    """
    run = _Run(devices, work)
    interrupted = False
    try:
        for number in range(min(jobs, len(devices))):
            threading.Thread(target=run.worker, name=f"fleet-{number}", daemon=True).start()
        run.watch(on_event)
    except KeyboardInterrupt:
        interrupted = True
        run.stop(on_event)
    return FleetOutcome(tuple(run.outcomes), interrupted)


def state_of_failure(error: EdgekitError) -> str:
    """The state in which an error leaves a device."""
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return REVERTED if isinstance(error, UnhealthyError) else FAILED


class _Run(Generic[T]):
    """The threads' common ground. Only the caller's thread reads events and writes `outcomes`."""

    def __init__(self, devices: Sequence[Device], work: Work[T]) -> None:
        self.outcomes: list[Outcome[T]] = [Outcome(device.name, PENDING) for device in devices]
        self._work = work
        self._waiting: queue.SimpleQueue[tuple[int, Device]] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[tuple[int, Event | Outcome[T]]] = queue.SimpleQueue()
        self._left = len(devices)
        self._stopping = threading.Event()
        for item in enumerate(devices):
            self._waiting.put(item)

    def worker(self) -> None:
        """Take one device after the other."""
        while not self._stopping.is_set():
            try:
                index, device = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._news.put((index, self._do(index, device)))

    def watch(self, on_event: Callable[[Event], None], limit_s: float | None = None) -> None:
        """Pass the news on until every device has ended, or until the limit."""
        deadline_s = None if limit_s is None else time.monotonic() + limit_s
        while self._left and (deadline_s is None or time.monotonic() < deadline_s):
            try:
                index, news = self._news.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(news, Event):
                self.outcomes[index] = replace(self.outcomes[index], state=news.state)
                on_event(news)
            else:
                self._left -= 1
                self.outcomes[index] = news
                on_event(Event(news.device, news.state, news.error.what if news.error else "", ended=True))

    def stop(self, on_event: Callable[[Event], None]) -> None:
        """Begin nothing more, and wait a moment for those at work."""
        self._stopping.set()
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
            self._left -= 1
        try:
            self.watch(on_event, _GRACE_S)
        except KeyboardInterrupt:
            return

    def _do(self, index: int, device: Device) -> Outcome[T]:
        started_s = time.monotonic()
        told = _Teller(device.name, index, self._news, self._stopping)
        state, value, error = told.last_state, None, None
        try:
            state, value = self._work(device, told)
        except EdgekitError as failure:
            state, error = state_of_failure(failure), failure
        except KeyboardInterrupt:
            state = told.last_state
        except Exception as failure:
            state, error = FAILED, _mistake(device.name, failure)
        return Outcome(device.name, state, value, error, round(time.monotonic() - started_s, 2))


class _Teller:
    """`Told` of one device, from its worker's thread."""

    def __init__(self, device: str, index: int, news: queue.SimpleQueue, stopping: threading.Event) -> None:  # type: ignore[type-arg]
        self._device, self._index, self._news, self._stopping = device, index, news, stopping
        self.last_state = PENDING

    def state(self, state: str) -> None:
        self.last_state = state
        self._tell(Event(self._device, state))

    def progress(self, what: str, done: int, total: int) -> None:
        self._tell(Event(self._device, self.last_state, what, done, total))

    def _tell(self, event: Event) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt
        self._news.put((self._index, event))


def _mistake(device: str, failure: Exception) -> DeviceError:
    line = traceback.format_exception_only(failure)[-1].strip()
    where = "".join(traceback.format_exception(failure)[-3:])
    return DeviceError(f"unexpected error with {device}: {line}", why=f"this is a mistake in edgekit\n{where}")
