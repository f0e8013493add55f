"""What the page reads once a second."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.core.events import Counts, Event
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health, is_alive
from edgekit.core.wire import to_wire
from edgekit.runtime.page.asset_files import page_digest
from edgekit.runtime.page.feed import Feed, Said, StreamView


@dataclass(frozen=True)
class PageStatus:
    """status.json. Times are the device's; health and report_age_s are None before the first report."""

    device: str  # its host name
    now_unix_s: float
    report_age_s: Optional[float]
    alive: bool
    reason: str  # why it is not alive, "" where it is
    health: Optional[Health]
    machine: MachineReadings
    counts: Counts
    streams: Tuple[StreamView, ...]  # in the order of the settings
    follows: bool  # whether objects are followed, so that there can be events
    events: Tuple[Event, ...]  # newest first
    page: str  # changes with the page itself, which then has to be loaded again
    schema: int = 1


def page_status(feed: Feed) -> PageStatus:
    """All that the page tells, beside the pictures."""
    said = feed.said
    reason = not_alive(said)
    return PageStatus(
        device=socket.gethostname(),
        now_unix_s=time.time(),
        report_age_s=None if said is None else round(time.monotonic() - said.at_s, 2),
        alive=not reason,
        reason=reason,
        health=None if said is None else said.health,
        machine=MachineReadings() if said is None else said.machine,
        counts=Counts() if said is None else said.counts,
        streams=tuple(feed.view(stream) for stream in feed.streams),
        follows=feed.places is not None,
        events=feed.events,
        page=page_digest(),
    )


def status_json(feed: Feed) -> bytes:
    """It as a document."""
    return _document(to_wire(page_status(feed)))


def health_json(reason: str) -> bytes:
    """The answer of /healthz; reason: "" for a service that is alive."""
    return _document({"status": "failing", "reason": reason} if reason else {"status": "ok"})


def not_alive(said: Optional[Said]) -> str:
    """Why a service does not count as alive, "" if it does."""
    if said is None:
        return "the service has not reported yet"
    age_s = time.monotonic() - said.at_s
    if is_alive(said.health, age_s):
        return ""
    return said.health.last_error or (
        "no frame came through yet" if not said.health.frames else f"the latest report is {age_s:.0f} s old"
    )


def _document(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode("utf-8")
