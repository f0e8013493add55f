"""From an inventory entry to a healthy service: survey, plan, execute. Where nothing changed, nothing is done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgekit.control.build import Order, build, complete
from edgekit.control.evaluation.int8_gate import gate_of_before, is_gated, judge_int8
from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.control.release import Release, make_release
from edgekit.control.samples import draw_samples, samples_dir
from edgekit.control.selftest import SelfTest, load_selftest, prepare_selftest
from edgekit.control.services import OnState, put_in_service, settle, start_again
from edgekit.control.settings import service_settings
from edgekit.control.survey import Survey
from edgekit.control.verify import load_record, verify
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate
from edgekit.core.plan import Candidate, Standing, Step, plan_deploy
from edgekit.core.progress import OnProgress
from edgekit.core.verification import Verification, choose
from edgekit.core.wire import to_wire
from edgekit.errors import BuildError, DeployError, VerifyError
from edgekit.files import write_json


@dataclass(frozen=True)
class Deployment:
    """What a deployment led to; kept as deploy.json beside the device's state, for reports.

    gate: INT8 against the baseline on the frozen set; None where one of the three is missing.
    """

    device: str
    service: str
    detector: str
    release_id: str
    engine_id: str
    precision: str
    decision: str
    verifications: tuple[Verification, ...]
    steps: tuple[Step, ...]
    changed: bool
    duration_s: float
    schema: int = 1
    gate: Optional[Gate] = None  # noqa: UP045 - from_wire knows no other form


def plan(facts: Survey) -> tuple[Step, ...]:
    """The steps that `execute` will take; nothing is touched. Raises ConfigError for an entry that cannot be served."""
    service_settings(facts.device, facts.detector.spec.labels)
    checked = _records(facts)
    built = {engine.engine_id for engine in facts.state.engines}
    release = _wanted_release(facts, checked)
    candidates = [Candidate(request.precision, request.engine_id) for request in facts.requests]
    unjudged = {facts.requests[-1].engine_id} if is_gated(facts) and gate_of_before(facts) is None else set()
    return plan_deploy(candidates, _standing(facts, built, built & set(checked) - unjudged, release))


def execute(
    facts: Survey,
    steps: tuple[Step, ...],
    on_progress: OnProgress,
    on_state: OnState = lambda state: None,
    *,
    retry: bool = False,
) -> Deployment:
    """Take the steps. Raises what went wrong; the service that ran before keeps running, or runs again.

    on_state is told of "building", "verifying", "sending", "probation" and "starting". retry: also if the release
    failed there before.
    """
    started_s = time.monotonic()
    engines, checked, int8_failure = _checked_engines(facts, on_progress, on_state)
    gate = judge_int8(facts, tuple(engines.values()), on_progress, on_state)
    decision = choose(facts.device.precision, checked, int8_failure, gate)
    engine = engines[decision.engine_id]
    release = _release(facts, engine, _selftest(facts, engine, on_progress))
    if any(step.action in ("build", "verify") for step in steps):
        _draw_samples(facts, decision.engine_id, on_progress)
    if steps:
        _bring_into_service(facts, release, on_progress, on_state, retry=retry)
    deployment = Deployment(
        device=facts.device.name,
        service=facts.device.service,
        detector=facts.detector.spec.name,
        release_id=release.manifest.release_id,
        engine_id=decision.engine_id,
        precision=decision.precision,
        decision=decision.decision,
        verifications=tuple(checked),
        steps=steps,
        changed=bool(steps),
        duration_s=round(time.monotonic() - started_s, 2),
        gate=gate,
    )
    write_json(deploy_record(facts.project, facts.device.name), to_wire(deployment))
    return deployment


def deploy_record(project: Project, device: str) -> Path:
    """Where the last deployment to a device is kept."""
    return project.state_dir / "devices" / device / "deploy.json"


def load_deployment(project: Project, device: str) -> Deployment | None:
    """The record of the last deployment to a device, None if there is none that can be read."""
    return read_record(Deployment, deploy_record(project, device))


def _standing(facts: Survey, built: set[str], verified: set[str], release: Release | None) -> Standing:
    service = facts.service
    wanted = release.manifest.release_id if release else ""
    if service is None:
        return Standing(built, verified, "", wanted, running=False, healthy=False)
    failure = service.journal.failure_of(wanted)
    in_service = service.journal.committed if service.release_id == service.journal.committed else ""
    return Standing(
        built=built,
        verified=verified,
        committed_release_id=in_service,
        wanted_release_id=wanted,
        running=service.running,
        healthy=service.is_healthy,
        target_release_id=service.journal.target if service.journal.phase != "reverting" else "",
        failure=failure.reason if failure else "",
    )


def _records(facts: Survey) -> dict[str, Verification]:
    """The verifications done before of the engines that are on the device, by engine id."""
    engines = [engine for request in facts.requests if (engine := facts.engine(request.engine_id))]
    found = {engine.engine_id: load_record(facts.record(engine)) for engine in engines}
    return {engine_id: record for engine_id, record in found.items() if record is not None}


def _wanted_release(facts: Survey, checked: dict[str, Verification]) -> Release | None:
    gate = gate_of_before(facts)
    if not all(request.engine_id in checked for request in facts.requests) or (gate is None and is_gated(facts)):
        return None
    in_order = [checked[request.engine_id] for request in facts.requests]
    decision = choose(facts.device.precision, in_order, facts.int8_missing, gate)
    engine = facts.engine(decision.engine_id)
    selftest = load_selftest(facts.record(engine)) if engine else None
    return _release(facts, engine, selftest) if engine and selftest else None


def _checked_engines(
    facts: Survey, on_progress: OnProgress, on_state: OnState
) -> tuple[dict[str, EngineManifest], list[Verification], str]:
    """Engines by id and their verifications, baseline first; and why INT8 is not among them if it failed.

    With "auto" a failing INT8 leaves the baseline to ship; asked for outright, its error is raised.
    """
    engines: dict[str, EngineManifest] = {}
    checked: list[Verification] = []
    for order in facts.orders:
        request = order.request
        try:
            engine = facts.engine(request.engine_id) or _built(order, on_progress, on_state)
            checked.append(verified(facts, engine, on_progress, on_state))
        except (BuildError, VerifyError) as error:
            if facts.device.precision != "auto" or request.precision != "int8":
                raise
            return engines, checked, f"INT8 failed, {error.what}"
        engines[engine.engine_id] = engine
    return engines, checked, facts.int8_missing


def _built(order: Order, on_progress: OnProgress, on_state: OnState) -> EngineManifest:
    on_state("building")
    return build(order.link, complete(order, on_progress), on_progress)


def verified(
    facts: Survey, engine: EngineManifest, on_progress: OnProgress, on_state: OnState = lambda state: None
) -> Verification:
    """What checking an engine gave: before, or now. Raises as `verify` does."""
    record = facts.record(engine)
    done = load_record(record)
    if done is not None:
        return done
    on_state("verifying")
    return verify(facts.project, facts.link, facts.detector, engine, facts.yardstick, record, on_progress)


def _bring_into_service(
    facts: Survey, release: Release, on_progress: OnProgress, on_state: OnState, *, retry: bool
) -> None:
    """What the last of the steps says: activate the release, wait for one on probation, or start what is committed."""
    service, wanted = facts.service, release.manifest.release_id
    probation = facts.device.probation_rule()
    if service is None:
        put_in_service(facts.link, release, probation, on_progress, on_state, retry=retry)
        return
    if service.journal.target == wanted and service.journal.phase != "reverting":
        on_state("probation")
        settle(facts.link, service.service, wanted, on_progress)
    elif service.journal.committed == wanted == service.release_id:
        if service.is_healthy:  # the plan could not know that INT8 would fail again
            return
        on_state("starting")
        start_again(facts.link, service.service, probation.deadline_s, on_progress)
    else:
        _refuse_failed(facts, release, retry=retry)
        put_in_service(facts.link, release, probation, on_progress, on_state, retry=retry)


def _refuse_failed(facts: Survey, release: Release, *, retry: bool) -> None:
    """The device refuses it too; said here, nothing is sent in vain."""
    failure = facts.service.journal.failure_of(release.manifest.release_id) if facts.service else None
    if failure is None or retry:
        return
    raise DeployError(
        f"release {failure.release_id} of {facts.device.service} failed on {facts.device.name} before",
        why=failure.reason,
        hint=f"change what was wrong, or try it again: edgekit deploy --device {facts.device.name} --retry",
    )


def _draw_samples(facts: Survey, engine_id: str, on_progress: OnProgress) -> None:
    folder = samples_dir(facts.project, facts.device.name, facts.detector.spec.name)
    engine_dir = facts.engine_dir(engine_id)
    draw_samples(facts.link, facts.detector.spec, engine_dir, facts.yardstick.golden, folder, on_progress)


def _selftest(facts: Survey, engine: EngineManifest, on_progress: OnProgress) -> SelfTest:
    spec, golden, record = facts.detector.spec, facts.yardstick.golden, facts.record(engine)
    return prepare_selftest(facts.link, spec, engine, golden, record, on_progress)


def _release(facts: Survey, engine: EngineManifest, selftest: SelfTest) -> Release:
    device, service = facts.device, facts.service
    settings = service_settings(device, facts.detector.spec.labels)
    newest = max(service.journal.floor, service.journal.target_counter) if service else 0
    return make_release(
        device.service, facts.profile, facts.detector.spec, settings, engine, newest + 1, selftest, facts.scenes
    )
