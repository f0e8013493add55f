"""What a deployment will do, decided before anything is done: the steps that `--dry-run` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, List, Sequence, Tuple


@dataclass(frozen=True)
class Step:
    """One thing to do, and why. action is one of build, verify, release, activate, start."""

    action: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """An engine that may ship."""

    precision: str
    engine_id: str


@dataclass(frozen=True)
class Standing:
    """How things stand: engines on the device, checked engines, and what the service runs now.

    wanted_release_id is "" as long as an engine is still to be built or checked, because the release holds the engine.
    committed_release_id is the one that proved itself and is in service, target_release_id the one on probation;
    "" where there is none. failure: why the wanted release was taken back here before, "" if it was not.
    """

    built: Collection[str]
    verified: Collection[str]
    committed_release_id: str
    wanted_release_id: str
    running: bool
    healthy: bool
    target_release_id: str = ""
    failure: str = ""


def candidates_for(wanted: str, backend: str) -> Tuple[str, ...]:
    """The precisions to build for a wish: the baseline first, INT8 beside it where it may ship."""
    baseline = "fp16" if backend == "tensorrt" else "fp32"
    if wanted in ("auto", "int8"):
        return (baseline, "int8")
    return (wanted,)


def plan_deploy(candidates: Sequence[Candidate], standing: Standing) -> Tuple[Step, ...]:
    """The steps from how things stand to a healthy service. Empty where nothing is to be done."""
    return (*_engine_steps(candidates, standing), *_service_steps(standing))


def _engine_steps(candidates: Sequence[Candidate], standing: Standing) -> Tuple[Step, ...]:
    steps: List[Step] = []
    for item in candidates:
        if item.engine_id not in standing.built:
            steps.append(Step("build", f"{item.precision} engine {item.engine_id}", "not on the device yet"))
        if item.engine_id not in standing.verified:
            steps.append(Step("verify", f"{item.precision} engine {item.engine_id}", "not checked yet"))
    return tuple(steps)


def _service_steps(standing: Standing) -> Tuple[Step, ...]:
    wanted = standing.wanted_release_id
    if not wanted:
        return (
            Step("release", "the engine that passes", "known once the engines are checked"),
            Step("activate", "the service", "with the new release"),
        )
    if standing.target_release_id == wanted:
        return (Step("activate", "the service", "the release is on probation already"),)
    if standing.committed_release_id != wanted:
        before = standing.committed_release_id or "nothing"
        again = f"; it failed here before: {standing.failure}" if standing.failure else ""
        return (
            Step("release", wanted, f"the device runs {before}"),
            Step("activate", "the service", f"with the new release{again}"),
        )
    if not (standing.running and standing.healthy):
        return (Step("start", "the service", "it is not healthy" if standing.running else "it is not running"),)
    return ()
