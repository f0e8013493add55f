"""Services of a device, asked for and waited for: a new release, going back, start, stop, logs.

The device decides by itself whether a release stays; see core/activation.py. The host only hands it over and watches,
so that its end, or a cut link, changes nothing.
"""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable

from edgekit.control.link import Link
from edgekit.control.release import Release
from edgekit.core.activation import Journal, Probation
from edgekit.core.deployment import (
    ActivateAnswer,
    ActivateRequest,
    GcAnswer,
    GcRequest,
    LogsAnswer,
    LogsRequest,
    RollbackRequest,
    ServiceRequest,
    ServiceState,
    StateAnswer,
    StateRequest,
)
from edgekit.core.progress import OnProgress
from edgekit.errors import DeployError, EdgekitError, NotFoundError, UnhealthyError, UnreachableError, UsageError

# Told of the states "sending" and "probation", in this order.
OnState = Callable[[str], None]

_POLL_S = 0.3
_GIVE_UP_AFTER_RESTARTS = 2
# How long a lost link is looked for again while the device decides by itself, and the pause between attempts.
_LOST_LINK_S, _PAUSE_S = 60.0, 2.0


def put_in_service(
    link: Link,
    release: Release,
    probation: Probation,
    on_progress: OnProgress,
    on_state: OnState = lambda state: None,
    *,
    retry: bool = False,
) -> Journal:
    """Send and activate a release, and wait until the device has committed it or gone back.

    retry: also if it failed there before. Raises UnhealthyError if the device took it back, DeployError if it was not
    admitted: the service that ran before runs then. An interrupted wait changes nothing there.
    """
    service = release.manifest.service
    on_state("sending")
    link.deliver({**release.paths, **release.content}, on_progress)
    request = ActivateRequest(link.root, release.manifest, probation, by=operator(), retry=retry)
    on_progress("activate the release", 0, 0)
    link.call("activate", request, ActivateAnswer, on_progress)
    on_state("probation")
    return settle(link, service, release.manifest.release_id, on_progress)


def roll_back(
    link: Link, service: str, release_id: str, probation: Probation, on_progress: OnProgress
) -> ActivateAnswer:
    """Go back to a release that was good here, "" for the one before the current, and wait until it is committed.

    Raises as `put_in_service` does. changed of the answer is False if that release is in service already.
    """
    request = RollbackRequest(link.root, service, release_id, probation, by=operator())
    answer = link.call("rollback", request, ActivateAnswer, on_progress)
    wanted = answer.journal.target or answer.journal.committed
    return ActivateAnswer(settle(link, service, wanted, on_progress), answer.changed)


def settle(link: Link, service: str, release_id: str, on_progress: OnProgress) -> Journal:
    """Wait until nothing of a service is under way, and see that it is this release that stays.

    Raises UnhealthyError if it was taken back, UnreachableError if the link stays lost.
    """
    journal = _settled(link, service, on_progress)
    if journal.committed == release_id:
        return journal
    raise _taken_back(link, journal, release_id)


def start(link: Link, service: str) -> ServiceState:
    """Start a service, unless it runs."""
    return link.call("start", ServiceRequest(link.root, service), ServiceState)


def stop(link: Link, service: str) -> ServiceState:
    """Stop a service, if it runs."""
    return link.call("stop", ServiceRequest(link.root, service), ServiceState)


def start_again(link: Link, service: str, deadline_s: float, on_progress: OnProgress) -> ServiceState:
    """Stop and start a service, and wait for its first good frames. Raises UnhealthyError without any."""
    stop(link, service)
    return start_and_wait(link, service, deadline_s, on_progress)


def start_and_wait(link: Link, service: str, deadline_s: float, on_progress: OnProgress) -> ServiceState:
    """Start a service and wait for its first good frames. Raises UnhealthyError without any by the deadline."""
    start(link, service)
    return wait_until_healthy(link, service, deadline_s, on_progress)


