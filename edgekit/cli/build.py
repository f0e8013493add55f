"""`edgekit build`: an engine on a device, without putting it into service."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts
from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.control.build import build, place_order
from edgekit.core.engine import EngineManifest


def command(
    app: App,
    detector: Annotated[
        str | None, typer.Argument(help="Default: the device's own detector.", autocompletion=complete_detectors)
    ] = None,
    device: DeviceOption = "local",
    precision: Annotated[Literal["fp32", "fp16", "int8"], typer.Option("--precision", help="What to build.")] = "fp32",
    calibration: Annotated[
        str | None, typer.Option("--calibration", metavar="SET", help="A folder of calib_sets/, for INT8.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build again even if the engine is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built and stop.")] = False,
) -> None:
    """Build an engine for a detector on a device. An engine that is there already is not built again.

    Examples:

        edgekit build
        edgekit build roadscene --precision int8
        edgekit build roadscene --precision int8 --calibration roadscene-day
    """
    entry = app.device(device)
    with app.console.progress() as on_progress:
        order = place_order(app.project, entry, precision, on_progress, detector=detector, calibration=calibration)
        if dry_run:
            request = order.request
            plan = {"engine_id": request.engine_id, "engine_key": request.engine_key, "precision": precision}
            app.console.result(plan, facts(list(plan.items())))
            return
        manifest = build(order.link, dataclasses.replace(order.request, force=force), on_progress)
    app.console.result(
        {**dataclasses.asdict(manifest), "folder": order.engine_dir}, facts(_rows(manifest, order.engine_dir))
    )
    for warning in manifest.warnings:
        app.console.warn(warning)


def _rows(manifest: EngineManifest, folder: str) -> list[tuple[str, object]]:
    return [
        ("engine", manifest.engine_id),
        ("for", manifest.engine_key),
        ("precision", manifest.precision),
        ("layers in INT8", f"{manifest.layers_quantised} of {manifest.layers_total}"),
        ("calibration pictures", manifest.calibration_images),
        ("size", f"{manifest.file_bytes / 2**20:.1f} MiB"),
        ("built in", f"{manifest.build_s:.1f} s"),
        ("folder", folder),
    ]
