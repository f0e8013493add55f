"""The services of a device folder: what runs, starting one, stopping one. On a Jetson systemd does this instead."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from edgekit.core.progress import OnProgress
from edgekit.core.requests import ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.service import HEALTH_NAME, Health
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeployError, EdgekitError
from edgekit.runtime.activation import JOURNAL_NAME
from edgekit.runtime.store import Store
from edgekit.runtime.supervisor import LOCK_NAME, STOP_GRACE_S, SUPERVISOR_NAME

_START_WITHIN_S = 10.0
_STOP_WITHIN_S = STOP_GRACE_S + 4.0


def state(request: StateRequest, on_progress: OnProgress) -> StateAnswer:
    """Engines and services of a device folder."""
    store = Store(request.root)
    engines, damaged = store.list_engines()
    services = tuple(_service_state(store, name) for name in store.list_services())
    return StateAnswer(tuple(engines), services, tuple(damaged))


def start(request: ServiceRequest, on_progress: OnProgress) -> ServiceState:
    """Start a supervisor for the service in a session of its own, unless one is running."""
    store = Store(request.root)
    if not store.current_release_id(request.service):
        raise DeployError(f"no release of {request.service} is on this device", hint="edgekit deploy")
    if not _lock_holder(store, request.service):
        for name in (HEALTH_NAME, SUPERVISOR_NAME):  # what the last one wrote says nothing of this one
            (store.state_dir(request.service) / name).unlink(missing_ok=True)
        _spawn_supervisor(request)
        _wait_until(lambda: bool(_lock_holder(store, request.service)), _START_WITHIN_S, "the supervisor did not start")
    return _service_state(store, request.service)


def stop(request: ServiceRequest, on_progress: OnProgress) -> ServiceState:
    """Stop the service and its supervisor; does nothing where none is running."""
    store = Store(request.root)
    pid = _lock_holder(store, request.service)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_until(lambda: not _lock_holder(store, request.service), _STOP_WITHIN_S, f"process {pid} did not stop")
    return _service_state(store, request.service)


def _spawn_supervisor(request: ServiceRequest) -> None:
    command = [sys.executable, "-m", "edgekit.runtime", "supervise", "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(to_wire(request)).encode())
    process.stdin.close()
    process.returncode = 0  # it outlives this command, which is not to wait for it


def _lock_holder(store: Store, service: str) -> int:
    """The supervisor's process number, 0 where none lives."""
    try:
        with (store.state_dir(service) / LOCK_NAME).open("r") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return 0
            except OSError:
                return int(stream.read() or 0)
    except (OSError, ValueError):
        return 0


def _wait_until(done: Callable[[], bool], limit_s: float, failure: str) -> None:
    deadline_s = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline_s:
            raise DeployError(f"{failure} within {limit_s:.0f} s", hint="edgekit logs")
        time.sleep(0.05)


def _service_state(store: Store, service: str) -> ServiceState:
    folder = store.state_dir(service)
    pid = _lock_holder(store, service)
    release_id = store.current_release_id(service)
    return ServiceState(
        service=service,
        release_id=release_id,
        previous_release_id=str(_read_json(folder / JOURNAL_NAME).get("from", "")),
        running=pid > 0,
        supervisor_pid=pid,
        restarts=int(_read_json(folder / SUPERVISOR_NAME).get("restarts", 0)),
        health=_read_health(folder),
        release=store.read_release(release_id),
    )


def _read_health(folder: Path) -> Optional[Health]:
    data = _read_json(folder / HEALTH_NAME)
    try:
        return from_wire(Health, data, HEALTH_NAME) if data else None
    except EdgekitError:
        return None


def _read_json(path: Path) -> Dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
