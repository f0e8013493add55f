"""No service beside a bench: stopped for it, and started again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.control.bench.partial import PartialFile
from edgekit.control.link import Link
from edgekit.control.services import start, stop, wait_until_healthy
from edgekit.core.deployment import ServiceState
from edgekit.core.progress import OnProgress
from edgekit.errors import DeployError, UnreachableError


@contextmanager
def paused(
    link: Link, service: ServiceState | None, deadline_s: float, partial: PartialFile, on_progress: OnProgress
) -> Iterator[bool]:
    """Keep the service stopped meanwhile, because it would share the cores; yields whether it is to be started again.

    That it is stopped is written down first, so that the next bench can mend what a kill leaves. A service that the
    partial file names already was left stopped, and is started as well. deadline_s: for its first frames. Raises
    DeployError while a release is on probation.
    """
    running = service is not None and service.running
    if service is None or not (running or partial.content.stopped_service):
        yield False
        return
    if not service.journal.settled:
        raise DeployError(
            f"release {service.journal.target} of {service.service} is being tried on {link.device}",
            hint=f"wait until edgekit status {link.device} shows it healthy",
        )
    partial.write(stopped_service=service.service)
    if running:
        on_progress("stop the service for the measurement", 0, 0)
        stop(link, service.service)
    try:
        yield True
    finally:
        _start_again(link, service.service)
        partial.write(stopped_service="")
        wait_until_healthy(link, service.service, deadline_s, on_progress)


def _start_again(link: Link, service: str) -> None:
    try:
        start(link, service)
    except UnreachableError as error:
        raise UnreachableError(
            f"{service} on {link.device} is still stopped: it could not be reached to start it",
            why=f"it was stopped for the measurement, which counts for nothing\n{error.what}",
            hint=f"edgekit start --device {link.device}    (the next bench does so too)",
        ) from None
