"""Carrying out what the journal says, in a process of its own: the host may be gone, and this may be killed anywhere.

Every change of the journal is one durable write; what it tells of can be done twice. So running this again is the cure
for whatever interrupted it.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import Callable, Dict, Optional

from edgekit.core.activation import (
    Decision,
    Journal,
    Observation,
    RunStatus,
    Step,
    begin_revert,
    commit,
    next_step,
    on_probation,
    reverted,
    wanted_current,
    watched,
)
from edgekit.core.deployment import GcRequest, ServiceRequest
from edgekit.core.probation import Report, Watch, look
from edgekit.core.progress import OnProgress
from edgekit.errors import EdgekitError
from edgekit.runtime.health import Signature, health_signature, read_health
from edgekit.runtime.journal import LockHeldError, journal_lock, read_journal, write_journal
from edgekit.runtime.notify import notify
from edgekit.runtime.reloading import takes_over
from edgekit.runtime.runner import Runner, runner_for
from edgekit.runtime.store import Store

TICK_S = 0.05
_ASK_EVERY_S = 0.5
_LOCK_WAIT_S = 2.0
_LINGER_S = 2.0
_TRY_AGAIN_S, _TRIES = 2.0, 60


def reconcile(request: ServiceRequest, on_progress: OnProgress) -> Journal:
    """See a service's journal through to its end. Does nothing where another process does so already."""
    store = Store(request.root)
    while True:
        try:
            with journal_lock(store, request.service, "reconciler", _LOCK_WAIT_S):
                before = read_journal(store, request.service)
                journal = Reconciler(store, runner_for(store), before, on_progress).run()
        except LockHeldError:
            notify("READY=1")
            return read_journal(store, request.service)
        if journal.committed != before.committed:
            _collect_garbage(store)
        # A release that was activated meanwhile found this process still there, and started no other.
        journal = read_journal(store, request.service)
        if journal.settled:
            return journal


