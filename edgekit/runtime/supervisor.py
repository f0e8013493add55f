"""Keeping a service running where there is no systemd: restart with growing pauses, end what hangs, write its log.

SIGHUP is passed on: the service takes over what `current` names now.

The supervisor holds a lock on state/<service>/lock for as long as it lives, so "is it running?" has one true answer
even after a crash or a reused process number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from logging import Formatter, LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Deque, Dict

from edgekit.core.deployment import ServeRequest, ServiceRequest
from edgekit.core.progress import OnProgress
from edgekit.core.service import HEALTH_NAME
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError
from edgekit.files import write_json
from edgekit.runtime.flag import Flag
from edgekit.runtime.locks import LockHeldError, held
from edgekit.runtime.store import Store

LOCK_NAME = "lock"
LOG_NAME = "log.txt"
RECONCILE_LOG_NAME = "reconcile.txt"
SUPERVISOR_NAME = "supervisor.json"
STOPPED_NAME = "stopped"  # there while a person wants the service down
STOP_GRACE_S = 8.0

_CODE_FOLDER = "code"
_LOG_BYTES, _LOG_FILES = 1 << 20, 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_HUNG_AFTER_S = 15.0
_STARTING_S = 60.0
_LOCK_WITHIN_S = 2.0
# As in the systemd unit: a service that was started this often within this time stays down.
_START_LIMIT, _START_LIMIT_S = 5, 120.0


def spawn(verb: str, request: ServiceRequest, log: Path = Path(os.devnull)) -> None:
    """Start a verb in a session of its own. It outlives this process, which does not wait for it."""
    command = [sys.executable, "-s", "-m", "edgekit.runtime", verb, "-"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
        )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(to_wire(request)).encode())
        process.stdin.close()
    process.returncode = 0


def watch(store: Store, service: str) -> None:
    """Start a reconciler for the service. One that is there already sends it away."""
    log = store.state_dir(service) / RECONCILE_LOG_NAME
    spawn("reconcile", ServiceRequest(str(store.root), service), log)


def supervise(request: ServiceRequest, on_progress: OnProgress) -> Dict[str, int]:
    """Stay and keep the service alive until SIGTERM."""
    store = Store(request.root)
    folder = store.state_dir(request.service)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder / LOCK_NAME, "supervisor", _LOCK_WITHIN_S):
            keeper = _Supervisor(store, request.service)
            restarts = keeper.run()
    except LockHeldError as error:
        raise DeployError(f"{request.service} has a supervisor already: {error.holder}") from None
    if keeper.failed:
        watch(store, request.service)  # it decides whether the release before takes over
    return {"restarts": restarts}


class _Supervisor:
    """Owns the service's process and its log."""

    def __init__(self, store: Store, service: str) -> None:
        self._store, self._service = store, service
        self._folder = store.state_dir(service)
        self._log = _open_log(self._folder / LOG_NAME)
        self._stopping, self._reload = Flag(), Flag()
        self._restarts = 0
        self._starts_s: Deque[float] = deque(maxlen=_START_LIMIT)
        self.failed = False

    def run(self) -> int:
        """Stay until told to stop or until the source has ended; the number of restarts."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        signal.signal(signal.SIGHUP, lambda *_: self._reload.set())
        try:
            self._keep_running()
            self._say("stopped")
        finally:
            self._log.close()
        return self._restarts

    def _keep_running(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            self._starts_s.append(started_s)
            self._note()
            code = self._run_once()
            if self._stopping.is_set():
                return
            if code == 0:
                self._say("the source ended, and so does the service")
                self._note(ended="source")
                return
            if self._failed_too_often():
                return
            pause_s = _FIRST_PAUSE_S if time.monotonic() - started_s > _LONGEST_PAUSE_S else pause_s
            self._say(f"the service ended with code {code}; starting it again in {pause_s:.0f} s")
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            self._restarts += 1

    def _failed_too_often(self) -> bool:
        oldest_s = self._starts_s[0] if len(self._starts_s) == _START_LIMIT else float("-inf")
        self.failed = time.monotonic() - oldest_s < _START_LIMIT_S
        if self.failed:
            self._say(f"started {_START_LIMIT} times within {_START_LIMIT_S:.0f} s: it stays down")
            self._note(ended="failed")
        return self.failed

    def _run_once(self) -> int:
        self._reload.clear()  # what starts now reads `current` by itself
        release = (self._store.current / self._service).resolve()
        self._say(f"starting release {release.name}")
        process = subprocess.Popen(
            [sys.executable, "-s", "-m", "edgekit.runtime", "serve", "-"],
            cwd=release / _CODE_FOLDER,
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
        process.stdout.close()
        return process.wait()

    def _watch(self, process: subprocess.Popen) -> None:  # type: ignore[type-arg]
        started_s = time.monotonic()
        while process.poll() is None:
            if self._stopping.wait(0.2):
                _end(process)
            elif self._reload.is_set():
                self._pass_on_reload(process)
            elif self._hangs(time.monotonic() - started_s):
                self._say(f"no frame for {_HUNG_AFTER_S:.0f} s: ending the service")
                _end(process)

    def _pass_on_reload(self, process: subprocess.Popen) -> None:  # type: ignore[type-arg]
        """The release that is taken over has a count of restarts of its own."""
        self._reload.clear()
        self._restarts = 0
        self._starts_s.clear()
        self._note()
        process.send_signal(signal.SIGHUP)

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

    def _note(self, ended: str = "") -> None:
        """For runtime/supervisor_runner.py. ended: "source" or "failed", "" while it is kept running."""
        write_json(self._folder / SUPERVISOR_NAME, {"restarts": self._restarts, "ended": ended})


def _end(process: subprocess.Popen) -> None:  # type: ignore[type-arg]
    process.terminate()
    try:
        process.wait(STOP_GRACE_S)
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
