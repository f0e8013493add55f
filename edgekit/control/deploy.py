"""From an inventory entry to a healthy service: survey, plan, execute. Where nothing changed, nothing is done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgekit.control.build import Calibration, build, build_request, prepare_calibration
from edgekit.control.detectors import Detector, load_detector
from edgekit.control.inventory import Device
from edgekit.control.link import Link, OnProgress, connect
from edgekit.control.project import Project
from edgekit.control.release import Release, make_release
from edgekit.control.samples import draw_samples, samples_dir
from edgekit.control.verify import Yardstick, load_record, prepare_yardstick, record_path, verify
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.plan import Candidate, Standing, Step, candidates_for, plan_deploy
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
from edgekit.core.service import ServiceSettings, is_alive
from edgekit.core.verification import Verification, choose
from edgekit.core.wire import to_wire
from edgekit.errors import UnhealthyError
from edgekit.files import write_json

_HEALTHY_WITHIN_S = 60.0
_POLL_S = 0.3
_GIVE_UP_AFTER_RESTARTS = 2


@dataclass(frozen=True)
class Survey:
    """All that a deployment is decided from."""

    project: Project
    device: Device
    detector: Detector
    link: Link
    profile: DeviceProfile
    state: StateAnswer
    yardstick: Yardstick
    requests: tuple[BuildRequest, ...]  # baseline first

    @property
    def service(self) -> ServiceState | None:
        return next((item for item in self.state.services if item.service == self.device.service), None)

    def engine(self, engine_id: str) -> EngineManifest | None:
        return next((item for item in self.state.engines if item.engine_id == engine_id), None)

    def record(self, engine_id: str) -> Path:
        return record_path(self.project, self.device.name, engine_id, self.detector.spec, self.yardstick)


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
    link = connect(device.name, device.kind, project.device_root(device.name))
    detector = load_detector(project, device.detector)
    on_progress("probe the device", 0, 0)
    profile = link.call("probe", {}, DeviceProfile)
    state = link.call("state", StateRequest(link.root), StateAnswer)
    precisions = _precisions(device, detector, profile)
    calibration = _calibration(project, detector, device, precisions, on_progress)
    yardstick = prepare_yardstick(project, detector, on_progress)
    requests = tuple(build_request(detector, profile, item, link, calibration) for item in precisions)
    return Survey(project, device, detector, link, profile, state, yardstick, requests)


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
            healthy=bool(service and service.health and is_alive(service.health, time.time())),
        ),
    )


def execute(facts: Survey, steps: tuple[Step, ...], on_progress: OnProgress) -> Deployment:
    """Take the steps. Raises what went wrong; the service that ran before keeps running, or runs again."""
    started_s = time.monotonic()
    engines = {request.engine_id: _built(facts, request, on_progress) for request in facts.requests}
    checked = tuple(_verified(facts, engine, on_progress) for engine in engines.values())
    decision = choose(facts.device.precision, checked)
    release = _release(facts, engines[decision.engine_id])
    if steps:
        _draw_samples(facts, decision.engine_id, on_progress)
    if any(step.action in ("release", "start") for step in steps):
        _put_in_service(facts, release, on_progress)
    deployment = Deployment(
        device=facts.device.name,
        service=facts.device.service,
        detector=facts.detector.spec.name,
        release_id=release.manifest.release_id,
        engine_id=decision.engine_id,
        precision=decision.precision,
        decision=decision.decision,
        verifications=checked,
        steps=steps,
        changed=bool(steps),
        duration_s=round(time.monotonic() - started_s, 2),
    )
    write_json(deploy_record(facts.project, facts.device.name), to_wire(deployment))
    return deployment


def deploy_record(project: Project, device: str) -> Path:
    """Where the last deployment to a device is kept."""
    return project.state_dir / "devices" / device / "deploy.json"


def wait_until_healthy(link: Link, service: str, release_id: str, on_progress: OnProgress) -> ServiceState:
    """Wait for the first good frames of a release. Raises UnhealthyError with the end of the service's log."""
    deadline_s = time.monotonic() + _HEALTHY_WITHIN_S
    waited_s = 0.0
    while time.monotonic() < deadline_s:
        on_progress("wait until the service is healthy", int(waited_s), 0)
        now = service_state(link, service)
        if now and now.health and now.health.release == release_id and is_alive(now.health, time.time()):
            return now
        if now and (now.restarts >= _GIVE_UP_AFTER_RESTARTS or not now.running):
            break
        time.sleep(_POLL_S)
        waited_s = _HEALTHY_WITHIN_S - (deadline_s - time.monotonic())
    log = link.call("logs", LogsRequest(link.root, service, lines=8), LogsAnswer).text
    raise UnhealthyError(
        f"{service} on {link.device} saw no frame within {waited_s:.0f} s",
        why=log.rstrip(),
        hint=f"edgekit logs --device {link.device}",
    )


