"""`edgekit gate --measure`: the baseline's engine and the deployed one measured in turns, now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.cli.verbs.gate import named_baseline
from edgekit.core.results import BenchResult
from edgekit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.link import Link
    from edgekit.control.scenarios import Scenario
    from edgekit.control.visit import Visit
    from edgekit.core.engine import EngineManifest
    from edgekit.core.preflight import Preflight
    from edgekit.core.progress import OnProgress
    from edgekit.report.gate.outcome import GateReport, Limits
    from edgekit.report.gate.sides import Sides


@dataclass(frozen=True)
class Turns:
    """What is to be measured, as the command line says it."""

    baseline: str
    candidate: str | None
    device: str | None
    detector: str | None
    scenario: str | None
    seconds: float | None
    rounds: int
    tune: bool = False
    ask_password: bool = False


@dataclass(frozen=True)
class _Pair:
    seen: Visit
    baseline: EngineManifest
    candidate: EngineManifest
    name: str  # of the baseline
    scenario: Scenario
    recorded: tuple[BenchResult, ...]

    @property
    def is_one(self) -> bool:
        return self.baseline.engine_id == self.candidate.engine_id


def measured_sides(app: App, recorded: Sequence[BenchResult], asked: Turns, limits: Limits) -> Sides | GateReport:
    """Measure both; where they are the same engine, that is the outcome."""
    from edgekit.cli.bench.machine import finding_lines, tuned_for
    from edgekit.cli.sudo_password import password_source
    from edgekit.control.bench.rounds import Asides, measure_rounds
    from edgekit.control.connect import link_to
    from edgekit.report.gate.naming import GATE_NOTE
    from edgekit.report.gate.sides import sides_in_turns

    entry, results, warn = _entry(app, recorded, asked), list[BenchResult](), app.console.warn
    password = password_source(asked.ask_password)

    def on_preflight(found: Preflight) -> None:
        for line in finding_lines(entry.name, found):
            warn(line)

    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        pair = _pair(app, recorded, asked, entry, link, on_progress)
        if pair.is_one:
            return _unchanged(pair, limits)
        tuning = tuned_for(warn, link, entry, password, on_progress) if asked.tune else nullcontext(())
        try:
            measure_rounds(
                pair.seen,
                (pair.baseline, pair.candidate),
                pair.scenario,
                asked.rounds,
                on_progress,
                note=GATE_NOTE + asked.baseline,
                tuning=tuning,
                tell=Asides(warn, results.append, on_preflight),
            )
        finally:
            _record(app, results)
    ids = pair.baseline.engine_id, pair.candidate.engine_id
    return sides_in_turns(results, *ids, f"{pair.name}, measured now", pair.recorded)


def _record(app: App, results: Sequence[BenchResult]) -> None:
    """Also of a gate that was interrupted: the turns that were over are results."""
    from edgekit.report.history.recording import record

    for warning in record(app.project.state_dir, results):
        app.console.warn(warning)


def show_turns(app: App, recorded: Sequence[BenchResult], asked: Turns) -> int:
    """`--dry-run`."""
    from edgekit.control.connect import link_to

    entry = _entry(app, recorded, asked)
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        pair = _pair(app, recorded, asked, entry, link, on_progress)
    if pair.is_one:
        same = pair.candidate.engine_id
        app.console.result({"would": "nothing", "engine": same}, f"engine {same} is the baseline's and is deployed")
        return 0
    engines = [pair.baseline, pair.candidate]
    value = {
        "would": "measure",
        "device": entry.name,
        "engines": [engine.engine_id for engine in engines],
        "scenario": pair.scenario.name,
        "seconds": pair.scenario.seconds,
        "rounds": asked.rounds,
        "stops_service": bool(pair.seen.service and pair.seen.service.running),
    }
    lines = [f"would measure on {entry.name}, {asked.rounds} rounds in turns, scenario {pair.scenario.name}:"]
    lines += [f"  {engine.precision.upper()} engine {engine.engine_id} of {engine.created_utc}" for engine in engines]
    app.console.result(value, *lines, *(["the service is stopped meanwhile"] if value["stops_service"] else []))
    return 0


def _entry(app: App, recorded: Sequence[BenchResult], asked: Turns) -> Device:
    newest = max(recorded, key=lambda result: result.created_utc, default=None)
    entry = app.device(asked.device or (newest.device if newest else "local"))
    return replace(entry, detector=asked.detector) if asked.detector else entry


def _pair(
    app: App, recorded: Sequence[BenchResult], asked: Turns, entry: Device, link: Link, on_progress: OnProgress
) -> _Pair:
    from edgekit.cli.bench.options import asked_scenario
    from edgekit.control.bench.engines import deployed_engine
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.visit import visit

    seen = visit(Groundwork(app.project), entry, link, on_progress)
    engines = {e.engine_id: e for e in seen.state.engines if e.engine_key == seen.profile.engine_key}
    ours = _by_id(engines, asked.candidate) if asked.candidate else deployed_engine(seen)
    if ours is None:
        raise NotFoundError(
            f"nothing to judge: {asked.candidate or 'no engine'} is "
            f"{'no engine on' if asked.candidate else 'deployed on'} {entry.name}",
            hint=f"edgekit deploy --device {entry.name}",
        )
    pool = [r for r in recorded if (r.device, r.engine.detector) == (entry.name, seen.detector.spec.name)]
    found = _by_id(engines, asked.baseline)
    if found is not None:
        theirs, name = found, "engine named"
    else:
        theirs, name = _recorded_engine(app, engines, pool, asked.baseline, ours, entry.name)
    _check_alike(theirs, ours)
    scenario = asked_scenario(app.project, entry, asked.scenario, None, asked.seconds, None, None)
    return _Pair(seen, theirs, ours, name, scenario, tuple(pool))


def _by_id(engines: dict[str, EngineManifest], begins: str) -> EngineManifest | None:
    found = [engine for engine_id, engine in engines.items() if len(begins) >= 7 and engine_id.startswith(begins)]
    return found[0] if len(found) == 1 else None


def _recorded_engine(
    app: App,
    engines: dict[str, EngineManifest],
    pool: Sequence[BenchResult],
    name: str,
    ours: EngineManifest,
    device: str,
) -> tuple[EngineManifest, str]:
    """The engine that the baseline measured last, of the candidate's precision where there is one; and what it is
    called."""
    named = named_baseline(app, pool, name)
    results = named.results
    of_precision = [result for result in results if result.engine.precision == ours.precision]
    newest = max(of_precision or results, key=lambda result: result.created_utc, default=None)
    if newest is None:
        raise NotFoundError(f"{name} holds no result", hint="edgekit bench --fps")
    if newest.engine.engine_id not in engines:
        raise NotFoundError(
            f"the engine of {name}, {newest.engine.engine_id}, is no longer on {device}",
            why="what no release needs is deleted by edgekit gc, and an engine of another device is none here",
            hint="build it there again, or compare what was recorded: leave --measure out",
        )
    commit = f", commit {newest.git_commit}" if newest.git_commit and named.kind != "commit" else ""
    return engines[newest.engine.engine_id], f"{named}{commit}"


def _check_alike(first: EngineManifest, second: EngineManifest) -> None:
    """An older model is run with today's detector: that takes the same inputs and outputs."""
    if (first.inputs, first.outputs, first.profile) != (second.inputs, second.outputs, second.profile):
        raise UsageError(
            f"engines {first.engine_id} and {second.engine_id} have other inputs or outputs",
            why="\n".join(f"{e.engine_id}: {', '.join(map(str, (*e.inputs, *e.outputs)))}" for e in (first, second)),
            hint="measure each with its own detector, then: edgekit gate without --measure",
        )


def _unchanged(pair: _Pair, limits: Limits) -> GateReport:
    from edgekit.report.gate.outcome import SideSummary, unchanged

    engine = pair.candidate
    side = SideSummary(
        "deployed now", engine.engine_id, engine.precision, None, 0, 0, engine.created_utc, engine.created_utc
    )
    return unchanged(pair.seen.device.name, pair.seen.detector.spec.name, pair.scenario.name, side, limits)
