"""Waiting until a service's journal is settled; verb `settle`."""

from __future__ import annotations

import time

from edgekit.core.activation import Journal
from edgekit.core.deployment import ServiceRequest
from edgekit.core.progress import OnProgress
from edgekit.runtime.health import read_health
from edgekit.runtime.journal import read_journal, reconciled_by
from edgekit.runtime.reconcile import reconcile
from edgekit.runtime.store import Store

_POLL_S = 0.1
_TELL_EVERY_S = 0.5
_ALONE_AFTER_S = 10.0  # a reconciler that systemd is to start is there by then


def settle(request: ServiceRequest, on_progress: OnProgress) -> Journal:
    """Wait for whoever reconciles the service, telling of its frames; where nobody does, do it here."""
    store, service = Store(request.root), request.service
    alone_since_s, told_s = time.monotonic(), 0.0
    while True:
        journal = read_journal(store, service)
        if journal.settled:
            return journal
        now_s = time.monotonic()
        if reconciled_by(store, service):
            alone_since_s = now_s
        elif now_s - alone_since_s > _ALONE_AFTER_S:
            return reconcile(request, on_progress)
        if now_s - told_s >= _TELL_EVERY_S:
            told_s = now_s
            _tell(store, journal, on_progress)
        time.sleep(_POLL_S)


def _tell(store: Store, journal: Journal, on_progress: OnProgress) -> None:
    if journal.phase == "reverting":
        on_progress(f"going back: {journal.reason}", 0, 0)
        return
    health, wanted = read_health(store.state_dir(journal.service)), journal.probation.frames
    if health is None or health.release != journal.target:
        on_progress("on probation", 0, wanted)
    elif health.loaded_from:
        on_progress("on probation, taken over without a restart", 0, 0)  # it counts the frames of both
    else:
        on_progress("on probation", min(health.frames, wanted), wanted)
