"""Keeping a service running where there is no systemd: restart with growing pauses, end what hangs, write its log.

The supervisor holds a lock on state/<service>/lock for as long as it lives, so "is it running?" has one true answer
even after a crash or a reused process number.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from logging import Formatter, LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any, Dict, List, Optional

from edgekit.core.requests import ServeRequest, ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.service import HEALTH_NAME, Health
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeployError, EdgekitError
from edgekit.files import write_json
from edgekit.runtime.store import Store

LOG_NAME = "log.txt"
SUPERVISOR_NAME = "supervisor.json"
CODE_FOLDER = "code"
_LOG_BYTES, _LOG_FILES = 1 << 20, 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_HUNG_AFTER_S = 15.0
_STARTING_S = 60.0
_STOP_GRACE_S = 8.0


def state(request: StateRequest, on_progress: Any) -> StateAnswer:
    """Engines and services of a device folder."""
    store = Store(request.root)
    engines, damaged = store.list_engines()
    services = tuple(_service_state(store, name) for name in store.list_services())
    return StateAnswer(tuple(engines), services, tuple(damaged))


def start(request: ServiceRequest, on_progress: Any) -> ServiceState:
    """Start a supervisor for the service in a session of its own, unless one is running."""
    store = Store(request.root)
    if not store.current_release_id(request.service):
        raise DeployError(f"no release of {request.service} is on this device", hint="edgekit deploy")
    if not _lock_holder(store, request.service):
        (store.state_dir(request.service) / HEALTH_NAME).unlink(missing_ok=True)
        _spawn_supervisor(request)
        _wait_until(lambda: bool(_lock_holder(store, request.service)), 10.0, "the supervisor did not start")
    return _service_state(store, request.service)


def stop(request: ServiceRequest, on_progress: Any) -> ServiceState:
    """Stop the service and its supervisor; does nothing where none is running."""
    store = Store(request.root)
    pid = _lock_holder(store, request.service)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_until(lambda: not _lock_holder(store, request.service), _STOP_GRACE_S + 4, f"process {pid} did not stop")
    return _service_state(store, request.service)


def supervise(request: ServiceRequest, on_progress: Any) -> Dict[str, int]:
    """Stay and keep the service alive until SIGTERM."""
    store = Store(request.root)
    folder = store.state_dir(request.service)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        _wait_until(lambda: _try_lock(lock), 2.0, f"{request.service} has a supervisor already; no lock")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return {"restarts": _Supervisor(store, request.service).run()}


class _Supervisor:
    """Owns the service's process and its log."""

    def __init__(self, store: Store, service: str) -> None:
        self._store, self._service = store, service
        self._folder = store.state_dir(service)
        self._log = _open_log(self._folder / LOG_NAME)
        self._stopping = threading.Event()
        self._restarts = 0

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            self._note()
            code = self._run_once()
            if self._stopping.is_set():
                break
            pause_s = _FIRST_PAUSE_S if time.monotonic() - started_s > _LONGEST_PAUSE_S else pause_s
            self._say(f"the service ended with code {code}; starting it again in {pause_s:.0f} s")
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            self._restarts += 1
        self._say("stopped")
        return self._restarts

    def _run_once(self) -> int:
        release = (self._store.current / self._service).resolve()
        self._say(f"starting release {release.name}")
        process = subprocess.Popen(
            [sys.executable, "-s", "-m", "edgekit.runtime", "serve", "-"],
            cwd=release / CODE_FOLDER,
            env=_environment(self._store),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(to_wire(ServeRequest(str(release), str(self._folder)))).encode())
            process.stdin.close()
        reader = threading.Thread(target=self._copy_log, args=(process.stdout,), daemon=True)
        reader.start()
        self._watch(process)
        reader.join(2.0)
        return process.wait()

    def _watch(self, process: subprocess.Popen) -> None:  # type: ignore[type-arg]
        started_s = time.monotonic()
        while process.poll() is None:
            if self._stopping.wait(0.2):
                _end(process)
            elif self._hangs(time.monotonic() - started_s):
                self._say(f"no frame for {_HUNG_AFTER_S:.0f} s: ending the service")
                _end(process)

    def _hangs(self, running_s: float) -> bool:
        try:
            idle_s = time.time() - (self._folder / HEALTH_NAME).stat().st_mtime
        except OSError:
            return running_s > _STARTING_S
        return running_s > _STARTING_S and idle_s > _HUNG_AFTER_S

    def _copy_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._say(line.decode("utf-8", "replace").rstrip())

    def _say(self, text: str) -> None:
        self._log.emit(LogRecord("edgekit", 20, "", 0, text, None, None))

    def _note(self) -> None:
        write_json(self._folder / SUPERVISOR_NAME, {"pid": os.getpid(), "restarts": self._restarts})


def _end(process: subprocess.Popen) -> None:  # type: ignore[type-arg]
    process.terminate()
    try:
        process.wait(_STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _open_log(path: Path) -> RotatingFileHandler:
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8")
    handler.setFormatter(Formatter("%(asctime)s %(message)s"))
    return handler


def _environment(store: Store) -> Dict[str, str]:
    """The code's own folder comes first on the path; compiled files stay out of the release."""
    return {**os.environ, "PYTHONPATH": "", "PYTHONPYCACHEPREFIX": str(store.root / "pycache"), "PYTHONUNBUFFERED": "1"}


def _spawn_supervisor(request: ServiceRequest) -> None:
    command: List[str] = [sys.executable, "-m", "edgekit.runtime", "supervise", "-"]
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
        with (store.state_dir(service) / "lock").open("r") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return 0
            except OSError:
                return int(stream.read() or 0)
    except (OSError, ValueError):
        return 0


def _try_lock(stream: IO[str]) -> bool:
    """Tried for a moment: whoever asks for the lock's holder borrows it for an instant."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def _wait_until(done: Any, limit_s: float, failure: str) -> None:
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
        previous_release_id=str(_read_json(folder / "journal.json").get("from", "")),
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