def service_state(link: Link, service: str) -> ServiceState | None:
    """The service as the device sees it now, None if it was never deployed."""
    answer = link.call("state", StateRequest(link.root), StateAnswer)
    return next((item for item in answer.services if item.service == service), None)


def _precisions(device: Device, detector: Detector, profile: DeviceProfile) -> tuple[str, ...]:
    """With "auto" and nothing to calibrate with, only the baseline; asking for INT8 outright is an error later."""
    precisions = candidates_for(device.precision, profile.backend)
    if device.precision == "auto" and not (device.calibration or detector.calibration):
        return precisions[:1]
    return precisions


def _calibration(
    project: Project, detector: Detector, device: Device, precisions: tuple[str, ...], on_progress: OnProgress
) -> Calibration | None:
    if "int8" not in precisions:
        return None
    return prepare_calibration(project, detector, device.calibration, on_progress)


def _records(facts: Survey) -> dict[str, Verification]:
    found = {request.engine_id: load_record(facts.record(request.engine_id)) for request in facts.requests}
    return {engine_id: record for engine_id, record in found.items() if record is not None}


def _wanted_release(facts: Survey, checked: dict[str, Verification]) -> Release | None:
    if not all(request.engine_id in checked for request in facts.requests):
        return None
    decision = choose(facts.device.precision, [checked[request.engine_id] for request in facts.requests])
    engine = facts.engine(decision.engine_id)
    return _release(facts, engine) if engine else None


def _built(facts: Survey, request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    return facts.engine(request.engine_id) or build(facts.link, request, on_progress)


def _verified(facts: Survey, engine: EngineManifest, on_progress: OnProgress) -> Verification:
    record = facts.record(engine.engine_id)
    done = load_record(record)
    if done is not None:
        return done
    return verify(facts.link, facts.detector, engine, facts.yardstick, record, on_progress)


def _draw_samples(facts: Survey, engine_id: str, on_progress: OnProgress) -> None:
    folder = samples_dir(facts.project, facts.device.name, facts.detector.spec.name)
    engine_dir = f"{facts.link.root}/engines/{engine_id}"
    draw_samples(facts.link, facts.detector.spec, engine_dir, facts.yardstick.golden, folder, on_progress)


def _release(facts: Survey, engine: EngineManifest) -> Release:
    device, service = facts.device, facts.service
    settings = ServiceSettings(device.service, device.source, device.sinks, device.threads, device.loop)
    counter = service.release.counter + 1 if service and service.release else 1
    return make_release(device.service, facts.profile, facts.detector.spec, settings, engine, counter)


def _put_in_service(facts: Survey, release: Release, on_progress: OnProgress) -> None:
    link, service = facts.link, facts.device.service
    _send_missing(link, release, on_progress)
    if facts.service:
        link.call("stop", ServiceRequest(link.root, service), ServiceState)
    answer = link.call("activate", ActivateRequest(link.root, release.manifest), ActivateAnswer, on_progress)
    try:
        link.call("start", ServiceRequest(link.root, service), ServiceState)
        wait_until_healthy(link, service, answer.release_id, on_progress)
    except UnhealthyError as error:
        raise _gone_back(link, service, answer, error) from None


def _send_missing(link: Link, release: Release, on_progress: OnProgress) -> None:
    missing = link.call("missing", MissingRequest(link.root, release.manifest.files), MissingAnswer)
    with TemporaryDirectory() as folder:
        for index, sha256 in enumerate(missing.sha256):
            on_progress("send files", index, len(missing.sha256))
            path = release.paths.get(sha256)
            if path is None:
                path = Path(folder) / sha256
                path.write_bytes(release.content[sha256])
            link.send(path, f"{missing.incoming_dir}/{sha256}")


def _gone_back(link: Link, service: str, answer: ActivateAnswer, error: UnhealthyError) -> UnhealthyError:
    """Return to the release before, if there was one, and say so."""
    link.call("stop", ServiceRequest(link.root, service), ServiceState)
    if not answer.changed or not answer.previous_release_id:
        return UnhealthyError(f"{error.what}; it was stopped", why=error.why, hint=error.hint)
    link.call("switch", SwitchRequest(link.root, service, answer.previous_release_id), ActivateAnswer)
    link.call("start", ServiceRequest(link.root, service), ServiceState)
    return UnhealthyError(
        f"{error.what}; release {answer.previous_release_id} runs again", why=error.why, hint=error.hint
    )
