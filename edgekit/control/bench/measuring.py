"""One engine measured once, and the result that comes of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from edgekit.control.bench.checkout import Checkout
from edgekit.control.deploy import load_deployment
from edgekit.control.scenarios import Scenario, sources_of
from edgekit.control.visit import Visit
from edgekit.core.camera_uri import hide_credentials
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.preflight import Preflight
from edgekit.core.progress import OnProgress
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import Accuracy, BenchResult
from edgekit.core.wire import to_wire
from edgekit.files import write_json


@dataclass(frozen=True)
class Turn:
    """What a result records of the session that it belongs to. tuned: settings that were changed for it."""

    session: str
    round: int
    checkout: Checkout
    note: str = ""
    tuned: tuple[str, ...] = ()


def bench_request(seen: Visit, engine: EngineManifest, scenario: Scenario) -> BenchRequest:
    """What the device is asked to do. Raises UsageError for a source that it cannot have."""
    source, *more = sources_of(scenario, seen.device, seen.project)
    return BenchRequest(
        seen.engine_dir(engine.engine_id),
        # A gate measures engines of an older model of this detector too.
        replace(seen.detector.spec, model_sha256=engine.model_sha256),
        source=source,
        batch=scenario.batch,
        duration_s=scenario.seconds,
        threads=seen.device.threads,
        scenario=scenario.kind,
        streams=scenario.streams,
        more_sources=tuple(more),
        parts=scenario.parts,
    )


def measure(
    seen: Visit, engine: EngineManifest, scenario: Scenario, turn: Turn, on_progress: OnProgress
) -> BenchResult:
    """Measure one engine. Its accuracy is the one found when it was verified, if it was."""
    answer = seen.link.call("bench", bench_request(seen, engine, scenario), BenchAnswer, on_progress)
    now = datetime.now(timezone.utc)
    return BenchResult(
        result_id=f"{now:%Y%m%dT%H%M%S}-{engine.precision}-{secrets.token_hex(3)}",
        created_utc=now.isoformat(timespec="seconds"),
        device=seen.device.name,
        profile=_as_measured(seen.profile, answer.preflight),
        engine=engine,
        # A camera's address holds its password, and results are for everyone.
        conditions=replace(answer.conditions, source=hide_credentials(answer.conditions.source)),
        measurement=answer.measurement,
        accuracy=_accuracy(seen, engine),
        git_commit=turn.checkout.commit,
        note=turn.note,
        git_branch=turn.checkout.branch,
        session=turn.session,
        round=turn.round,
        preflight=_with_tuned(answer.preflight, turn.tuned),
        scenario_name=scenario.name,
    )


def save_result(folder: Path, result: BenchResult) -> Path:
    """Write a result under its id and say where."""
    path = folder / f"{result.device}-{result.engine.detector}-{result.result_id}.json"
    write_json(path, to_wire(result))
    return path


def _as_measured(profile: DeviceProfile, preflight: Preflight | None) -> DeviceProfile:
    """The profile with the power mode of the run: the device was probed before it was tuned."""
    mode = preflight.value("power_mode") if preflight else None
    return replace(profile, power_mode=mode) if mode else profile


def _with_tuned(preflight: Preflight | None, tuned: tuple[str, ...]) -> Preflight | None:
    if not tuned:
        return preflight
    return replace(preflight or Preflight(), tuned=tuned)


def _accuracy(seen: Visit, engine: EngineManifest) -> Accuracy | None:
    deployment = load_deployment(seen.project, seen.device.name)
    checked = deployment.verifications if deployment else ()
    return next((item.accuracy for item in checked if item.engine_id == engine.engine_id), None)