def wait_until_healthy(link: Link, service: str, deadline_s: float, on_progress: OnProgress) -> ServiceState:
    """Wait for the first good frames of what runs. Raises UnhealthyError with the end of the service's log."""
    started_s = time.monotonic()
    while (waited_s := time.monotonic() - started_s) < deadline_s:
        on_progress("wait until the service is healthy", int(waited_s), 0)
        now = find_service(ask_state(link), service)
        # Not is_healthy: a short source may have come to its end already, and that is well.
        if now and now.sees_frames:
            return now
        if now is None or not now.running or now.restarts >= _GIVE_UP_AFTER_RESTARTS:
            break
        time.sleep(_POLL_S)
    raise UnhealthyError(
        f"{service} on {link.device} saw no frame within {waited_s:.0f} s",
        why=_end_of_log(link, service),
        hint=f"edgekit logs --device {link.device}",
    )


def ask_state(link: Link) -> StateAnswer:
    """The engines and services of a device."""
    return link.call("state", StateRequest(link.root), StateAnswer)


def find_service(state: StateAnswer, service: str) -> ServiceState | None:
    """A service by its name, None if it was never deployed."""
    return next((item for item in state.services if item.service == service), None)


def read_log(link: Link, service: str, *, lines: int = 50, cursor: str = "") -> LogsAnswer:
    """The last lines of a service's log, or with a cursor what follows that place."""
    return link.call("logs", LogsRequest(link.root, service, lines, cursor), LogsAnswer)


def collect_garbage(link: Link, keep: int, *, dry_run: bool) -> GcAnswer:
    """Delete what no kept release needs; keep: good releases of each service, with the current one."""
    return link.call("gc", GcRequest(link.root, keep, dry_run), GcAnswer)


def find_release(state: ServiceState, wanted: str, device: str) -> str:
    """The id of a good release that begins like this. Raises NotFoundError or UsageError naming those there are."""
    good = state.journal.good
    found = [release_id for release_id in good if release_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    listed = "\n".join(f"{release_id}{', in service' if release_id == state.release_id else ''}" for release_id in good)
    if found:
        raise UsageError(f"{wanted!r} begins the ids of {len(found)} releases on {device}", why=listed)
    raise NotFoundError(
        f"no good release of {state.service} on {device} has an id that begins with {wanted!r}",
        why=listed or "none was ever committed there",
        hint=f"edgekit rollback --device {device}",
    )


def operator() -> str:
    """Who asks, for the device's journal: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _settled(link: Link, service: str, on_progress: OnProgress) -> Journal:
    lost_s: float | None = None
    while True:
        try:
            return link.call("settle", ServiceRequest(link.root, service), Journal, on_progress)
        except UnreachableError as error:
            now_s = time.monotonic()
            lost_s = now_s if lost_s is None else lost_s
            if now_s - lost_s > _LOST_LINK_S:
                raise _lost(link, error) from None
            on_progress("the link is lost; the device goes on by itself", int(now_s - lost_s), 0)
            time.sleep(_PAUSE_S)


def _lost(link: Link, error: UnreachableError) -> UnreachableError:
    return UnreachableError(
        f"the link to {link.device} was lost while the release was on probation",
        why=f"{error.what}\nthe device goes on by itself: it keeps the release if it proves itself, else it goes back",
        hint=f"edgekit status {link.device}",
    )


def _taken_back(link: Link, journal: Journal, release_id: str) -> EdgekitError:
    failure = journal.failure_of(release_id)
    now = f"release {journal.committed} runs again" if journal.committed else "it was stopped"
    if failure is None:
        return DeployError(
            f"release {release_id} of {journal.service} on {link.device} was replaced by another; {now}",
            why=f"by {journal.by}" if journal.by else "",
            hint=f"edgekit status {link.device}",
        )
    log = _end_of_log(link, journal.service, before=journal.committed)
    return UnhealthyError(
        f"release {release_id} of {journal.service} on {link.device} failed: {failure.reason}; {now}",
        why=log,
        hint=f"edgekit logs --device {link.device}\nedgekit deploy --device {link.device} --retry    (tries it again)",
    )


def _end_of_log(link: Link, service: str, before: str = "", lines: int = 8) -> str:
    """The end of a log for a message; before: cut where this release starts again. "" if it cannot be had."""
    try:
        text = read_log(link, service, lines=8 * lines).text
    except EdgekitError:
        return ""
    found = text.rstrip().splitlines()
    cut = next((number for number in reversed(range(len(found))) if before and before in found[number]), 0)
    return "\n".join((found[:cut] or found)[-lines:])
