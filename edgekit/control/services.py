"""Putting a release into service on a device, waiting until it is healthy, and going back if it is not."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from edgekit.control.link import Link
from edgekit.control.release import Release
from edgekit.core.progress import OnProgress
from edgekit.core.requests import (
    ActivateAnswer,
    ActivateRequest,
    LogsAnswer,
    LogsRequest,
    MissingAnswer,
    MissingRequest,
    ServiceRequest,
    ServiceState,
    StateAnswer,
    StateRequest,
    SwitchRequest,
)
from edgekit.core.service import is_alive
from edgekit.errors import UnhealthyError

_HEALTHY_WITHIN_S = 60.0
_POLL_S = 0.3
_GIVE_UP_AFTER_RESTARTS = 2


def put_in_service(link: Link, release: Release, on_progress: OnProgress) -> None:
    """Send, activate and start a release, and wait for its first good frames.

    Whatever goes wrong, Ctrl-C included, the release before runs again, if there was one. Raises UnhealthyError if no
    good frame came.
    """
    service = release.manifest.service
    _send_missing(link, release, on_progress)
    answer = link.call("activate", ActivateRequest(link.root, release.manifest), ActivateAnswer, on_progress)
    try:
        stop(link, service)
        start(link, service)
        wait_until_healthy(link, service, answer.release_id, on_progress)
    except UnhealthyError as error:
        outcome = _go_back(link, service, answer)
        raise UnhealthyError(f"{error.what}; {outcome}", why=error.why, hint=error.hint) from None
    except BaseException:
        _go_back(link, service, answer)
        raise


def start(link: Link, service: str) -> ServiceState:
    """Start a service, unless it runs."""
    return link.call("start", ServiceRequest(link.root, service), ServiceState)


def stop(link: Link, service: str) -> ServiceState:
    """Stop a service, if it runs."""
    return link.call("stop", ServiceRequest(link.root, service), ServiceState)


def wait_until_healthy(link: Link, service: str, release_id: str, on_progress: OnProgress) -> None:
    """Wait for the first good frames of a release. Raises UnhealthyError with the end of the service's log."""
    started_s = time.monotonic()
    while (waited_s := time.monotonic() - started_s) < _HEALTHY_WITHIN_S:
        on_progress("wait until the service is healthy", int(waited_s), 0)
        now = _service_state(link, service)
        # Not is_healthy: a short source may have come to its end already, and that is well.
        if now and now.health and now.health.release == release_id and is_alive(now.health, time.time()):
            return
        if now is None or not now.running or now.restarts >= _GIVE_UP_AFTER_RESTARTS:
            break
        time.sleep(_POLL_S)
    log = link.call("logs", LogsRequest(link.root, service, lines=8), LogsAnswer).text
    raise UnhealthyError(
        f"{service} on {link.device} saw no frame within {waited_s:.0f} s",
        why=log.rstrip(),
        hint=f"edgekit logs --device {link.device}",
    )


def ask_state(link: Link) -> StateAnswer:
    """The engines and services of a device."""
    return link.call("state", StateRequest(link.root), StateAnswer)


def _service_state(link: Link, service: str) -> ServiceState | None:
    return next((item for item in ask_state(link).services if item.service == service), None)


def _send_missing(link: Link, release: Release, on_progress: OnProgress) -> None:
    missing = link.call("missing", MissingRequest(link.root, release.manifest.files), MissingAnswer)
    with TemporaryDirectory() as folder:
        for done, sha256 in enumerate(missing.sha256):
            on_progress("send files", done, len(missing.sha256))
            path = release.paths.get(sha256)
            if path is None:
                path = Path(folder) / sha256
                path.write_bytes(release.content[sha256])
            link.send(path, f"{missing.incoming_dir}/{sha256}")


def _go_back(link: Link, service: str, answer: ActivateAnswer) -> str:
    """Return to the release before, if there was another; what was done, for the message."""
    stop(link, service)
    previous = answer.previous_release_id
    if not answer.changed or not previous:
        return "it was stopped"
    link.call("switch", SwitchRequest(link.root, service, previous), ActivateAnswer)
    start(link, service)
    return f"release {previous} runs again"
