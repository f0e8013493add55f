"""`edgekit rollback`: back to a release that was good."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import typer

from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, show_each
from edgekit.control.connect import link_to
from edgekit.control.device_use import unmeasured
from edgekit.control.fleet import Told
from edgekit.control.inventory import Device
from edgekit.control.services import ask_state, find_release, find_service, roll_back
from edgekit.errors import DeployError


@dataclass(frozen=True)
class RolledBack:
    """before is what was in service, release_id what is now."""

    device: str
    service: str
    before: str
    release_id: str
    changed: bool


def command(
    app: App,
    device: DevicesOption = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="This release, or its first digits. Default: the one before."),
    ] = None,
    jobs: JobsOption = JOBS,
) -> int:
    """Go back to a release that was good on the device: by default the one before the current.

    It proves itself like a new one; if it fails, the device returns to where it was. Releases are kept as
    `edgekit gc --keep` says; their ids are in `edgekit status --json`. A bench of the device by this project is waited
    for, a minute at most.

    Examples:

        edgekit rollback
        edgekit rollback --device xavier-nx
        edgekit rollback --device xavier-nx --to 3f2a
    """
    entries = app.inventory.select(device or ["local"])
    done = on_each(app, entries, lambda entry, told: _roll_back(app, entry, to or "", told), jobs=jobs)
    return show_each(app.console, done, _text)


def _roll_back(app: App, entry: Device, to: str, told: Told) -> tuple[str, RolledBack]:
    told.state("probing")
    with unmeasured(app.project, entry, "a rollback", told.progress), closing(link_to(app.project, entry)) as link:
        service = find_service(ask_state(link), entry.service)
        if service is None:
            raise DeployError(
                f"{entry.service} was never deployed on {entry.name}", hint=f"edgekit deploy --device {entry.name}"
            )
        wanted = find_release(service, to, entry.name) if to else ""
        told.state("probation")
        answer = roll_back(link, entry.service, wanted, entry.probation_rule(), told.progress)
        back = RolledBack(entry.name, entry.service, service.release_id, answer.journal.committed, answer.changed)
        return ("healthy" if back.changed else "unchanged"), back


def _text(done: RolledBack) -> str:
    if not done.changed:
        return f"{done.service} on {done.device} runs release {done.release_id} already"
    return f"{done.service} on {done.device} is healthy with release {done.release_id}, after {done.before}"
