"""The history of refreshes: one file each, also of those that changed nothing; and one of a device at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.core.refresh import Refresh
from edgekit.core.wire import to_wire
from edgekit.errors import UsageError
from edgekit.files import write_json

_LOCK_NAME = "lock"


def history_dir(project: Project, device: str) -> Path:
    """Where the refreshes of a device are kept."""
    return project.state_dir / "refreshes" / device


def load_history(project: Project, device: str) -> tuple[Refresh, ...]:
    """All refreshes of a device, newest first. A file that cannot be read is left out."""
    found = [one for path in history_dir(project, device).glob("*.json") if (one := read_record(Refresh, path))]
    return tuple(sorted(found, key=lambda one: one.created_utc, reverse=True))


def last_decided(project: Project, device: str, inputs_sha256: str) -> Refresh | None:
    """The newest refresh that went to its end with the same inputs, None if there was none."""
    history = load_history(project, device)
    return next((one for one in history if one.decided and one.inputs_sha256 == inputs_sha256), None)


def left_unfinished(project: Project, device: str, engine_id: str) -> Refresh | None:
    """The last refresh that put this engine in service, if it ended before that was done, else None."""
    tried = (one for one in load_history(project, device) if one.outcome in ("promoting", "promoted", "reverted"))
    last = next((one for one in tried if one.candidate_engine_id == engine_id), None)
    return last if last is not None and last.outcome == "promoting" else None


def save(project: Project, record: Refresh) -> Path:
    """Keep a refresh under its time; saved again it replaces itself."""
    path = history_dir(project, record.device) / f"{record.created_utc.replace(':', '')}.json"
    write_json(path, to_wire(record))
    return path


def now_utc() -> str:
    """This moment, as created_utc has it: sorts by time, also within a second."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def alone(project: Project, device: str) -> Iterator[None]:
    """One refresh of a device at a time: a timer may start another. The kernel forgets the lock with the process.

    Raises UsageError while another runs.
    """
    project.ensure_state()
    folder = history_dir(project, device)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UsageError(
            f"another refresh of {device} is running", hint=f"wait for it; edgekit refresh --device {device} --history"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
