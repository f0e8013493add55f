"""Work on several devices as people see it: one table that lives, or plain lines; then who failed, and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit.cli.console import Console, table
from edgekit.cli.session import App
from edgekit.control.fleet import PENDING, Event, FleetOutcome, Outcome, Work, run_fleet
from edgekit.errors import error_to_dict

if TYPE_CHECKING:
    from edgekit.control.inventory import Device

T = TypeVar("T")

INTERRUPTED = 130
_COLOURS = {"healthy": "green", "unreachable": "yellow", "reverted": "red", "failed": "red", PENDING: "dim"}
_FRAMES_PER_SECOND = 4
_PLAIN_INTERVAL_S = 5.0


def on_each(app: App, devices: Sequence[Device], work: Work[T], *, jobs: int, quiet: bool = False) -> FleetOutcome[T]:
    """Do the work on every device and show how it goes on standard error. quiet: it is over in a moment."""
    with _view(app.console, () if quiet else devices) as on_event:
        return run_fleet(devices, work, on_event, jobs=jobs)


def tell_trouble(console: Console, done: FleetOutcome[Any], interrupted: str = "", *, counted: bool = True) -> int:
    """Say who failed and why, and, if counted, how many ended in which state; the exit code of the whole.

    interrupted: what the devices do by themselves after Ctrl-C.
    """
    for outcome in done.outcomes:
        if outcome.error is not None:
            console.failure(outcome.device, outcome.error)
    if len(done.outcomes) > 1 and counted:
        console.note(summary(done))
    if not done.interrupted:
        return done.exit_code
    console.note("interrupted" + (f": {interrupted}" if interrupted else ""))
    return INTERRUPTED


def show_each(console: Console, done: FleetOutcome[T], text: Callable[[T], Any]) -> int:
    """The result of a short verb: of one device its value, or its error raised; of several all of them.

    text: a value for people, a line or a table. Returns the exit code.
    """
    texts = [text(outcome.value) for outcome in done.outcomes if outcome.value is not None]
    if len(done.outcomes) == 1 and done.outcomes[0].error:
        raise done.outcomes[0].error
    if len(done.outcomes) == 1 and done.outcomes[0].value is not None:
        console.result(done.outcomes[0].value, *texts)
    else:
        console.result(
            {"devices": [outcome_value(outcome) for outcome in done.outcomes], "counts": done.counts}, *texts
        )
    return tell_trouble(console, done)


def summary(done: FleetOutcome[Any]) -> str:
    """How many devices ended in which state; those in trouble by name."""
    parts = []
    for state, count in done.counts.items():
        names = [item.device for item in done.outcomes if item.state == state and item.in_trouble]
        parts.append(f"{count} {state}" + (f" ({', '.join(names)})" if names else ""))
    return ", ".join(parts)


def outcome_value(outcome: Outcome[Any]) -> dict[str, Any]:
    """An outcome for --json."""
    return {
        "device": outcome.device,
        "state": outcome.state,
        "duration_s": outcome.duration_s,
        "result": outcome.value,
        "error": error_to_dict(outcome.error) if outcome.error else None,
    }


@contextmanager
def _view(console: Console, devices: Sequence[Device]) -> Iterator[Callable[[Event], None]]:
    if not devices:
        yield lambda event: None
    elif len(devices) == 1:
        with console.progress() as on_progress:
            yield lambda event: on_progress(event.what, event.done, event.total) if _tells_step(event) else None
    elif sys.stderr.isatty():
        with _live([device.name for device in devices]) as on_event:
            yield on_event
    else:
        yield _plain()


def _plain() -> Callable[[Event], None]:
    """A line for each new state, and for a step that lasts one now and then."""
    last: dict[str, tuple[str, str, float]] = {}

    def on_event(event: Event) -> None:
        now_s = time.monotonic()
        state, _, said_s = last.get(event.device, ("", "", 0.0))
        if event.state == state and now_s - said_s < _PLAIN_INTERVAL_S:
            return
        last[event.device] = (event.state, event.what, now_s)
        sys.stderr.write(f"{event.device}: {_words(event)}\n")
        sys.stderr.flush()

    return on_event


@contextmanager
def _live(names: Sequence[str]) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console as RichConsole
    from rich.live import Live

    lines = {name: _Line(Event(name, PENDING)) for name in names}
    err = RichConsole(file=sys.stderr, highlight=False, emoji=False)
    live = Live(
        get_renderable=lambda: _rendered(lines.values()),
        console=err,
        refresh_per_second=_FRAMES_PER_SECOND,
        transient=True,
    )
    with live:
        yield lambda event: lines[event.device].turn(event)


class _Line:
    """A device's line of the table."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self._begun_s: float | None = None
        self._ended_s: float | None = None

    def turn(self, event: Event) -> None:
        """What the device is at now."""
        now_s = time.monotonic()
        self.event = event
        self._begun_s = self._begun_s or now_s
        self._ended_s = now_s if event.ended else None

    @property
    def age(self) -> str:
        """How long it has been at work."""
        return f"{(self._ended_s or time.monotonic()) - self._begun_s:.0f} s" if self._begun_s else ""


def _rendered(lines: Iterable[_Line]) -> Any:
    from rich.text import Text

    rows = [
        (
            line.event.device,
            Text(line.event.state, style=_COLOURS.get(line.event.state, "")),
            _step(line.event),
            line.age,
        )
        for line in lines
    ]
    return table(("device", "state", "step", "time"), rows, right=("time",))


def _tells_step(event: Event) -> bool:
    return bool(event.what) and not event.ended


def _step(event: Event) -> str:
    if not event.what:
        return ""
    return f"{event.what} {event.done}/{event.total}" if event.total else event.what


def _words(event: Event) -> str:
    step = _step(event)
    return f"{event.state}: {step}" if step else event.state
