"""Who keeps services running on this device: systemd, set up by `edgekit provision`, or our own supervisor."""

from __future__ import annotations

import json
import pwd
from typing import Optional, Protocol

from edgekit.core.activation import RunStatus
from edgekit.core.deployment import LogsAnswer, LogsRequest
from edgekit.errors import DeployError
from edgekit.runtime.store import Store

DEVICE_NAME = "device.json"

_SERVICE_USER = "edgekit"  # made by bootstrap/install.py


class Runner(Protocol):
    """Starts and stops services. Each call may be repeated; those that change something raise DeployError."""

    def restart(self, service: str) -> None:
        """Run what `current` names now, whatever ran before; the service stays wanted from now on."""

    def reload(self, service: str) -> None:
        """Ask what runs to take over what `current` names now; returns before it has, and it may refuse."""

    def start(self, service: str) -> None:
        """Run what `current` names, unless it runs."""

    def stop(self, service: str) -> None:
        """Stop it, and do not start it again by itself."""

    def status(self, service: str) -> RunStatus:
        """How it stands."""

    def watch(self, service: str) -> None:
        """See that a reconciler works on the service's journal, in a process that outlives this one."""

    def logs(self, request: LogsRequest) -> LogsAnswer:
        """A piece of its log."""


def service_group(store: Store) -> Optional[int]:
    """The group of the user that services run as; None where they run as whoever deploys."""
    if _runner_name(store) != "systemd":
        return None
    try:
        return pwd.getpwnam(_SERVICE_USER).pw_gid
    except KeyError:
        raise DeployError(f"there is no user {_SERVICE_USER} on this device", hint="edgekit provision") from None


def runner_for(store: Store) -> Runner:
    """The runner that device.json names; our own supervisor without one. Raises DeployError for an unknown one."""
    name = _runner_name(store)
    if name == "systemd":
        from edgekit.runtime.systemd_runner import SystemdRunner

        return SystemdRunner(store)
    if name == "supervisor":
        from edgekit.runtime.supervisor_runner import SupervisorRunner

        return SupervisorRunner(store)
    raise DeployError(f"{store.root / DEVICE_NAME} names an unknown runner, {name!r}", hint="edgekit provision")


def _runner_name(store: Store) -> str:
    path = store.root / DEVICE_NAME
    try:
        data = json.loads(path.read_text("utf-8"))
        return str(data["runner"])
    except FileNotFoundError:
        return "supervisor"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployError(f"{path} cannot be read: {error}", hint="edgekit provision") from None
