"""`edgekit stop`: end services."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, show_each
from edgekit.control.connect import link_to
from edgekit.control.fleet import Told
from edgekit.control.inventory import Device
from edgekit.control.services import ask_state, stop


@dataclass(frozen=True)
class Stopped:
    """The services that ran on a device and do not any more."""

    device: str
    stopped: tuple[str, ...]


def command(app: App, device: DevicesOption = None, jobs: JobsOption = JOBS) -> int:
    """Stop every service on a device; it stays stopped after a reboot. `edgekit start` or `deploy` starts it again.

    Examples:

        edgekit stop
        edgekit stop --device xavier-nx
        edgekit stop --device street
    """
    entries = app.inventory.select(device or ["local"])
    done = on_each(app, entries, lambda entry, told: _stop_all(app, entry, told), jobs=jobs)
    return show_each(app.console, done, _text)


def _stop_all(app: App, entry: Device, told: Told) -> tuple[str, Stopped]:
    told.state("stopping")
    with closing(link_to(app.project, entry)) as link:
        running = [item for item in ask_state(link).services if item.running]
        return "stopped", Stopped(entry.name, tuple(stop(link, item.service).service for item in running))


def _text(done: Stopped) -> str:
    return f"stopped {', '.join(done.stopped)} on {done.device}" if done.stopped else f"nothing runs on {done.device}"
