"""How a release comes into service: the journal that every step is written to first, and what is to be done next.

    settled -> intended -> probation -> settled (committed)
                   |           `-> reverting -> settled (the release is bad)
                   `------------------^

The journal is written, durably, before each step that it tells of, so that whoever finds it after a crash or a power
cut knows what to finish. Pure rules; runtime/reconcile.py acts on them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional, Tuple

from edgekit.core.probation import MAX_RESTARTS, Outcome, Watch, judge
from edgekit.core.probation import Probation as Probation  # part of the journal's format

PHASES = ("settled", "intended", "probation", "reverting")
MAX_STARTS = 2  # the boot counter's limit: a release that ends the watch more often than this is not tried again
GIVE_A_START_S = 5.0  # a service that is to run and does not, nor failed, is started after this
TAKE_OVER_WITHIN_S = 10.0  # a service that has not taken a release over by then is restarted
SURE_AFTER_S = 2.0  # a service that is down for less may be between stop and start
_KEPT_GOOD, _KEPT_BAD = 10, 20


@dataclass(frozen=True)
class BadRelease:
    """A release that failed here. It is not tried again unless someone asks for it."""

    release_id: str
    reason: str
    unix_s: float


@dataclass(frozen=True)
class Journal:
    """The record of one service's releases, journal/<service>.json. "" where there is no such release."""

    service: str
    phase: str = "settled"
    target: str = ""  # the release being tried; "" when settled
    target_counter: int = 0
    previous: str = ""  # what is gone back to if it fails
    starts: int = 0  # how often the reconciler began to watch the target: the boot counter
    reason: str = ""  # why it is being reverted; when settled, why the last one was
    probation: Probation = Probation()  # noqa: RUF009  (frozen)
    by: str = ""  # who began it: user@host
    good: Tuple[str, ...] = ()  # committed releases, newest first; good[0] is in service when settled
    bad: Tuple[BadRelease, ...] = ()  # newest first
    floor: int = 0  # counter of the newest committed release
    fell_back: bool = False  # good[0] is there because a release after it failed; it is not gone back from by itself
    changed_unix_s: float = 0.0
    schema: int = 1

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise ValueError(f"phase: expected one of {', '.join(PHASES)}, got {self.phase!r}")

    @property
    def settled(self) -> bool:
        """True if nothing is under way."""
        return self.phase == "settled"

    @property
    def committed(self) -> str:
        """The release that is known to be good and in service, "" if there is none."""
        return self.good[0] if self.good else ""

    def failure_of(self, release_id: str) -> Optional[BadRelease]:
        """Why a release is bad here, None if it is not."""
        return next((item for item in self.bad if item.release_id == release_id), None)


@dataclass(frozen=True)
class Wanted:
    """A release that is to be tried. counter 0: one that was good before, which does not raise the floor."""

    release_id: str
    counter: int
    probation: Probation = Probation()  # noqa: RUF009  (frozen)
    by: str = ""


@dataclass(frozen=True)
class RunStatus:
    """What a service's keeper, systemd or our supervisor, says of it.

    wanted: it is to run. failed: it was restarted in vain and stays down. ended: its source came to its end, and it
    exited by itself without an error. restarts: since it was last started on purpose.
    """

    running: bool = False
    wanted: bool = True
    failed: bool = False
    ended: bool = False
    restarts: int = 0
    pid: int = 0


@dataclass(frozen=True)
class Observation:
    """How things stand on the device, and what this reconciler did so far.

    current: what `current` names. down_s: for how long the service was not running. restarted: whether this reconciler
    restarted it since it last changed `current`. takes_over: another release runs well, and needs no restart to become
    the target. asked_s: for how long it has been asked to; None: it was not, by this reconciler.
    """

    current: str
    run: RunStatus = RunStatus()
    watch: Watch = Watch()  # noqa: RUF009  (frozen)
    down_s: float = 0.0
    restarted: bool = False
    takes_over: bool = False
    asked_s: Optional[float] = None


class Step(Enum):
    """What a reconciler does next. Each can be done again after a crash in the middle of it."""

    PLACE = "make `current` name what `wanted_current` says"
    BEGIN_PROBATION = "write that the target is on probation, and restart the service unless it takes the target over"
    RELOAD = "ask the service to take the target over"
    WAIT = "look again in a moment"
    RESTART = "restart the service"
    COMMIT = "write that the target is good"
    REVERT = "write that the target is to be gone back from"
    SETTLE = "write that going back is done"
    DONE = "nothing is left to do"


@dataclass(frozen=True)
class Decision:
    """A step; reason is why, for REVERT. A REVERT without a reason leaves the release untried, not bad."""

    step: Step
    reason: str = ""


def wanted_current(journal: Journal) -> str:
    """What `current` is to name in the journal's phase."""
    if journal.settled:
        return journal.committed
    return journal.previous if journal.phase == "reverting" else journal.target


