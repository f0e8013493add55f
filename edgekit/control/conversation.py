"""A conversation with device code, however it is reached: events come in, one a line, and last the answer or an error.

The form is core/requests.py's. What is not an event is passed over: libraries print to standard output when they
please, and so do the start-up files of a login shell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from edgekit.core.progress import OnProgress
from edgekit.core.wire import from_wire
from edgekit.errors import DeviceError, error_from_dict

T = TypeVar("T")

# (exit code, last lines of standard error) -> the error they mean, None if they mean nothing special.
Explain = Callable[[int, Sequence[str]], DeviceError | None]

KILLED = -9  # the exit code of what ended by a signal, where it is not known by which
_TAIL_SHOWN = 6


def read_events(lines: Iterable[bytes], on_progress: OnProgress) -> dict[str, Any]:
    """Pass progress on until the lines end; the last other event, {} if there was none."""
    last: dict[str, Any] = {}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") == "progress":
            on_progress(str(event["what"]), int(event["done"]), int(event["total"]))
        elif isinstance(event, dict) and "event" in event:
            last = event
    return last


def conclude(
    last: dict[str, Any], answer: type[T], verb: str, code: int, tail: Sequence[str], explain: Explain | None = None
) -> T:
    """The answer that the last event holds. Raises the error it holds, DeviceError if it holds neither."""
    if last.get("event") == "result":
        return from_wire(answer, last["result"], f"the answer of {verb}")
    if last.get("event") == "error":
        raise error_from_dict(last["error"])
    raise (explain and explain(code, tail[-_TAIL_SHOWN:])) or broken_off(verb, code, tail)


def broken_off(verb: str, code: int, tail: Sequence[str]) -> DeviceError:
    """What it means that a command ended without an answer. tail: the end of its standard error."""
    if code in (KILLED, 137):
        return DeviceError(
            f"`{verb}` was killed on the device",
            why="most often the device ran out of memory",
            hint="close other programs there, or add swap, then run the same command again",
        )
    return DeviceError(f"`{verb}` ended with code {code} and no answer", why="\n".join(tail[-_TAIL_SHOWN:]))
