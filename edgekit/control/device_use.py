"""Who uses a device from this machine: a bench has it to itself, deployments and the like share it.

The kernel takes the lock from a process that is killed. The device has one of its own, for other machines:
runtime/measuring.py.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError

_POLL_S = 0.2
_WAIT_S = 60.0  # longer than a short bench takes with all around it
_LOCAL = "this-machine"  # devices of kind "local" share it
_LONGEST_BYTES = 200


@contextmanager
def alone_on(project: Project, device: Device, on_progress: OnProgress) -> Iterator[bool]:
    """Measure a device: what else this project does with it is waited for; yields whether there was anything."""
    descriptor = _open(project, device)
    try:
        waited = not _taken(descriptor, fcntl.LOCK_EX)
        while waited and not _taken(descriptor, fcntl.LOCK_EX):
            on_progress(f"wait for {_holder(descriptor)} on {device.name}", 0, 0)
            time.sleep(_POLL_S)
        _sign(descriptor, "a bench")
        yield waited
    finally:
        os.close(descriptor)


@contextmanager
def unmeasured(
    project: Project, device: Device, what: str, on_progress: OnProgress, wait_s: float | None = None
) -> Iterator[None]:
    """Change a device, while no bench of this project measures it. what: "a deployment".

    A bench under way is waited for, by default a minute at most. Raises DeviceError naming it if it goes on.
    """
    descriptor = _open(project, device)
    try:
        deadline_s = time.monotonic() + (_WAIT_S if wait_s is None else wait_s)
        while not _taken(descriptor, fcntl.LOCK_SH):
            if time.monotonic() > deadline_s:
                raise _measured(device, what, _holder(descriptor))
            on_progress(f"{device.name} is being measured: wait for {_holder(descriptor)}", 0, 0)
            time.sleep(_POLL_S)
        _sign(descriptor, what)
        yield
    finally:
        os.close(descriptor)


def _open(project: Project, device: Device) -> int:
    folder: Path = project.ensure_state() / "bench"
    folder.mkdir(exist_ok=True)
    name = _LOCAL if device.kind == "local" else device.name
    return os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int, what: str) -> None:
    """Of several that share it, the last one is who is named."""
    now = datetime.now(timezone.utc)
    with suppress(OSError):  # on a full disk the lock is held all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{what} since {now:%Y-%m-%d %H:%M:%S} UTC (process {os.getpid()})".encode(), 0)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, _LONGEST_BYTES, 0).decode("utf-8", "replace") or "another edgekit"


def _measured(device: Device, what: str, holder: str) -> DeviceError:
    return DeviceError(
        f"{device.name} is being measured, and {what} would spoil the figures: {holder}",
        hint="wait for it to end, or press Ctrl-C where it runs: it starts the service again\n"
        "then run the same command again",
    )
