"""`edgekit refresh`: from the frames that a device has kept to a better engine in service, or to a reason why not.

Each step is found again after an interruption: frames by digest, sets by their pictures, engines by id, answers by
both. Only the last step changes what runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgekit.control.device_use import unmeasured
from edgekit.control.devices_edit import read_calibration
from edgekit.control.field.frames import fetch_frames
from edgekit.control.field.screen import Screened, screen, set_aside
from edgekit.control.field.sets import FieldSets, write_field_sets
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.refresh.history import alone, last_decided, left_unfinished, now_utc, save
from edgekit.control.refresh.judging import Built, build_candidate, gather_evidence
from edgekit.control.refresh.promoting import promote, refuse_other_choice
from edgekit.control.refresh.sets import Bases, bases_of, choose_set, materialised, new_strata
from edgekit.control.refresh.standing import Standing, inputs_digest, look_at
from edgekit.control.refresh.texts import collect_hint, keep_hint, screened_text, then_text
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.progress import OnProgress
from edgekit.core.refresh import FrameCounts, Refresh, RefreshStep, decide
from edgekit.errors import EdgekitError, UnreachableError

# Told of each step when it is done.
OnStep = Callable[[RefreshStep], None]
# May what the record tells of be put in service?
Approve = Callable[[Refresh], bool]


@dataclass(frozen=True)
class Wish:
    """size: pictures to calibrate with, None: as many as the base set has. again: judge and try anew, even if nothing
    is new or the device took the release back before. accept_equal: see core.refresh.decide."""

    size: int | None = None
    again: bool = False
    accept_equal: bool = False


@dataclass(frozen=True)
class Told:
    """Who is told how a refresh goes."""

    progress: OnProgress
    step: OnStep = lambda step: None
    state: Callable[[str], None] = lambda state: None


def refresh(ground: Groundwork, device: Device, link: Link, wish: Wish, approve: Approve, told: Told) -> Refresh:
    """Take all steps and keep the record, whatever comes of it.

    Raises what went wrong, after it is in the history. What runs on the device then runs on; only if the link breaks
    while it tries the new release, it decides alone.
    """
    project = ground.project
    with alone(project, device.name):
        course = _Course(ground, device, link, wish, told)
        try:
            with unmeasured(project, device, "a refresh", told.progress):
                course.run(approve)
        except (EdgekitError, KeyboardInterrupt) as error:
            course.fail(error)
            raise
        finally:
            course.save()
        return course.record


class _Course:
    """One refresh under way: its record grows step by step."""

    def __init__(self, ground: Groundwork, device: Device, link: Link, wish: Wish, told: Told) -> None:
        self._ground, self._device, self._link, self._wish, self._told = ground, device, link, wish, told
        self._project, self._detector = ground.project, ground.detector(device.detector)
        self._begun_s = self._step_s = time.monotonic()
        self.record = Refresh(device.name, device.service, device.detector, now_utc(), "failed", "not finished")

    def run(self, approve: Approve) -> None:
        standing = self._survey()
        screened = self._screened()
        if screened is None:
            return
        sets = self._field_sets(screened)
        if not sets.calib:
            self._end("unchanged", "there is no field frame to calibrate with", collect_hint(self._device.name))
            return
        bases = bases_of(self._project, self._device, self._detector)
        if self._nothing_new(standing, bases, sets):
            return
        built = self._built(standing, bases, sets)
        if built is not None and self._judged(standing, built, bases, sets):
            self._put_in_service(built, approve)

    def save(self) -> None:
        """Keep the record as it is now."""
        self.record = replace(self.record, duration_s=round(time.monotonic() - self._begun_s, 2))
        save(self._project, self.record)

    def fail(self, error: BaseException) -> None:
        """What ended the refresh early; a release that was handed over is decided on by the device alone."""
        if self.record.outcome == "promoting" and isinstance(error, (UnreachableError, KeyboardInterrupt)):
            return
        why = error.what if isinstance(error, EdgekitError) else "interrupted"
        self._end("failed", why, error.hint if isinstance(error, EdgekitError) else "")

    def _survey(self) -> Standing:
        standing = look_at(self._ground, self._device, self._link, self._told.progress)
        serving = standing.serving
        self.record = replace(
            self.record,
            serving_engine_id=serving.engine_id,
            release_id=standing.release_id,
            drift=standing.drift,
            serving_set_sha256=serving.calibration_sha256 or "",
        )
        self._done("survey", f"{serving.precision.upper()} engine {serving.engine_id} serves")
        return standing

    def _screened(self) -> Screened | None:
        """What is new and fit for use; None if the whole batch is refused."""
        fetched = fetch_frames(self._project, self._device, self._link, self._told.progress)
        self._done("fetch", f"{fetched.new} new frames ({fetched.new_mib:.1f} MiB), {len(fetched.frames)} here")
        screened = screen(self._project, fetched, self._detector, self._told.progress)
        counts = FrameCounts(len(fetched.frames), len(screened.accepted), screened.counts())
        self.record = replace(self.record, frames=counts, notes=(*self.record.notes, *screened.notes))
        self._done("screen", screened_text(screened))
        if not screened.batch_refusal:
            return screened
        self._end("refused", screened.batch_refusal, f"look at them: edgekit field --device {self._device.name} --page")
        self.save()
        # Only now: a batch that is in no record would be lost without a word.
        set_aside(self._project, fetched, screened)
        return None

    def _field_sets(self, screened: Screened) -> FieldSets:
        sets = write_field_sets(self._project, self._device, self._detector, screened, self._told.progress)
        counts = replace(self.record.frames, calibration=sets.calib_pictures, holdout=sets.holdout_pictures)
        self.record = replace(self.record, frames=counts, notes=(*self.record.notes, *sets.notes))
        text = f"{sets.calib_pictures} to calibrate with (+{sets.new_calib}), "
        self._done("sets", text + f"{sets.holdout_pictures} held out (+{sets.new_holdout})")
        return sets

    def _nothing_new(self, standing: Standing, bases: Bases, sets: FieldSets) -> bool:
        wish = self._wish
        inputs = inputs_digest(standing, bases, sets, wish.size, accept_equal=wish.accept_equal)
        self.record = replace(self.record, base_set=bases.base, serving_set=bases.serving, inputs_sha256=inputs)
        last = None if wish.again else last_decided(self._project, self._device.name, inputs)
        serving = standing.serving.engine_id
        if last is None or (last.outcome == "kept" and last.serving_engine_id != serving):
            return False
        serves = serving == last.candidate_engine_id
        why = f"nothing is new since {last.created_utc}: {then_text(last, serves=serves)}"
        hint = "" if serves else f"edgekit refresh --device {self._device.name} --again    (judges it anew)"
        self._end("unchanged", why, hint)
        return True

    def _built(self, standing: Standing, bases: Bases, sets: FieldSets) -> Built | None:
        """The candidate, None if it is the engine that serves."""
        told = self._told
        chosen = choose_set(self._project, self._device, self._detector, bases.base, self._wish.size, told.progress)
        counts = replace(self.record.frames, chosen=chosen.field_pictures)
        self.record = replace(
            self.record,
            frames=counts,
            set_name=chosen.name,
            set_sha256=chosen.sha256,
            set_pictures=chosen.pictures,
            set_strata=chosen.strata,
        )
        again = ", there already" if chosen.reused else ""
        self._done(
            "choose", f"{chosen.pictures} pictures, {chosen.field_pictures} from the field: {chosen.name}{again}"
        )
        told.state("building")
        built = build_candidate(self._ground, self._device, self._link, chosen.name, told.progress)
        self.record = replace(
            self.record,
            unquantised_engine_id=built.unquantised.engine_id,
            candidate_engine_id=built.candidate.engine_id,
        )
        self._done("build", f"INT8 engine {built.candidate.engine_id}")
        if built.candidate.engine_id == standing.serving.engine_id:
            self._already_serves(standing)
            return None
        return built

    def _already_serves(self, standing: Standing) -> None:
        """The candidate is in service: the device went on alone after the link broke, or the same set was chosen."""
        unfinished = left_unfinished(self._project, self._device.name, standing.serving.engine_id)
        if unfinished is None:
            why = f"the engine that serves was calibrated with just these pictures: {self.record.set_name}"
            self._end("unchanged", why)
            return
        self.record = replace(self.record, evidence=unfinished.evidence, cause=unfinished.cause)
        self._end("promoted", f"{unfinished.why} (the device kept it after the last refresh ended early)")

    def _judged(self, standing: Standing, built: Built, bases: Bases, sets: FieldSets) -> bool:
        """True if the candidate may serve; what it may not for is in the record."""
        progress, labels = self._told.progress, self._detector.spec.labels
        self._told.state("verifying")

        def made(name: str) -> MaterialisedSet:
            return materialised(self._project, name, progress, labels)

        field = [made(name) for name in (sets.calib, sets.holdout) if name]
        new = new_strata(self._project, made(bases.serving), field, progress)
        holdout = made(sets.holdout) if sets.holdout else None
        evidence = gather_evidence(built, standing.serving, holdout, new, progress)
        decision = decide(evidence, accept_equal=self._wish.accept_equal)
        self.record = replace(self.record, evidence=evidence, cause=decision.cause)
        self._done("judge", f"{decision.cause}; {len(new)} new kinds of scene" + (f": {', '.join(new)}" if new else ""))
        if not decision.promote:
            self._end("kept", decision.why, keep_hint(self.record))
            return False
        refuse_other_choice(built, evidence)
        self._end("waiting", decision.why, f"edgekit refresh --device {self._device.name} --yes")
        return True

    def _put_in_service(self, built: Built, approve: Approve) -> None:
        if not approve(self.record):
            return
        unfinished = left_unfinished(self._project, self._device.name, built.candidate.engine_id)
        named = read_calibration(self._project.devices_path, self._device.name) or ""
        before = unfinished.set_before if unfinished else named
        self.record = replace(self.record, set_before=before)
        self._end("promoting", self.record.why)
        self.save()
        again = self._wish.again
        ended = promote(self._ground, self._device, self._link, built, before or None, self._told, retry=again)
        self.record = replace(self.record, release_id=ended.release_id or self.record.release_id)
        self._done("promote", ended.text)
        if ended.failure:
            self._end("reverted", ended.failure, f"edgekit logs --device {self._device.name}")
        else:
            self._end("promoted", self.record.why)

    def _done(self, name: str, result: str) -> None:
        now_s = time.monotonic()
        step = RefreshStep(name, result, round(now_s - self._step_s, 2))
        self._step_s = now_s
        self.record = replace(self.record, steps=(*self.record.steps, step))
        self.save()  # also a refresh that is killed is in the history
        self._told.step(step)

    def _end(self, outcome: str, why: str, hint: str = "") -> None:
        self.record = replace(self.record, outcome=outcome, why=why, hint=hint)
