"""From an inventory entry to a healthy service: survey, plan, execute. Where nothing changed, nothing is done."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.build import Order, build, complete, needs_calibration, order_engine, prepare_calibration
from edgekit.control.calibration_sets import MaterialisedSet
from edgekit.control.detectors import Detector
from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.control.release import Release, make_release
from edgekit.control.samples import draw_samples, samples_dir
from edgekit.control.services import put_in_service
from edgekit.control.verify import Yardstick, load_record, prepare_yardstick, record_path, verify
from edgekit.control.visit import Visit, visit
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.plan import Candidate, Standing, Step, candidates_for, plan_deploy
from edgekit.core.progress import OnProgress
from edgekit.core.service import ServiceSettings
from edgekit.core.verification import Verification, choose
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import BuildError, EdgekitError, VerifyError
from edgekit.files import write_json


@dataclass(frozen=True)
class Survey(Visit):
    """All that a deployment is decided from."""

    yardstick: Yardstick
    orders: tuple[Order, ...]  # baseline first
    int8_missing: str  # why INT8 is not among them, "" if it is, or was not wanted

    @property
    def requests(self) -> tuple[BuildRequest, ...]:
        """What the orders ask for, baseline first."""
        return tuple(order.request for order in self.orders)

    def record(self, engine: EngineManifest) -> Path:
        """Where the verification of an engine is kept."""
        return record_path(self.project, self.device.name, engine, self.detector.spec, self.yardstick)


@dataclass(frozen=True)
class Deployment:
    """What a deployment led to; kept as deploy.json beside the device's state, for reports."""

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


def survey(project: Project, device: Device, on_progress: OnProgress) -> Survey:
    """Ask the device what it is and what it holds, and make the pictures ready."""
    seen = visit(project, device, on_progress)
    precisions = _precisions(device, seen.detector, seen.profile)
    calibration = _calibration(project, seen.detector, device, precisions, on_progress)
    yardstick = prepare_yardstick(project, seen.detector, on_progress)
    orders, int8_missing = _orders(seen, precisions, calibration)
    return Survey(**vars(seen), yardstick=yardstick, orders=orders, int8_missing=int8_missing)


def plan(facts: Survey) -> tuple[Step, ...]:
    """The steps that `execute` will take; nothing is touched."""
    candidates = [Candidate(request.precision, request.engine_id) for request in facts.requests]
    built = {engine.engine_id for engine in facts.state.engines}
    checked = _records(facts)
    release = _wanted_release(facts, checked)
    service = facts.service
    return plan_deploy(
        candidates,
        Standing(
            built=built,
            verified=built & set(checked),
            current_release_id=service.release_id if service else "",
            wanted_release_id=release.manifest.release_id if release else "",
            running=bool(service and service.running),
            healthy=bool(service and service.is_healthy(time.time())),
        ),
    )


def execute(facts: Survey, steps: tuple[Step, ...], on_progress: OnProgress) -> Deployment:
    """Take the steps. Raises what went wrong; the service that ran before keeps running, or runs again."""
    started_s = time.monotonic()
    engines, checked, int8_failure = _checked_engines(facts, on_progress)
    decision = choose(facts.device.precision, checked, int8_failure)
    release = _release(facts, engines[decision.engine_id])
    if steps:
        _draw_samples(facts, decision.engine_id, on_progress)
    if not _is_served(facts, release):
        put_in_service(facts.link, release, on_progress)
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
    )
    write_json(deploy_record(facts.project, facts.device.name), to_wire(deployment))
    return deployment


def deploy_record(project: Project, device: str) -> Path:
    """Where the last deployment to a device is kept."""
    return project.state_dir / "devices" / device / "deploy.json"


def load_deployment(project: Project, device: str) -> Deployment | None:
    """The record of the last deployment to a device, None if there is none that can be read."""
    try:
        return from_wire(Deployment, json.loads(deploy_record(project, device).read_text("utf-8")), "deploy.json")
    except (OSError, ValueError, EdgekitError):
        return None


