"""`edgekit bench`: figures that mean what they say."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import Annotated, Literal

import typer

from edgekit.cli.console import table
from edgekit.cli.options import DetectorOption, DeviceOption, source_uri
from edgekit.cli.session import App
from edgekit.control.bench import measure, paused, save_result, select_engines
from edgekit.control.connect import link_to
from edgekit.control.deploy import load_deployment
from edgekit.control.groundwork import Groundwork
from edgekit.control.scenarios import load_scenario
from edgekit.control.visit import visit
from edgekit.core.results import FPS_MEANS, BenchResult
from edgekit.errors import TargetMissedError

_FIGURES = ("pipeline FPS", "95 % interval", "engine FPS", "share", "p50 ms", "p95 ms", "p99 ms", "mAP50-95")


def normalise_arguments(arguments: list[str]) -> list[str]:
    """`--fps` may stand alone or be followed by a target; Typer wants a value for it."""
    normal: list[str] = []
    for index, word in enumerate(arguments):
        normal.append(word)
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        if word == "--fps" and not following.replace(".", "", 1).isdigit():
            normal.append("0")
    return normal


def command(
    app: App,
    device: DeviceOption = "local",
    detector: DetectorOption = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", metavar="[TARGET]", min=0, help="End with the headline; exit with 10 below TARGET."),
    ] = None,
    precision: Annotated[
        Literal["all", "fp32", "fp16", "int8"] | None,
        typer.Option("--precision", help="Which built engine. Default: the deployed one."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="bench/scenarios/NAME.yaml. Default: pipeline.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Instead of the scenario's: a path on the device or a URI, as for detect."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, max=3600, help="Instead of the scenario's, for each engine.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Pictures in one inference, instead of the scenario's.")
    ] = None,
) -> None:
    """Measure built engines on a device: FPS through the whole pipeline, engine alone, latency of every stage.

    A running service is stopped meanwhile and started again. Results are kept for `edgekit report`.

    Examples:

        edgekit bench --fps
        edgekit bench --fps 25 --precision int8
        edgekit bench --precision all --seconds 30
        edgekit bench --fps --device xavier-nx
    """
    entry = app.device(device)
    entry = dataclasses.replace(entry, detector=detector) if detector else entry
    given = {"source": source and source_uri(source, entry.kind), "seconds": seconds, "batch": batch}
    wanted = load_scenario(app.project, scenario).model_copy(update={k: v for k, v in given.items() if v is not None})
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        seen = visit(Groundwork(app.project), entry, link, on_progress)
        engines = select_engines(seen, precision)
        with paused(link, seen.service, entry.probation.deadline_s, on_progress):
            results = [measure(seen, engine, wanted, on_progress) for engine in engines]
    for result in results:
        save_result(app.project.results_dir, result)
    deployment = load_deployment(app.project, entry.name)
    shipped_id = deployment.engine_id if deployment else ""
    shipped = next((item for item in results if item.engine.engine_id == shipped_id), results[-1])
    human = [table(("precision", *_FIGURES), [_row(item) for item in results], right=_FIGURES)]
    app.console.result(results, *human, *([headline(shipped)] if fps is not None else []))
    _check_target(shipped, fps)


def headline(result: BenchResult) -> str:
    """One line with the figure, and one that says what it is."""
    rate = result.measurement.rate
    return (
        f"{rate.fps:.1f} FPS ({rate.low_fps:.1f} to {rate.high_fps:.1f}) with {result.engine.precision.upper()} "
        f"on {result.device}\n{FPS_MEANS}"
    )


def _row(result: BenchResult) -> tuple[object, ...]:
    figures = result.measurement
    total = figures.stages["end_to_end"]
    rate = figures.rate
    return (
        result.engine.precision,
        f"{rate.fps:.1f}" + ("" if rate.stable else " (unstable)"),
        f"{rate.low_fps:.1f}-{rate.high_fps:.1f}",
        f"{figures.engine_rate.fps:.1f}" if figures.engine_rate else None,
        None if figures.pipeline_share is None else f"{figures.pipeline_share:.3f}",
        f"{total.p50_ms:.1f}",
        f"{total.p95_ms:.1f}",
        None if total.p99_ms is None else f"{total.p99_ms:.1f}",
        f"{result.accuracy.map50_95:.3f}" if result.accuracy else None,
    )


def _check_target(result: BenchResult, target_fps: float | None) -> None:
    rate, alone = result.measurement.rate, result.measurement.engine_rate
    if target_fps and rate.fps < target_fps:
        raise TargetMissedError(
            f"{rate.fps:.1f} FPS is below the target of {target_fps:g}",
            why=f"the engine alone gives {alone.fps:.1f} FPS" if alone else "",
            hint="edgekit report shows which stage takes the time",
        )
