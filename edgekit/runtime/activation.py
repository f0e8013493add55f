"""Putting a release into service: admitted, assembled, written down, made current, and left to its probation.

At every moment `current/<service>` names a whole release, the old or the new. Verbs `activate` and `rollback` return as
soon as the service was restarted, or asked to take the release over without that; runtime/reconcile.py, in another
process, commits the release or goes back.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import List

import edgekit
from edgekit.core.activation import Journal, Wanted, begin, on_probation
from edgekit.core.deployment import ActivateAnswer, ActivateRequest, RollbackRequest, ServiceRequest
from edgekit.core.device import DeviceProfile
from edgekit.core.engine_key import key_differences
from edgekit.core.progress import OnProgress
from edgekit.core.release import ReleaseManifest
from edgekit.errors import DeployError, EdgekitError, EngineMismatchError
from edgekit.runtime.assembly import assemble
from edgekit.runtime.journal import LockHeldError, journal_lock, read_journal, reconciled_by, write_journal
from edgekit.runtime.locks import device_lock
from edgekit.runtime.measuring import unmeasured
from edgekit.runtime.objects import count_new
from edgekit.runtime.reloading import read_parts, takes_over
from edgekit.runtime.runner import Runner, runner_for
from edgekit.runtime.settle import settle
from edgekit.runtime.space import check_room, disk_trouble, sweep_parts
from edgekit.runtime.store import Store

THIS_CODE = Path(edgekit.__file__).resolve().parents[1]
_BENCH_WAIT_S = 10.0  # so long a bench under way is waited for; the host has waited longer
_LOCK_WAIT_S = 10.0  # a reconciler that finds nothing to do is gone by then


def activate(request: ActivateRequest, profile: DeviceProfile, on_progress: OnProgress) -> ActivateAnswer:
    """Put a release on probation. Raises DeployError or EngineMismatchError, DeviceError while the device is measured;
    what ran before runs on then."""
    store, manifest = Store(request.root), request.manifest
    service, release_id = manifest.service, manifest.release_id
    with ExitStack() as stack:
        stack.enter_context(device_lock(store, f"{request.by or 'someone'}, activating {service}"))
        stack.enter_context(disk_trouble(store))
        store.make()
        stack.enter_context(unmeasured(store.engines, "a deployment", _BENCH_WAIT_S, on_progress))
        check_class(manifest, profile)
        journal = _prepared_journal(store, service, release_id, on_progress)
        if not journal.settled and reconciled_by(store, service):
            return ActivateAnswer(journal, changed=True)
        check_admitted(journal, manifest, retry=request.retry)
        on_progress("check and assemble the release", 0, 0)
        if count_new(store, manifest.files):
            check_room(store.root, 0)
        sweep_parts(store)
        mended = assemble(store, manifest)
        check_settings(store.release_dir(release_id))
        store.adopt_code(THIS_CODE)
        runner = runner_for(store)
        if journal.settled and journal.committed == release_id == store.current_release_id(service):
            return _keep(runner, journal, mended=mended)
        return _try(store, runner, service, Wanted(release_id, manifest.counter, request.probation, request.by))


def rollback(request: RollbackRequest, on_progress: OnProgress) -> ActivateAnswer:
    """Put a release that was good on probation again. Raises DeployError where there is none."""
    store, service = Store(request.root), request.service
    with ExitStack() as stack:
        stack.enter_context(device_lock(store, f"{request.by or 'someone'}, rolling back {service}"))
        stack.enter_context(disk_trouble(store))
        stack.enter_context(unmeasured(store.engines, "a rollback", _BENCH_WAIT_S, on_progress))
        # One that was interrupted is gone on with; to go back from what it reached would undo it.
        wanted = request.release_id or _interrupted_rollback(read_journal(store, service))
        journal = _prepared_journal(store, service, wanted, on_progress)
        release_id = wanted or _release_before(store, journal)
        manifest = store.read_release(release_id)
        if manifest is None or manifest.service != service or release_id not in journal.good:
            there = ", ".join(item.release_id for item in _there(store, journal))
            raise DeployError(
                f"release {release_id} of {service} was never in service here, or is deleted",
                why=f"these can be gone back to: {there or 'none'}",
                hint="edgekit status, or edgekit deploy",
            )
        mended = assemble(store, manifest)
        runner = runner_for(store)
        if journal.settled and journal.committed == release_id == store.current_release_id(service):
            return _keep(runner, journal, mended=mended)
        return _try(store, runner, service, Wanted(release_id, 0, request.probation, request.by))


def check_class(manifest: ReleaseManifest, profile: DeviceProfile) -> None:
    """Raise EngineMismatchError unless the release was made for what this device is now. Nothing of it is opened."""
    wanted = dict(manifest.device_class)
    engine_key = wanted.pop("engine_key", "")
    here = {
        "module": profile.module,
        "backend": profile.backend,
        "version": profile.backend_version,
        "l4t": profile.l4t or "",
        "sm": "" if profile.sm is None else str(profile.sm),
    }
    differences = [
        f"{name}: {value or 'none'}, here {here[name] or 'none'}"
        for name, value in wanted.items()
        if name in here and value != here[name]
    ]
    if engine_key != profile.engine_key or differences:
        raise EngineMismatchError(
            f"this release was made for {engine_key or 'no device'}, this device is {profile.engine_key}",
            why="\n".join(key_differences(engine_key, profile.engine_key) or differences),
            hint="edgekit deploy makes one for this device",
        )


def check_settings(release: Path) -> None:
    """Raise DeployError for zones and lines that name a class or a camera that the release does not have.

    The service would not start with them. What cannot be read is left to it.
    """
    try:
        parts = read_parts(release)
    except EdgekitError:
        return
    events, names = parts.settings.events, [stream.name for stream in parts.settings.streams]
    problems = events.unknown_names(parts.detector.labels, names) if events else ()
    if problems:
        raise DeployError(
            f"the zones and lines of release {release.name} do not fit it",
            why="\n".join(problems),
            hint="correct events: in devices.yaml, then deploy again",
        )


def check_admitted(journal: Journal, manifest: ReleaseManifest, *, retry: bool) -> None:
    """Raise DeployError for a release that is older than the newest committed one, or that failed here."""
    release_id = manifest.release_id
    failure = journal.failure_of(release_id)
    if failure is not None and not retry:
        raise DeployError(
            f"release {release_id} of {manifest.service} failed on this device before",
            why=failure.reason,
            hint="change what made it fail, or try it again with edgekit deploy --retry",
        )
    if manifest.counter <= journal.floor and release_id not in (journal.committed, journal.target):
        raise DeployError(
            f"release {release_id} has counter {manifest.counter}, and this device is at {journal.floor}",
            why="an older release does not replace a newer one by itself",
            hint="edgekit rollback goes back on purpose",
        )


def _prepared_journal(store: Store, service: str, release_id: str, on_progress: OnProgress) -> Journal:
    """The journal, settled or about this very release. Raises DeployError while another is on probation."""
    journal = read_journal(store, service)
    is_this = journal.target == release_id and journal.phase != "reverting"
    if journal.settled or is_this:
        return journal
    if reconciled_by(store, service):
        raise DeployError(
            f"release {journal.target} of {service} is on probation, deployed by {journal.by or 'someone'}",
            hint="wait until it has settled (edgekit status shows it), then run the same command again",
        )
    # Whoever began it was interrupted. It gets its probation now.
    return settle(ServiceRequest(str(store.root), service), on_progress)


def _keep(runner: Runner, journal: Journal, *, mended: bool) -> ActivateAnswer:
    """The release is in service already. What was mended in it takes effect, and it runs."""
    if mended:
        runner.restart(journal.service)
    elif not runner.status(journal.service).running:
        runner.start(journal.service)
    return ActivateAnswer(journal, changed=mended)


def _try(store: Store, runner: Runner, service: str, wanted: Wanted) -> ActivateAnswer:
    """Write down, make current, write down, restart or reload."""
    release_id, by = wanted.release_id, wanted.by or "someone"
    is_enough = takes_over(store, service, release_id) and runner.status(service).running
    try:
        with journal_lock(store, service, f"{by}, deploying {release_id}", _LOCK_WAIT_S):
            journal = read_journal(store, service)
            if journal.settled:
                journal = write_journal(store, begin(journal, wanted, time.time()))
            store.place_current(service, release_id)
            journal = write_journal(store, on_probation(journal, time.time()))
    except LockHeldError as error:
        journal = read_journal(store, service)
        if journal.target == release_id:
            return ActivateAnswer(journal, changed=True)
        raise DeployError(
            f"{service} is being worked on by {error.holder}", hint="wait a moment, then run the same command again"
        ) from None
    (runner.reload if is_enough else runner.restart)(service)
    runner.watch(service)
    return ActivateAnswer(journal, changed=True)


def _interrupted_rollback(journal: Journal) -> str:
    return journal.target if journal.phase in ("intended", "probation") and journal.target in journal.good else ""


def _release_before(store: Store, journal: Journal) -> str:
    """The newest good release that is older than the committed one: going back twice does not go forth again."""
    counters = {release.release_id: release.counter for release in _there(store, journal)}
    now = counters.get(journal.committed, journal.floor)
    older = [release_id for release_id, counter in counters.items() if counter < now]
    if not older:
        raise DeployError(
            f"there is no older release of {journal.service} on this device",
            why=f"{journal.committed or 'nothing'} is in service",
            hint="edgekit status, or edgekit deploy",
        )
    return max(older, key=lambda release_id: counters[release_id])


def _there(store: Store, journal: Journal) -> List[ReleaseManifest]:
    """The good releases whose folders are here, newest first."""
    found = (store.read_release(release_id) for release_id in journal.good)
    return [release for release in found if release is not None]
