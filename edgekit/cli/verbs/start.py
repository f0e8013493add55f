"""`edgekit start`: start services that were stopped."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, show_each
from edgekit.control.connect import link_to
from edgekit.control.fleet import Told
from edgekit.control.inventory import Device
from edgekit.control.services import ask_state, start_and_wait
from edgekit.errors import DeployError


@dataclass(frozen=True)
class Started:
    """The services of a device that were started, and see frames."""

    device: str
    started: tuple[str, ...]


def command(app: App, device: DevicesOption = None, jobs: JobsOption = JOBS) -> int:
    """Start every service of a device that does not run, and wait for its first frames. Nothing new is deployed.

    Examples:

        edgekit start
        edgekit start --device xavier-nx
        edgekit start --device street
    """
    entries = app.inventory.select(device or ["local"])
    done = on_each(app, entries, lambda entry, told: _start_all(app, entry, told), jobs=jobs)
    return show_each(app.console, done, _text)


def _start_all(app: App, entry: Device, told: Told) -> tuple[str, Started]:
    told.state("starting")
    with closing(link_to(app.project, entry)) as link:
        services = ask_state(link).services
        if not services:
            raise DeployError(f"nothing is deployed on {entry.name}", hint=f"edgekit deploy --device {entry.name}")
        stopped = [item.service for item in services if not item.running]
        for service in stopped:
            start_and_wait(link, service, entry.probation.deadline_s, told.progress)
        return ("healthy" if stopped else "unchanged"), Started(entry.name, tuple(stopped))


def _text(done: Started) -> str:
    if not done.started:
        return f"everything runs already on {done.device}"
    return f"started {', '.join(done.started)} on {done.device}"