def next_step(journal: Journal, seen: Observation) -> Decision:
    """The one rule that a reconciler follows, in a loop, until it says DONE."""
    if journal.settled:
        failure = _failure_in_service(journal, seen)
        if failure:
            return Decision(Step.REVERT, failure)
    if journal.phase == "probation" and journal.starts > MAX_STARTS:
        return Decision(Step.REVERT, f"the watch over it ended {journal.starts - 1} times before it had shown itself")
    if seen.current != wanted_current(journal):
        return Decision(Step.PLACE)
    if journal.phase == "intended":
        return Decision(Step.BEGIN_PROBATION)
    if journal.phase == "probation":
        return _on_probation(journal, seen)
    if journal.phase == "reverting":
        return Decision(Step.SETTLE if seen.restarted or not seen.run.wanted else Step.RESTART)
    return Decision(Step.DONE)


def begin(journal: Journal, wanted: Wanted, now_s: float) -> Journal:
    """A release is to be tried, in place of the committed one."""
    if not journal.settled:
        raise ValueError(f"begin: {journal.service} is in phase {journal.phase}")
    return replace(
        journal,
        phase="intended",
        target=wanted.release_id,
        target_counter=wanted.counter,
        previous=journal.committed,
        starts=0,
        reason="",
        probation=wanted.probation,
        by=wanted.by,
        changed_unix_s=now_s,
    )


def on_probation(journal: Journal, now_s: float) -> Journal:
    """The target is current."""
    return replace(journal, phase="probation", starts=0, changed_unix_s=now_s)


def watched(journal: Journal, now_s: float) -> Journal:
    """A reconciler begins to watch the target."""
    return replace(journal, starts=journal.starts + 1, changed_unix_s=now_s)


def commit(journal: Journal, now_s: float) -> Journal:
    """The target is good: from now on it is what is gone back to, and no lower counter is admitted."""
    return replace(
        journal,
        phase="settled",
        target="",
        target_counter=0,
        previous="",
        starts=0,
        reason="",
        good=(journal.target, *(item for item in journal.good if item != journal.target))[:_KEPT_GOOD],
        bad=tuple(item for item in journal.bad if item.release_id != journal.target),
        floor=max(journal.floor, journal.target_counter),
        fell_back=False,
        changed_unix_s=now_s,
    )


def begin_revert(journal: Journal, reason: str, now_s: float) -> Journal:
    """The target is to be gone back from; in a settled journal the committed release, to the one before it."""
    if journal.settled:
        previous = journal.good[1] if len(journal.good) > 1 else ""
        journal = replace(journal, target=journal.committed, previous=previous, good=journal.good[1:])
    return replace(journal, phase="reverting", reason=reason, changed_unix_s=now_s)


def reverted(journal: Journal, now_s: float) -> Journal:
    """Going back is done. The target is bad here, if there was a reason."""
    others = tuple(item for item in journal.bad if item.release_id != journal.target)
    bad = (BadRelease(journal.target, journal.reason, now_s), *others)[:_KEPT_BAD] if journal.reason else journal.bad
    return replace(
        journal,
        phase="settled",
        target="",
        target_counter=0,
        previous="",
        starts=0,
        bad=bad,
        fell_back=bool(journal.reason) or journal.fell_back,
        changed_unix_s=now_s,
    )


def _failure_in_service(journal: Journal, seen: Observation) -> str:
    """Why the committed release is gone back from, "" if it is not. Once: the next failure is no release's fault."""
    # Without restarts it failed while it was being stopped, at a shutdown for instance.
    in_vain = seen.run.failed and seen.run.restarts > MAX_RESTARTS
    may = in_vain and seen.current == journal.committed and len(journal.good) > 1 and not journal.fell_back
    return _words("it was restarted in vain and stayed down", seen.watch.last_error) if may else ""


def _on_probation(journal: Journal, seen: Observation) -> Decision:
    run, watch = seen.run, seen.watch
    is_down = not run.running and seen.down_s > SURE_AFTER_S
    if run.failed and is_down:
        return Decision(Step.REVERT, _words("it was restarted in vain and stayed down", watch.last_error))
    if run.ended and is_down:
        if watch.frames:
            return Decision(Step.COMMIT)
        return Decision(Step.REVERT, _words("it ended before it had seen a frame", watch.last_error))
    if not run.wanted:
        return Decision(Step.REVERT)
    verdict = judge(journal.probation, watch, run.restarts)
    if verdict.outcome is Outcome.FAILED:
        return Decision(Step.REVERT, verdict.reason)
    if watch.other_reports:
        return Decision(_replacing(seen, min(TAKE_OVER_WITHIN_S, journal.probation.deadline_s / 2)))
    if not run.running and seen.down_s > GIVE_A_START_S:
        return Decision(Step.RESTART)
    return Decision(Step.COMMIT if verdict.outcome is Outcome.PASSED else Step.WAIT)


def _replacing(seen: Observation, limit_s: float) -> Step:
    """How the target takes the place of another release, which runs."""
    if not seen.takes_over:
        return Step.RESTART
    if seen.asked_s is None:
        return Step.RELOAD
    return Step.WAIT if seen.asked_s < limit_s else Step.RESTART


def _words(what: str, last_error: str) -> str:
    return f"{what}: {last_error}" if last_error else what
