"""A device to itself: one bench at a time on a machine, and no service beside it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.control.bench.partial import PartialFile
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.project import Project
from edgekit.control.services import start, stop, wait_until_healthy
from edgekit.core.deployment import ServiceState
from edgekit.core.progress import OnProgress
from edgekit.errors import DeployError

_POLL_S = 0.2
_LOCAL = "this-machine"  # devices of kind "local" share it


@contextmanager
def alone_on(project: Project, device: Device, on_progress: OnProgress) -> Iterator[bool]:
    """Keep other benches of this project off a device; yields whether they had to be waited for.

    The kernel forgets the lock with the process.
    """
    folder = project.ensure_state() / "bench"
    folder.mkdir(exist_ok=True)
    name = _LOCAL if device.kind == "local" else device.name
    descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _wait_for(descriptor, device.name, on_progress)
    finally:
        os.close(descriptor)


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
        start(link, service.service)
        partial.write(stopped_service="")
        wait_until_healthy(link, service.service, deadline_s, on_progress)


def _wait_for(descriptor: int, device: str, on_progress: OnProgress) -> bool:
    waited = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return waited
        except BlockingIOError:
            waited = True
            on_progress(f"wait for another bench on {device}", 0, 0)
            time.sleep(_POLL_S)
