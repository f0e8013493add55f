"""Services kept by systemd, as `edgekit provision` set it up: requests are files that a root program carries out.

Nothing here needs root: `systemctl show` only reads, and the log is open to the group systemd-journal.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from edgekit.core.activation import RunStatus
from edgekit.core.deployment import LogsAnswer, LogsRequest
from edgekit.errors import DeployError, DeviceError
from edgekit.runtime.journal import read_journal, reconciled_by
from edgekit.runtime.store import Store, check_service

REQUESTS = Path("/run/edgekit/requests")
_PROPERTIES = (
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "MainPID",
    "NRestarts",
    "Job",
    "ExecMainStatus",
    "ExecMainExitTimestampMonotonic",
)
_TAKEN_WITHIN_S = 15.0
_STOP_WITHIN_S = 25.0
_START_WITHIN_S = 10.0
_ASK_WITHIN_S = 20.0
_WATCHED_WITHIN_S, _TRIES = 10.0, 2
_LOG_CHARACTERS = 1 << 20
_CURSOR = "-- cursor: "


class SystemdRunner:
    """Services are units edgekit@NAME.service. requests: the folder that edgekit-control.path watches."""

    def __init__(self, store: Store, requests: Path = REQUESTS) -> None:
        self._store = store
        self._requests = requests

    def restart(self, service: str) -> None:
        self._request(service, "restart")

    def reload(self, service: str) -> None:
        """As a restart does, this also starts edgekit-reconcile@."""
        self._request(service, "reload")

    def start(self, service: str) -> None:
        self._request(service, "start")
        _wait_until(lambda: self.status(service).running, _START_WITHIN_S, f"{_unit(service)} did not start")

    def stop(self, service: str) -> None:
        self._request(service, "stop")
        _wait_until(lambda: not self.status(service).running, _STOP_WITHIN_S, f"{_unit(service)} did not stop")

    def status(self, service: str) -> RunStatus:
        shown = _show(_unit(service))
        pending = (self._requests / service).exists() or shown.get("Job", "") not in ("", "0")
        if shown.get("ActiveState") == "failed" and not pending:
            # At a shutdown everything is stopped, and what ends with an error then has not failed in service.
            pending = _run(["systemctl", "is-system-running"], codes=(0, 1, 4)).strip() == "stopping"
        return parse_status(shown, pending=pending)

    def watch(self, service: str) -> None:
        """The unit wants edgekit-reconcile@, so whatever starts the one starts the other.

        Unless that was just ending: then it was active, was not started again, and nobody watches.
        """
        for _ in range(_TRIES):
            if _comes_true(lambda: self._is_watched(service), _WATCHED_WITHIN_S):
                return
            self._request(service, "restart")
        raise DeployError(
            f"nobody watches {service}: edgekit-reconcile@{service}.service did not start",
            hint=f"journalctl -u edgekit-reconcile@{service} on the device, or edgekit doctor",
        )

    def _is_watched(self, service: str) -> bool:
        return bool(reconciled_by(self._store, service)) or read_journal(self._store, service).settled

    def logs(self, request: LogsRequest) -> LogsAnswer:
        service = check_service(request.service)
        units = ["--unit", _unit(service), "--unit", f"edgekit-reconcile@{service}.service"]
        where = [f"--after-cursor={request.cursor}"] if request.cursor else [f"--lines={request.lines}"]
        text = _run(["journalctl", "--quiet", "--no-pager", "--output=short-iso", "--show-cursor", *units, *where])
        return parse_journal(text, request.cursor)

    def _request(self, service: str, word: str) -> None:
        """Leave a request and wait until it was taken. Raises DeployError if nobody takes it."""
        path = self._requests / check_service(service)
        temporary = self._requests / f".{service}.{os.getpid()}"
        try:
            temporary.write_text(word + "\n", "ascii")
            temporary.chmod(0o644)  # whatever the login user's umask: the root program has no capability to read more
            os.replace(temporary, path)
        except OSError as error:
            raise DeployError(
                f"{word} of {service} cannot be asked for: {error.strerror}",
                why=f"{self._requests} is where edgekit-control.path waits for requests",
                hint="edgekit provision",
            ) from None
        _wait_until(lambda: not path.exists(), _TAKEN_WITHIN_S, f"nobody took the request to {word} {service}")


def parse_status(shown: Dict[str, str], *, pending: bool) -> RunStatus:
    """What `systemctl show` says, in our words. pending: something was asked for and is not done yet.

    Source: systemd.service(5), org.freedesktop.systemd1(5). A unit that waits to be started again is `activating`.
    """
    state = shown.get("ActiveState", "")
    running = pending or state in ("active", "activating", "reloading", "deactivating")
    by_itself = shown.get("ExecMainExitTimestampMonotonic", "0") not in ("", "0")
    success = shown.get("Result") == "success" and shown.get("ExecMainStatus") == "0"
    return RunStatus(
        running=running,
        wanted=pending or shown.get("UnitFileState") in ("enabled", "enabled-runtime", "linked", "linked-runtime"),
        failed=not running and state == "failed",
        ended=not running and state == "inactive" and success and by_itself,
        restarts=_number(shown.get("NRestarts", "")),
        pid=_number(shown.get("MainPID", "")),
    )


def parse_journal(text: str, cursor: str) -> LogsAnswer:
    """What `journalctl --show-cursor` printed; `cursor` stays where it was if there was nothing new."""
    body, found, end = text.rpartition(_CURSOR)
    if not found:
        return LogsAnswer(text[-_LOG_CHARACTERS:], cursor)
    return LogsAnswer(body[-_LOG_CHARACTERS:], end.strip())


def _unit(service: str) -> str:
    return f"edgekit@{check_service(service)}.service"


def _show(unit: str) -> Dict[str, str]:
    text = _run(["systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", unit])
    return dict(line.partition("=")[::2] for line in text.splitlines())


def _run(command: List[str], codes: Tuple[int, ...] = (0,)) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"{command[0]} gave no answer on the device", why=str(error)) from None
    if done.returncode not in codes:
        why = done.stderr.decode("utf-8", "replace").strip()
        raise DeviceError(f"{command[0]} failed with code {done.returncode} on the device", why=why)
    return done.stdout.decode("utf-8", "replace")


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _wait_until(done: Callable[[], bool], limit_s: float, failure: str) -> None:
    if not _comes_true(done, limit_s):
        raise DeployError(f"{failure} within {limit_s:.0f} s", hint="edgekit logs, or edgekit doctor")


def _comes_true(done: Callable[[], bool], limit_s: float) -> bool:
    deadline_s = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True
