"""One device measured, or only looked at, as one call of `edgekit bench` asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.core.limits import Limits
from edgekit.core.results import BenchResult

if TYPE_CHECKING:
    from edgekit.cli.bench.outcome import DeviceBench
    from edgekit.cli.bench.plan import BenchPlan
    from edgekit.control.inventory import Device
    from edgekit.control.link import Link
    from edgekit.control.scenarios import Scenario
    from edgekit.control.visit import Visit
    from edgekit.core.engine import EngineManifest
    from edgekit.core.preflight import Preflight
    from edgekit.core.progress import OnProgress


@dataclass(frozen=True)
class Asked:
    """What one call is to do on each of its devices. limits: of the command line."""

    scenario: Callable[[Device], Scenario]
    limits: Limits
    session: str
    precision: str | None
    engines: tuple[str, ...]
    rounds: int
    targets: bool
    tune: bool
    note: str
    password: Callable[[], str | None]


def bench_device(
    app: App, entry: Device, asked: Asked, on_progress: OnProgress, warn: Callable[[str], None]
) -> DeviceBench:
    """Measure one device. warn is told at once what may spoil its figures, and what runs before have left."""
    from edgekit.cli.bench.machine import finding_lines, tuned_for
    from edgekit.cli.bench.outcome import outcome_of
    from edgekit.control.bench.engines import deployed_engine
    from edgekit.control.bench.rounds import Asides, measure_rounds
    from edgekit.control.connect import link_to

    scenario, results = asked.scenario(entry), list[BenchResult]()

    def on_preflight(found: Preflight) -> None:
        for line in finding_lines(entry.name, found):
            warn(line)

    tell = Asides(warn, results.append, on_preflight)
    with closing(link_to(app.project, entry)) as link:
        seen, engines = _chosen(app, entry, asked, link, on_progress)
        tuning = tuned_for(warn, link, entry, asked.password, on_progress) if asked.tune else nullcontext(())
        try:
            measure_rounds(
                seen,
                engines,
                scenario,
                asked.rounds,
                on_progress,
                session=asked.session,
                note=asked.note,
                tuning=tuning,
                tell=tell,
            )
        finally:
            _record(app, results, warn)
    shipped = deployed_engine(seen)
    return outcome_of(results, shipped.engine_id if shipped else "", _limits(asked, scenario, entry))


def plan_device(app: App, entry: Device, asked: Asked, on_progress: OnProgress) -> BenchPlan:
    """What `bench_device` would do. With --tune it looks at the settings as they are."""
    from edgekit.cli.bench.plan import plan_of
    from edgekit.control.connect import link_to
    from edgekit.control.tuning import read_preflight

    scenario = asked.scenario(entry)
    with closing(link_to(app.project, entry)) as link:
        seen, engines = _chosen(app, entry, asked, link, on_progress)
        tunes = read_preflight(link, on_progress).settings if asked.tune else None
        return plan_of(seen, engines, scenario, asked.rounds, _limits(asked, scenario, entry), tunes)


def _chosen(
    app: App, entry: Device, asked: Asked, link: Link, on_progress: OnProgress
) -> tuple[Visit, tuple[EngineManifest, ...]]:
    from edgekit.control.bench.engines import select_engines
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.visit import visit

    seen = visit(Groundwork(app.project), entry, link, on_progress)
    return seen, select_engines(seen, asked.precision, asked.engines)


def _record(app: App, results: Sequence[BenchResult], warn: Callable[[str], None]) -> None:
    """Into the history what was measured, also by a run that was ended."""
    from edgekit.report.history.recording import record

    if results:
        for warning in record(app.project.state_dir, results):
            warn(warning)


def _limits(asked: Asked, scenario: Scenario, entry: Device) -> Limits:
    limits = asked.limits.over(scenario.limits)
    wanted = entry.targets
    targets = Limits(wanted.fps, wanted.p99_ms, wanted.watts, wanted.joules_per_frame, wanted.mib)
    return limits.over(targets) if asked.targets else limits
