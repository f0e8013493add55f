"""`edgekit build`: an engine on a device, without putting it into service."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts
from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.control.build import build, build_request, prepare_calibration
from edgekit.control.detectors import load_detector
from edgekit.control.link import connect
from edgekit.core.device import DeviceProfile
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
    model = load_detector(app.project, detector or entry.detector)
    link = connect(entry.name, entry.kind, app.project.device_root(entry.name))
    with app.console.progress() as on_progress:
        profile = link.call("probe", {}, DeviceProfile)
        pictures = (
            prepare_calibration(app.project, model, calibration or entry.calibration, on_progress)
            if precision == "int8"
            else None
        )
        request = dataclasses.replace(build_request(model, profile, precision, link, pictures), force=force)
        if dry_run:
            plan = {"engine_id": request.engine_id, "engine_key": request.engine_key, "precision": precision}
            app.console.result(plan, facts(list(plan.items())))
            return
        manifest = build(link, request, on_progress)
    folder = Path(request.engines_dir) / manifest.engine_id
    app.console.result({**dataclasses.asdict(manifest), "folder": str(folder)}, facts(_rows(manifest, folder)))
    for warning in manifest.warnings:
        app.console.warn(warning)


def _rows(manifest: EngineManifest, folder: Path) -> list[tuple[str, object]]:
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