class Reconciler:
    """One process's view of one service. The caller holds the journal's lock."""

    def __init__(self, store: Store, runner: Runner, journal: Journal, on_progress: OnProgress) -> None:
        self._store, self._runner, self._on_progress = store, runner, on_progress
        self._journal = journal
        self._state_dir = store.state_dir(journal.service)
        self._ready_s: Optional[float] = None
        self._restarted = False
        self._reload_asked_s: Optional[float] = None
        self._run, self._asked_s = RunStatus(), float("-inf")
        self._down_since: Optional[float] = None
        self._watch = Watch()
        self._baseline: Optional[Signature] = None  # of the report that was there when this began to look
        self._seen: Optional[Signature] = None
        self._report: Optional[Report] = None
        self._told = -1
        self._restart_watch()
        self._act: Dict[Step, Callable[[Decision], None]] = {
            Step.PLACE: self._place,
            Step.BEGIN_PROBATION: self._begin_probation,
            Step.WAIT: self._wait,
            Step.RELOAD: self._reload,
            Step.RESTART: self._restart,
            Step.COMMIT: lambda decision: self._write(commit(self._journal, time.time())),
            Step.REVERT: self._revert,
            Step.SETTLE: lambda decision: self._write(reverted(self._journal, time.time())),
        }

    def run(self) -> Journal:
        """Take steps until nothing is left to do."""
        if self._journal.phase == "probation":
            self._count_start()
        tries = 0
        while True:
            try:
                if self._take_step():
                    return self._journal
                tries = 0
            except (EdgekitError, OSError) as error:
                # Going back must not stop halfway: a disk may have room again, a busy systemd may answer.
                tries += 1
                if tries == _TRIES:
                    raise
                _say(f"trying again: {error}")
                time.sleep(_TRY_AGAIN_S)

    def _take_step(self) -> bool:
        """Take the next step; True if there is none."""
        decision = next_step(self._journal, self._observe())
        if decision.step not in (Step.PLACE, Step.REVERT):
            self._say_ready()  # `current` is decided; under systemd the service starts now
        if decision.step is Step.DONE:
            return self._has_lingered()
        self._act[decision.step](decision)
        return False

    def _count_start(self) -> None:
        """The boot counter. On a disk that takes nothing the watch goes on all the same; going back needs no count."""
        try:
            self._write(watched(self._journal, time.time()))
        except OSError as error:
            _say(f"this start cannot be counted: {error}")

    def _observe(self) -> Observation:
        now_s = time.monotonic()
        if now_s - self._asked_s >= _ASK_EVERY_S:
            self._run, self._asked_s = self._runner.status(self._journal.service), now_s
        if self._run.running:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now_s
        self._look(now_s)
        return Observation(
            current=self._store.current_release_id(self._journal.service),
            run=self._run,
            watch=self._watch,
            down_s=0.0 if self._down_since is None else now_s - self._down_since,
            restarted=self._restarted,
            takes_over=self._watch.other_reports and self._takes_over(),
            asked_s=None if self._reload_asked_s is None else now_s - self._reload_asked_s,
        )

    def _takes_over(self) -> bool:
        """True if what runs can become the target without a restart; once it was asked to, that is not asked again."""
        asked = self._reload_asked_s is not None
        return asked or takes_over(self._store, self._journal.service, self._journal.target)

    def _look(self, now_s: float) -> None:
        signature = health_signature(self._state_dir)
        changed = signature != self._seen
        if changed or self._report is None:
            health = read_health(self._state_dir)
            self._report = None if health is None else Report(health, fresh=signature != self._baseline)
            self._seen = signature
        release_id = self._journal.target or self._journal.committed
        self._watch = look(self._watch, now_s, release_id, self._report, changed=changed)

    def _restart_watch(self) -> None:
        """Begin to watch: what was reported before says nothing of what comes."""
        now_s = time.monotonic()
        self._watch = Watch(began_s=now_s, now_s=now_s)
        self._forget_reports()

    def _forget_reports(self) -> None:
        self._baseline = health_signature(self._state_dir)
        self._seen = self._report = None

    def _write(self, journal: Journal) -> None:
        self._journal = write_journal(self._store, journal)
        _say(f"{journal.phase}: {journal.target or journal.committed or 'no release'} {journal.reason}".rstrip())

    def _place(self, decision: Decision) -> None:
        self._store.place_current(self._journal.service, wanted_current(self._journal))
        self._restarted = False

    def _begin_probation(self, decision: Decision) -> None:
        self._write(watched(on_probation(self._journal, time.time()), time.time()))
        self._restart_watch()
        if self._runner.status(self._journal.service).running and not self._takes_over():
            self._restart(decision)

    def _reload(self, decision: Decision) -> None:
        self._runner.reload(self._journal.service)
        self._reload_asked_s = time.monotonic()

    def _wait(self, decision: Decision) -> None:
        wanted = self._journal.probation.frames
        if self._told != self._watch.frames:
            self._told = self._watch.frames
            with suppress(OSError):  # whoever asked may be gone; the release is not
                self._on_progress("on probation", min(self._told, wanted), wanted)
        time.sleep(TICK_S)

    def _restart(self, decision: Decision) -> None:
        if wanted_current(self._journal):
            self._runner.restart(self._journal.service)
        else:
            self._runner.stop(self._journal.service)
        self._restarted, self._down_since, self._asked_s = True, None, float("-inf")
        if self._reload_asked_s is not None and self._reload_asked_s > float("-inf"):
            self._reload_asked_s = float("-inf")  # once: what the reload took in vain is not held against the release
            self._restart_watch()
        self._forget_reports()

    def _revert(self, decision: Decision) -> None:
        self._write(begin_revert(self._journal, decision.reason, time.time()))
        self._restarted = False

    def _say_ready(self) -> None:
        if self._ready_s is None:
            self._ready_s = time.monotonic()
            notify("READY=1")

    def _has_lingered(self) -> bool:
        """True if what systemd does next was seen too.

        Where a service failed too often, systemd gives it up the moment that this is ready. OnFailure= then finds this
        unit still active, and starts nothing.
        """
        if "NOTIFY_SOCKET" not in os.environ or time.monotonic() - (self._ready_s or 0.0) > _LINGER_S:
            return True
        time.sleep(_ASK_EVERY_S)
        return False


def _collect_garbage(store: Store) -> None:
    """After a commit nothing else is deployed just now. A failure here harms nobody and is said."""
    from edgekit.runtime.gc import collect_garbage

    try:
        collect_garbage(GcRequest(str(store.root)), lambda what, done, total: None)
    except (EdgekitError, OSError) as error:
        _say(f"old releases were not deleted: {error}")


def _say(text: str) -> None:
    """A line for the log, whose end may be gone: that is no reason to stop."""
    with suppress(OSError):
        os.write(sys.stderr.fileno(), (text + "\n").encode())
