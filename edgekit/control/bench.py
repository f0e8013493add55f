"""Measuring an engine on its device, and the result file that comes of it."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from edgekit.control.deploy import Deployment, Survey, deploy_record, wait_until_healthy
from edgekit.control.link import Link, OnProgress
from edgekit.control.scenarios import Scenario
from edgekit.core.engine import EngineManifest
from edgekit.core.requests import BenchAnswer, BenchRequest, ServiceRequest, ServiceState
from edgekit.core.results import Accuracy, BenchResult
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EdgekitError, NotFoundError
from edgekit.files import write_json


def load_deployment(facts: Survey) -> Deployment | None:
    """The record of the last deployment to this device, None if there is none."""
    try:
        text = deploy_record(facts.project, facts.device.name).read_text("utf-8")
        return from_wire(Deployment, json.loads(text), "deploy.json")
    except (OSError, ValueError, EdgekitError):
        return None


def select_engines(facts: Survey, wanted: str | None) -> tuple[EngineManifest, ...]:
    """The engines to measure: the deployed one, one precision, or "all" that are built, baseline first.

    Raises NotFoundError if there is none.
    """
    built = [engine for request in facts.requests if (engine := facts.engine(request.engine_id))]
    release = facts.service.release if facts.service else None
    if wanted is None:
        chosen = [engine for engine in built if release and engine.engine_id == release.engine_id]
    else:
        chosen = [engine for engine in built if wanted in ("all", engine.precision)]
    if not chosen:
        what = "nothing is deployed" if wanted is None else f"no {wanted} engine is built"
        raise NotFoundError(
            f"{what} for {facts.detector.spec.name} on {facts.device.name}",
            hint=f"edgekit deploy --device {facts.device.name}",
        )
    return tuple(chosen)


def measure(facts: Survey, engine: EngineManifest, scenario: Scenario, on_progress: OnProgress) -> BenchResult:
    """Measure one engine. Its accuracy is the one found when it was verified, if it was."""
    engine_dir = str(Path(facts.link.root) / "engines" / engine.engine_id)
    request = BenchRequest(
        engine_dir,
        facts.detector.spec,
        source=scenario.source,
        batch=scenario.batch,
        duration_s=scenario.seconds,
        threads=facts.device.threads,
    )
    answer = facts.link.call("bench", request, BenchAnswer, on_progress)
    now = datetime.now(timezone.utc)
    return BenchResult(
        result_id=f"{now:%Y%m%dT%H%M%S}-{engine.precision}-{secrets.token_hex(3)}",
        created_utc=now.isoformat(timespec="seconds"),
        device=facts.device.name,
        profile=facts.profile,
        engine=engine,
        conditions=answer.conditions,
        measurement=answer.measurement,
        accuracy=_accuracy(facts, engine),
        git_commit=_git_commit(facts.project.root),
    )


def save_result(folder: Path, result: BenchResult) -> Path:
    """Write a result under its id and say where."""
    path = folder / f"{result.device}-{result.engine.detector}-{result.result_id}.json"
    write_json(path, to_wire(result))
    return path


@contextmanager
def paused(link: Link, service: ServiceState | None, on_progress: OnProgress) -> Iterator[bool]:
    """Keep the service stopped meanwhile, because it would share the cores; yields whether it had to be."""
    if service is None or not service.running:
        yield False
        return
    on_progress("stop the service for the measurement", 0, 0)
    link.call("stop", ServiceRequest(link.root, service.service), ServiceState)
    try:
        yield True
    finally:
        link.call("start", ServiceRequest(link.root, service.service), ServiceState)
        wait_until_healthy(link, service.service, service.release_id, on_progress)


def _accuracy(facts: Survey, engine: EngineManifest) -> Accuracy | None:
    from edgekit.control.verify import load_record

    record = load_record(facts.record(engine.engine_id))
    return record.accuracy if record else None


def _git_commit(folder: Path) -> str | None:
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
