"""Measuring an engine on its device, and the result file that comes of it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from edgekit.control.deploy import load_deployment
from edgekit.control.link import Link
from edgekit.control.scenarios import Scenario
from edgekit.control.services import start_and_wait, stop
from edgekit.control.visit import Visit
from edgekit.core.deployment import ServiceState
from edgekit.core.engine import PRECISIONS, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import Accuracy, BenchResult
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError, NotFoundError
from edgekit.files import write_json


def select_engines(seen: Visit, wanted: str | None) -> tuple[EngineManifest, ...]:
    """The engines to measure: the deployed one, the newest of one precision, or the newest of "all", baseline first.

    Raises NotFoundError if there is none.
    """
    release = seen.service.release if seen.service else None
    newest = {engine.precision: engine for engine in seen.engines}
    if wanted is None:
        deployed = seen.engine(release.engine_id) if release else None
        chosen = [deployed] if deployed else []
    else:
        chosen = [newest[name] for name in PRECISIONS if name in newest and wanted in ("all", name)]
    if not chosen:
        what = (
            "nothing is deployed" if wanted is None else f"no {'' if wanted == 'all' else wanted + ' '}engine is built"
        )
        raise NotFoundError(
            f"{what} for {seen.detector.spec.name} on {seen.device.name}",
            hint=f"edgekit deploy --device {seen.device.name}",
        )
    return tuple(chosen)


def measure(seen: Visit, engine: EngineManifest, scenario: Scenario, on_progress: OnProgress) -> BenchResult:
    """Measure one engine. Its accuracy is the one found when it was verified, if it was."""
    request = BenchRequest(
        seen.engine_dir(engine.engine_id),
        seen.detector.spec,
        source=scenario.source,
        batch=scenario.batch,
        duration_s=scenario.seconds,
        threads=seen.device.threads,
    )
    answer = seen.link.call("bench", request, BenchAnswer, on_progress)
    now = datetime.now(timezone.utc)
    return BenchResult(
        result_id=f"{now:%Y%m%dT%H%M%S}-{engine.precision}-{secrets.token_hex(3)}",
        created_utc=now.isoformat(timespec="seconds"),
        device=seen.device.name,
        profile=seen.profile,
        engine=engine,
        conditions=answer.conditions,
        measurement=answer.measurement,
        accuracy=_accuracy(seen, engine),
        git_commit=_git_commit(seen.project.root),
    )


def save_result(folder: Path, result: BenchResult) -> Path:
    """Write a result under its id and say where."""
    path = folder / f"{result.device}-{result.engine.detector}-{result.result_id}.json"
    write_json(path, to_wire(result))
    return path


@contextmanager
def paused(link: Link, service: ServiceState | None, deadline_s: float, on_progress: OnProgress) -> Iterator[bool]:
    """Keep the service stopped meanwhile, because it would share the cores; yields whether it had to be.

    deadline_s: for its first frames when it is started again. Raises DeployError while a release is on probation.
    """
    if service is None or not service.running:
        yield False
        return
    if not service.journal.settled:
        raise DeployError(
            f"release {service.journal.target} of {service.service} is being tried on {link.device}",
            hint=f"wait until edgekit status {link.device} shows it healthy",
        )
    on_progress("stop the service for the measurement", 0, 0)
    stop(link, service.service)
    try:
        yield True
    finally:
        start_and_wait(link, service.service, deadline_s, on_progress)


def _accuracy(seen: Visit, engine: EngineManifest) -> Accuracy | None:
    deployment = load_deployment(seen.project, seen.device.name)
    checked = deployment.verifications if deployment else ()
    return next((item.accuracy for item in checked if item.engine_id == engine.engine_id), None)


def _git_commit(folder: Path) -> str | None:
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
