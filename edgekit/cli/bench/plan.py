"""What `edgekit bench --dry-run` says: what would be measured, with which limits, and what that disturbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import facts
from edgekit.core.camera_uri import hide_credentials
from edgekit.core.limits import Limits
from edgekit.core.preflight import Setting

if TYPE_CHECKING:
    from edgekit.control.scenarios import Scenario
    from edgekit.control.visit import Visit
    from edgekit.core.engine import EngineManifest


@dataclass(frozen=True)
class BenchPlan:
    """engines: "precision id", in the order of the first round. sources: without user and password.

    stops: the service that would be stopped meanwhile, "" for none. tunes: the settings that would be set and set back,
    as they are now, each with what would be better; None without --tune.
    """

    device: str
    detector: str
    scenario: str
    kind: str
    sources: tuple[str, ...]
    engines: tuple[str, ...]
    rounds: int
    seconds: float
    batch: int
    streams: int
    stops: str
    tunes: tuple[Setting, ...] | None
    limits: Limits


def plan_of(
    seen: Visit,
    engines: Sequence[EngineManifest],
    scenario: Scenario,
    rounds: int,
    limits: Limits,
    tunes: tuple[Setting, ...] | None,
) -> BenchPlan:
    """What the same call without --dry-run would do. Raises UsageError for a source that the device cannot have."""
    from edgekit.control.scenarios import sources_of

    return BenchPlan(
        device=seen.device.name,
        detector=seen.detector.spec.name,
        scenario=scenario.name,
        kind=scenario.kind,
        sources=tuple(hide_credentials(source) for source in sources_of(scenario, seen.device, seen.project)),
        engines=tuple(f"{engine.precision} {engine.engine_id}" for engine in engines),
        rounds=rounds,
        seconds=scenario.seconds,
        batch=scenario.batch,
        streams=scenario.streams,
        stops=seen.device.service if seen.service and seen.service.running else "",
        tunes=tunes,
        limits=limits,
    )


def plan_table(plan: BenchPlan) -> Any:
    """For people."""
    asked = ", ".join(f"{name} {value:g}" for name, value in plan.limits.asked.items())
    streams = f", up to {plan.streams} streams" if plan.streams > 1 else ""
    turns = f"{plan.rounds} rounds, the engines in turns" if plan.rounds > 1 else "once"
    return facts(
        [
            ("device", plan.device),
            ("detector", plan.detector),
            ("scenario", plan.scenario if plan.scenario == plan.kind else f"{plan.scenario} ({plan.kind})"),
            ("source", ", ".join(plan.sources)),
            ("engines", ", ".join(plan.engines)),
            ("measured", f"{turns}, {plan.seconds:g} s each, batch {plan.batch}{streams}"),
            ("stopped meanwhile", plan.stops or "nothing"),
            ("settings", _settings(plan.tunes)),
            ("limits", asked or "none"),
        ]
    )


def _settings(tunes: tuple[Setting, ...] | None) -> str:
    if tunes is None:
        return "left as they are"
    return "; ".join(map(_setting, tunes)) or "this machine has none that could be set"


def _setting(setting: Setting) -> str:
    what = "would be set and set back" if setting.advice else "as it should be"
    return f"{setting.name.replace('_', ' ')} is {setting.value or 'not known'}, {what}"