def _precisions(device: Device, detector: Detector, profile: DeviceProfile) -> tuple[str, ...]:
    """With "auto" only the baseline where there is nothing to calibrate with, or no need to.

    Asking for INT8 outright is an error later if there is no set.
    """
    precisions = candidates_for(device.precision, profile.backend)
    only_baseline = detector.facts.trained_quantised or not (device.calibration or detector.calibration)
    return precisions[:1] if device.precision == "auto" and only_baseline else precisions


def _calibration(
    project: Project, detector: Detector, device: Device, precisions: tuple[str, ...], on_progress: OnProgress
) -> MaterialisedSet | None:
    if not any(needs_calibration(detector, precision) for precision in precisions):
        return None
    return prepare_calibration(project, detector, device.calibration, on_progress)


def _orders(
    seen: Visit, precisions: tuple[str, ...], calibration: MaterialisedSet | None
) -> tuple[tuple[Order, ...], str]:
    """An order for each precision; and why there is none for INT8 where "auto" would have tried it."""
    device, orders = seen.device, []
    missing = "the model was trained for INT8 and computes so already" if seen.detector.facts.trained_quantised else ""
    for precision in precisions:
        try:
            orders.append(
                order_engine(
                    seen.project, seen.link, seen.detector, seen.profile, precision, calibration, device.tensorrt
                )
            )
        except BuildError as error:
            if device.precision != "auto" or precision != "int8":
                raise
            missing = error.what
    return tuple(orders), missing


def _records(facts: Survey) -> dict[str, Verification]:
    """The verifications done before of the engines that are on the device, by engine id."""
    engines = [engine for request in facts.requests if (engine := facts.engine(request.engine_id))]
    found = {engine.engine_id: load_record(facts.record(engine)) for engine in engines}
    return {engine_id: record for engine_id, record in found.items() if record is not None}


def _wanted_release(facts: Survey, checked: dict[str, Verification]) -> Release | None:
    if not all(request.engine_id in checked for request in facts.requests):
        return None
    decision = choose(facts.device.precision, [checked[request.engine_id] for request in facts.requests])
    engine = facts.engine(decision.engine_id)
    return _release(facts, engine) if engine else None


def _checked_engines(
    facts: Survey, on_progress: OnProgress
) -> tuple[dict[str, EngineManifest], list[Verification], str]:
    """Engines by id and their verifications, baseline first; and why INT8 is not among them if it failed.

    With "auto" a failing INT8 leaves the baseline to ship; asked for outright, its error is raised.
    """
    engines: dict[str, EngineManifest] = {}
    checked: list[Verification] = []
    for order in facts.orders:
        request = order.request
        try:
            engine = facts.engine(request.engine_id)
            engine = engine or build(facts.link, complete(order, on_progress), on_progress)
            checked.append(_verified(facts, engine, on_progress))
        except (BuildError, VerifyError) as error:
            if facts.device.precision != "auto" or request.precision != "int8":
                raise
            return engines, checked, f"INT8 failed, {error.what}"
        engines[engine.engine_id] = engine
    return engines, checked, facts.int8_missing


def _verified(facts: Survey, engine: EngineManifest, on_progress: OnProgress) -> Verification:
    record = facts.record(engine)
    done = load_record(record)
    if done is not None:
        return done
    return verify(facts.link, facts.detector, engine, facts.yardstick, record, on_progress)


def _is_served(facts: Survey, release: Release) -> bool:
    """True if exactly this release runs and is healthy."""
    service = facts.service
    if service is None or service.release_id != release.manifest.release_id:
        return False
    return service.is_healthy(time.time())


def _draw_samples(facts: Survey, engine_id: str, on_progress: OnProgress) -> None:
    folder = samples_dir(facts.project, facts.device.name, facts.detector.spec.name)
    engine_dir = facts.engine_dir(engine_id)
    draw_samples(facts.link, facts.detector.spec, engine_dir, facts.yardstick.golden, folder, on_progress)


def _release(facts: Survey, engine: EngineManifest) -> Release:
    device, service = facts.device, facts.service
    settings = ServiceSettings(device.service, device.source, device.sinks, device.threads, device.loop)
    counter = service.release.counter + 1 if service and service.release else 1
    return make_release(device.service, facts.profile, facts.detector.spec, settings, engine, counter)
