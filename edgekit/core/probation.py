"""What a new release must show before it is committed: good frames, for a while, as fast as its targets say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional

from edgekit.core.service import Health

MAX_RESTARTS = 2
FPS_TOLERANCE = 0.02  # a 15 FPS camera gives 14.9 by its own clock
STALE_AFTER_S = 15.0  # a service that reported and then reports nothing for this long hangs


@dataclass(frozen=True)
class Probation:
    """What a new release must show before it is committed."""

    frames: int = 30  # good frames, at least
    seconds: float = 5.0  # watched from the first good frame on
    deadline_s: float = 120.0  # until the first good frame
    min_fps: Optional[float] = None
    max_p99_ms: Optional[float] = None  # capture to detections


@dataclass(frozen=True)
class Watch:
    """What was seen of a release so far. Times are of one monotonic clock, since a device's wall clock may jump."""

    began_s: float = 0.0
    now_s: float = 0.0
    first_s: Optional[float] = None  # when its first report with a good frame was seen, in this run of the service
    first_frames: int = 0  # how many frames that report told of
    frames_before: int = 0  # what the process had seen when it was first seen to have taken the release over
    changed_s: Optional[float] = None  # when its newest report was seen
    frames: int = 0  # of this release
    pid: int = 0
    p99_ms: Optional[float] = None
    last_error: str = ""
    other_reports: bool = False  # another release than the watched one reports: this one is not run yet

    @property
    def watched_s(self) -> float:
        """Time from the first good frame to the newest report."""
        return 0.0 if self.first_s is None or self.changed_s is None else self.changed_s - self.first_s

    @property
    def fps(self) -> Optional[float]:
        """Good frames a second over the watched time; None as long as there is none."""
        return (self.frames - self.first_frames) / self.watched_s if self.watched_s > 0 else None

    @property
    def highest_fps(self) -> float:
        """What the rate may be: the frame that was due when the watching ended counts too."""
        return (self.frames - self.first_frames + 1) / self.watched_s if self.watched_s > 0 else 0.0


@dataclass(frozen=True)
class Report:
    """A health report as the watcher finds it. fresh: it was written since the watcher began to look."""

    health: Health
    fresh: bool


def look(watch: Watch, now_s: float, release_id: str, report: Optional[Report], *, changed: bool) -> Watch:
    """The watch after one more look. changed: the report is another than at the look before."""
    watch = replace(watch, now_s=now_s)
    if report is None:
        return replace(watch, other_reports=False)
    if report.health.release != release_id:
        return replace(watch, other_reports=report.fresh)
    watch = replace(watch, last_error=report.health.last_error, other_reports=False)
    if not report.fresh:
        return replace(watch, frames=report.health.frames)
    return _count(watch, now_s, report.health) if changed or watch.pid == 0 else watch


def _count(watch: Watch, now_s: float, health: Health) -> Watch:
    new_run = health.pid != watch.pid
    if new_run:
        watch = replace(watch, frames_before=health.frames if health.loaded_from else 0)
    frames = health.frames - watch.frames_before
    watch = replace(watch, changed_s=now_s, frames=frames, pid=health.pid, p99_ms=health.p99_ms)
    if new_run or watch.first_s is None:
        seen = frames > 0
        return replace(watch, first_s=now_s if seen else None, first_frames=frames if seen else 0)
    return watch


class Outcome(Enum):
    """How a probation stands."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """reason: why it failed, with the figures seen."""

    outcome: Outcome
    reason: str = ""


_RUNNING = Verdict(Outcome.RUNNING)


def judge(rule: Probation, watch: Watch, restarts: int) -> Verdict:
    """Whether a release has passed. Decides in the end whatever comes: at the latest after twice the deadline."""
    if restarts > MAX_RESTARTS:
        return _failed(_with_error(f"it was restarted {restarts} times", watch))
    if watch.now_s - watch.began_s > rule.seconds + 2 * rule.deadline_s:
        return _failed(_with_error(f"not steady within {watch.now_s - watch.began_s:.0f} s", watch))
    if watch.first_s is None:
        if watch.now_s - watch.began_s <= rule.deadline_s:
            return _RUNNING
        return _failed(_with_error(f"no good frame within {rule.deadline_s:g} s", watch))
    silent_s = watch.now_s - (watch.first_s if watch.changed_s is None else watch.changed_s)
    if silent_s > STALE_AFTER_S:
        return _failed(_with_error(f"no report for {silent_s:.0f} s after {watch.frames} frames", watch))
    if watch.watched_s < rule.seconds or watch.frames < rule.frames or watch.last_error:
        if watch.now_s - watch.first_s <= rule.seconds + rule.deadline_s:
            return _RUNNING
        few = f"{watch.frames} good frames in {watch.watched_s:.0f} s, {rule.frames} wanted"
        return _failed(_with_error(few, watch))
    return _against_limits(rule, watch)


def _against_limits(rule: Probation, watch: Watch) -> Verdict:
    if rule.min_fps is not None and watch.highest_fps < rule.min_fps * (1 - FPS_TOLERANCE):
        seen = f"{watch.fps or 0.0:.1f} FPS over {watch.watched_s:.1f} s"
        return _failed(f"{seen}, at least {rule.min_fps:g} less {100 * FPS_TOLERANCE:.0f} % wanted")
    if rule.max_p99_ms is None:
        return Verdict(Outcome.PASSED)
    if watch.p99_ms is None:
        if watch.now_s - (watch.first_s or 0.0) <= rule.seconds + rule.deadline_s:
            return _RUNNING
        return _failed(f"its latency could not be measured: too few frames in {watch.watched_s:.0f} s")
    if watch.p99_ms > rule.max_p99_ms:
        return _failed(f"p99 latency {watch.p99_ms:.1f} ms, at most {rule.max_p99_ms:g} ms wanted")
    return Verdict(Outcome.PASSED)


def _failed(reason: str) -> Verdict:
    return Verdict(Outcome.FAILED, reason)


def _with_error(what: str, watch: Watch) -> str:
    return f"{what}; its last error: {watch.last_error}" if watch.last_error else what
