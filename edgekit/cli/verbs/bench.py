"""`edgekit bench`: figures that mean what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.bench.options import (
    EngineOption,
    FpsOption,
    JoulesOption,
    MibOption,
    P99Option,
    RoundsOption,
    SecondsOption,
    SourceOption,
    StreamsOption,
    WattsOption,
    asked_scenario,
)
from edgekit.cli.bench.running import Asked, bench_device, plan_device
from edgekit.cli.options import JOBS, DetectorOption, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, outcome_value, show_each, tell_trouble
from edgekit.core.limits import Limits
from edgekit.errors import TargetMissedError, UsageError

if TYPE_CHECKING:
    from edgekit.cli.bench.outcome import DeviceBench
    from edgekit.control.fleet import Told
    from edgekit.control.inventory import Device


_LEFT_STOPPED = "a service that could not be started again in time is started by the next bench, or by edgekit start"


def normalise_arguments(arguments: list[str]) -> list[str]:
    """`--fps` may stand alone or be followed by a target; Typer wants a value for it."""
    normal: list[str] = []
    for index, word in enumerate(arguments):
        normal.append(word)
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        if word == "--fps" and not _is_number(following):
            normal.append("0")
    return normal


def _is_number(word: str) -> bool:
    try:
        return float(word) >= 0
    except ValueError:
        return False


def command(
    app: App,
    device: DevicesOption = None,
    detector: DetectorOption = None,
    fps: FpsOption = None,
    p99_ms: P99Option = None,
    watts: WattsOption = None,
    joules_per_frame: JoulesOption = None,
    mib: MibOption = None,
    targets: Annotated[bool, typer.Option("--targets", help="Hold devices to their targets in devices.yaml.")] = False,
    precision: Annotated[
        Literal["all", "fp32", "fp16", "int8"] | None,
        typer.Option("--precision", help="Which built engine. Default: the deployed one."),
    ] = None,
    engine: EngineOption = None,
    rounds: RoundsOption = 1,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="bench/scenarios/NAME.yaml. Default: pipeline.")
    ] = None,
    source: SourceOption = None,
    seconds: SecondsOption = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Pictures in one inference, instead of the scenario's.")
    ] = None,
    streams: StreamsOption = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Set power mode, clocks, governor and fan for it, and set them back after it."),
    ] = False,
    untune: Annotated[
        bool, typer.Option("--untune", help="Only set back what a --tune that was cut off has left.")
    ] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Only say how the device is set, and what would spoil figures.")
    ] = False,
    ask_sudo_password: Annotated[
        bool,
        typer.Option("--ask-sudo-password", "-K", help="With --tune, --untune: ask for the devices' sudo password."),
    ] = False,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Kept in the results.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be measured, and stop.")] = False,
    jobs: JobsOption = JOBS,
) -> int:
    """Measure built engines on a device: FPS through the whole pipeline, latency of every stage, power and heat.

    A running service is stopped meanwhile and started again. With several rounds engines take turns, and figures are
    medians. Results are kept for `edgekit report`, `edgekit history` and `edgekit gate`.

    Limits set the exit code: 10 if one is not kept. What was not measured keeps no limit, and neither does a run that
    throttling or the like disturbed. Limits of the command line go before the scenario's, and these before --targets.

    Examples:

        edgekit bench --fps
        edgekit bench --fps 25 --p99-ms 60 --watts 10
        edgekit bench --precision all --rounds 5 --seconds 5
        edgekit bench --fps --device xavier-nx --tune
        edgekit bench --scenario streams --streams 8
        edgekit bench --scenario soak --seconds 3600 --targets
        edgekit bench --preflight --device xavier-nx
    """
    from edgekit.cli.bench.machine import show_preflight, show_untuned
    from edgekit.cli.sudo_password import password_source
    from edgekit.control.bench.rounds import new_session

    _refuse_contradictions(precision, engine, tune=tune, untune=untune, preflight=preflight)
    entries = app.inventory.select(device or ["local"])
    entries = tuple(dataclasses.replace(entry, detector=detector) for entry in entries) if detector else entries
    if preflight:
        return show_preflight(app, entries, jobs)
    password = password_source(ask_sudo_password)
    if untune:
        return show_untuned(app, entries, password, jobs)
    asked = Asked(
        scenario=lambda entry: asked_scenario(app.project, entry, scenario, source, seconds, batch, streams),
        limits=Limits(fps or None, p99_ms, watts, joules_per_frame, mib),
        session=new_session(),
        precision=precision,
        engines=tuple(engine or ()),
        rounds=rounds,
        targets=targets,
        tune=tune,
        note=note,
        password=password,
    )
    if dry_run:
        return _show_plans(app, entries, asked, jobs)
    return _measure_all(app, entries, asked, jobs, with_headline=fps is not None)


def _refuse_contradictions(
    precision: str | None, engine: Sequence[str] | None, *, tune: bool, untune: bool, preflight: bool
) -> None:
    if precision and engine:
        raise UsageError("--precision and --engine both say which engines", hint="give one of them")
    if sum([tune, untune, preflight]) > 1:
        raise UsageError("--tune, --untune and --preflight exclude each other", hint="give one of them")


def _measure_all(app: App, entries: Sequence[Device], asked: Asked, jobs: int, *, with_headline: bool) -> int:
    from edgekit.cli.tables.bench import bench_lines

    if len(entries) == 1:
        # In this thread, so that Ctrl-C ends the measuring, and the service is started again before this ends.
        with app.console.progress() as on_progress:
            done = bench_device(app, entries[0], asked, on_progress, app.console.warn)
        app.console.result(done, *bench_lines(done, with_headline=with_headline))
        return _tell_missed(app, [done])

    warnings: list[str] = []  # told at the end: a table of all devices fills the terminal meanwhile

    def work(entry: Device, told: Told) -> tuple[str, DeviceBench]:
        told.state("measuring")
        found = bench_device(app, entry, asked, told.progress, warnings.append)
        return ("missed" if found.missed else "measured"), found

    fleet = on_each(app, entries, work, jobs=jobs)
    for text in warnings:
        app.console.warn(text)
    found = [outcome.value for outcome in fleet.outcomes if outcome.value is not None]
    lines = [
        line for done in found for line in (f"{done.device}:", *bench_lines(done, with_headline=with_headline), "")
    ]
    value = {"devices": [outcome_value(outcome) for outcome in fleet.outcomes], "counts": fleet.counts}
    app.console.result(value, *lines)
    missed = _tell_missed(app, found)
    return tell_trouble(app.console, fleet, _LEFT_STOPPED) or missed


def _tell_missed(app: App, found: Sequence[DeviceBench]) -> int:
    """Every limit that was not kept, on standard error; the exit code."""
    from edgekit.cli.bench.outcome import missed_error

    missed = [done for done in found if done.missed]
    for done in missed:
        app.console.failure(done.device, missed_error(done.missed))
    return TargetMissedError.exit_code if missed else 0


def _show_plans(app: App, entries: Sequence[Device], asked: Asked, jobs: int) -> int:
    from edgekit.cli.bench.plan import BenchPlan, plan_table

    def work(entry: Device, told: Told) -> tuple[str, BenchPlan]:
        told.state("looking")
        return "planned", plan_device(app, entry, asked, told.progress)

    done = on_each(app, entries, work, jobs=jobs, quiet=True)
    return show_each(app.console, done, plan_table)
