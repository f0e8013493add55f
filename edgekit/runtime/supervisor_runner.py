"""Services kept by our own supervisor, where there is no systemd: the device that is this machine."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from edgekit.core.activation import RunStatus
from edgekit.core.deployment import LogsAnswer, LogsRequest, ServiceRequest
from edgekit.core.service import HEALTH_NAME
from edgekit.errors import DeployError, NotFoundError
from edgekit.runtime.locks import holder_of
from edgekit.runtime.store import Store
from edgekit.runtime.supervisor import (
    LOCK_NAME,
    LOG_NAME,
    STOP_GRACE_S,
    STOPPED_NAME,
    SUPERVISOR_NAME,
    spawn,
    watch,
)

_START_WITHIN_S = 10.0
_STOP_WITHIN_S = STOP_GRACE_S + 4.0
_LOG_BYTES = 1 << 20


class SupervisorRunner:
    """A supervisor process for each service; see runtime/supervisor.py."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def restart(self, service: str) -> None:
        self._end(service)
        self.start(service)

    def reload(self, service: str) -> None:
        pid = self._pid(service)
        if pid:
            with suppress(ProcessLookupError):  # it ended just now, and what starts next reads `current`
                os.kill(pid, signal.SIGHUP)

    def start(self, service: str) -> None:
        folder = self._store.state_dir(service)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STOPPED_NAME).unlink(missing_ok=True)
        if self._pid(service):
            return
        for name in (HEALTH_NAME, SUPERVISOR_NAME):  # what the last one wrote says nothing of this one
            (folder / name).unlink(missing_ok=True)
        spawn("supervise", ServiceRequest(str(self._store.root), service))
        _wait_until(lambda: self._pid(service) > 0, _START_WITHIN_S, "the supervisor did not start")

    def stop(self, service: str) -> None:
        folder = self._store.state_dir(service)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STOPPED_NAME).touch()
        self._end(service)

    def status(self, service: str) -> RunStatus:
        folder, pid = self._store.state_dir(service), self._pid(service)
        notes = _read_json(folder / SUPERVISOR_NAME)
        return RunStatus(
            running=pid > 0,
            wanted=not (folder / STOPPED_NAME).exists(),
            failed=pid == 0 and notes.get("ended") == "failed",
            ended=pid == 0 and notes.get("ended") == "source",
            restarts=int(notes.get("restarts", 0)),
            pid=pid,
        )

    def watch(self, service: str) -> None:
        watch(self._store, service)

    def logs(self, request: LogsRequest) -> LogsAnswer:
        path = self._store.state_dir(request.service) / LOG_NAME
        if not path.is_file():
            raise NotFoundError(f"{request.service} has no log on this device", hint="edgekit deploy")
        inode, offset = _parse_cursor(request.cursor)
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not request.cursor:
                offset = max(0, status.st_size - _LOG_BYTES)
            elif inode != status.st_ino or offset > status.st_size:
                offset = 0  # the log was rotated
            stream.seek(offset)
            data = stream.read(_LOG_BYTES)
        text = data.decode("utf-8", "replace")
        if not request.cursor:
            text = "".join(text.splitlines(keepends=True)[-request.lines :])
        return LogsAnswer(text, f"{status.st_ino}-{offset + len(data)}")

    def _end(self, service: str) -> None:
        pid = self._pid(service)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            _wait_until(lambda: not self._pid(service), _STOP_WITHIN_S, f"process {pid} did not stop")

    def _pid(self, service: str) -> int:
        """The supervisor's process number, 0 where none lives."""
        holder = holder_of(self._store.state_dir(service) / LOCK_NAME)
        digits = holder.rpartition("(process ")[2].rstrip(")")
        return int(digits) if digits.isdigit() else 0


def _read_json(path: Path) -> Dict[str, Any]:
    """A JSON object that another process writes; empty if it is not there or damaged."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _parse_cursor(cursor: str) -> Tuple[int, int]:
    inode, _, offset = cursor.partition("-")
    return (int(inode), int(offset)) if inode.isdigit() and offset.isdigit() else (0, 0)


def _wait_until(done: Callable[[], bool], limit_s: float, failure: str) -> None:
    deadline_s = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline_s:
            raise DeployError(f"{failure} within {limit_s:.0f} s", hint="edgekit logs")
        time.sleep(0.02)
