"""`edgekit build`: an engine on a device, without putting it into service."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Any, Literal

import typer

from edgekit.cli.console import facts
from edgekit.cli.options import DetectorArgument, DeviceOption
from edgekit.cli.session import App
from edgekit.control.build import Container, Order, fulfil, is_built, place_order
from edgekit.control.connect import link_to
from edgekit.control.containers import container_plan
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import DLA_CORE_MAX, WORKSPACE_MIB, check_plugin
from edgekit.control.prepare import describe_preparation
from edgekit.core.engine import EngineManifest
from edgekit.core.workspace import choose_workspace_mib
from edgekit.errors import UsageError

_PANEL = "TensorRT"
_CONTAINER_PANEL = "Container"
_LEAST_WORKSPACE_MIB, _MOST_WORKSPACE_MIB = WORKSPACE_MIB

RouteOption = Annotated[
    Literal["auto", "calibrator", "explicit"] | None,
    typer.Option(
        "--route",
        metavar="ROUTE",
        help="How INT8 comes about: calibrator, explicit, or auto, by the TensorRT there.",
        rich_help_panel=_PANEL,
    ),
]
CalibratorOption = Annotated[
    Literal["entropy", "minmax"] | None,
    typer.Option(
        "--calibrator",
        metavar="NAME",
        help="What the calibrator route measures with: entropy or minmax.",
        rich_help_panel=_PANEL,
    ),
]
WorkspaceOption = Annotated[
    int | None,
    typer.Option(
        "--workspace-mib",
        min=_LEAST_WORKSPACE_MIB,
        max=_MOST_WORKSPACE_MIB,
        metavar="MIB",
        help="Scratch memory a layer may use. Default: from free memory.",
        rich_help_panel=_PANEL,
    ),
]
LevelOption = Annotated[
    int | None,
    typer.Option(
        "--optimisation-level",
        min=0,
        max=5,
        metavar="LEVEL",
        help="A higher one builds longer. TensorRT 8.6 and newer.",
        rich_help_panel=_PANEL,
    ),
]
DlaOption = Annotated[
    int | None,
    typer.Option(
        "--dla-core",
        min=0,
        max=DLA_CORE_MAX,
        metavar="N",
        help="Use this deep learning accelerator, and the GPU for what it cannot run.",
        rich_help_panel=_PANEL,
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A library of plugins on the device. May be given again.",
        rich_help_panel=_PANEL,
    ),
]
LibraryOption = Annotated[
    bool | None,
    typer.Option(
        "--library-tactics/--no-library-tactics",
        help="Also try kernels of cuBLAS and cuDNN.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]

ContainerOption = Annotated[
    bool,
    typer.Option(
        "--in-container",
        help="Build inside the image that matches the device's Jetson Linux and TensorRT.",
        rich_help_panel=_CONTAINER_PANEL,
    ),
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        help="This image instead of the one known to match.",
        rich_help_panel=_CONTAINER_PANEL,
    ),
]


def command(
    app: App,
    detector: DetectorArgument = None,
    device: DeviceOption = "local",
    precision: Annotated[
        Literal["fp32", "fp16", "int8"] | None,
        typer.Option("--precision", help="What to build. Default: fp16 with TensorRT, else fp32."),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option("--calibration", metavar="SET", help="A folder of calib_sets/, for INT8.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build again even if the engine is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built and stop.")] = False,
    route: RouteOption = None,
    calibrator: CalibratorOption = None,
    workspace_mib: WorkspaceOption = None,
    optimisation_level: LevelOption = None,
    dla_core: DlaOption = None,
    plugin: PluginOption = None,
    library_tactics: LibraryOption = None,
    in_container: ContainerOption = False,
    image: ImageOption = None,
) -> None:
    """Build an engine for a detector on a device. An engine that is there already is not built again.

    Every new engine is run and compared with its model before it may be used.

    Examples:

        edgekit build
        edgekit build roadscene --precision int8
        edgekit build roadscene --precision int8 --calibration roadscene-day
        edgekit build --device xavier-nx --precision int8 --route calibrator --dry-run
        edgekit build --in-container --dry-run
    """
    given = {
        "route": route,
        "calibrator": calibrator,
        "workspace_mib": workspace_mib,
        "optimisation_level": optimisation_level,
        "dla_core": dla_core,
        "plugins": _plugins(plugin) or None,
        "library_tactics": library_tactics,
    }
    options = {name: value for name, value in given.items() if value is not None}
    _check_image(image, in_container)
    entry = app.device(device)
    container = Container(image, start=not dry_run) if in_container else None
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        ground, chosen = Groundwork(app.project), {"detector": detector, "calibration": calibration}
        order = place_order(ground, entry, link, precision, on_progress, **chosen, options=options, container=container)
        if dry_run:
            plan = _plan(order, force) | (_container(order, image) if in_container else {})
            app.console.result(plan, *_shown(plan))
            return
        manifest = fulfil(order, on_progress, force=force)
    app.console.result(
        {**dataclasses.asdict(manifest), "folder": order.engine_dir}, facts(_rows(manifest, order.engine_dir))
    )
    for warning in manifest.warnings:
        app.console.warn(warning)


def _check_image(image: str | None, in_container: bool) -> None:
    if image is not None and not in_container:
        raise UsageError("--image names a container, and the build is not to run in one", hint="add --in-container")
    if image is not None and not image.strip():
        raise UsageError("--image: expected the name of an image, got nothing")


def _plugins(given: list[str] | None) -> tuple[str, ...]:
    try:
        return tuple(check_plugin(path) for path in given or ())
    except ValueError as error:
        raise UsageError(f"--plugin: {error}") from None


def _plan(order: Order, force: bool) -> dict[str, Any]:
    """What a build would do, by name, for people and programs alike."""
    request = order.request
    to_build = force or not is_built(order)
    plan: dict[str, Any] = {
        "engine_id": request.engine_id,
        "engine_key": request.engine_key,
        "precision": request.precision,
        "to_do": "build" if to_build else "nothing: the engine is there",
    }
    if to_build:
        plan["golden_pictures"] = "compared with the model's own answers after the build"
    if order.route is not None:
        plan |= {
            "route": order.route.name,
            "because": order.route.why,
            "prepared": describe_preparation(order.route, request.precision, order.calibration),
            "workspace": _workspace(order),
            "caches": f"{order.link.root}/cache/{request.engine_key}",
        }
    return plan


def _shown(plan: dict[str, Any]) -> Iterator[Any]:
    """A plan for people: the command stands below the table, on one line, so that it can be copied."""
    yield facts([(name.replace("_", " "), value) for name, value in plan.items() if name != "command"])
    if "command" in plan:
        yield f"\n{plan['command']}"


def _container(order: Order, image: str | None) -> dict[str, Any]:
    plan = container_plan(order.profile, order.link.root, image)
    return {
        "image": plan.image.name,
        "image_because": plan.why,
        "mounts": "those of the command and, once they are prepared, the model and the pictures",
        "command": shlex.join(plan.command),
    }


def _workspace(order: Order) -> str:
    """The workspace limit as far as it is known before the build."""
    asked, profile = order.request.tensorrt.workspace_mib, order.profile
    if asked is not None:
        return f"{asked} MiB, as asked"
    if profile.l4t is None:
        return "from the GPU's free memory when the build starts"
    free_mib = profile.memory_available_mib
    chosen = choose_workspace_mib(free_mib, profile.memory_total_mib, shared=True)
    return f"{chosen} MiB, if {free_mib} MiB are still free when the build starts"


def _rows(manifest: EngineManifest, folder: str) -> list[tuple[str, object]]:
    return [
        ("engine", manifest.engine_id),
        ("for", manifest.engine_key),
        ("precision", manifest.precision),
        *_route_rows(manifest),
        ("layers in INT8", f"{manifest.layers_quantised} of {manifest.layers_total}"),
        ("calibration pictures", manifest.calibration_images),
        ("golden distance", _distance(manifest)),
        *_build_rows(manifest),
        ("size", f"{manifest.file_bytes / 2**20:.1f} MiB"),
        ("built in", f"{manifest.build_s:.1f} s"),
        ("warnings", len(manifest.warnings) or "none"),
        ("folder", folder),
    ]


def _route_rows(manifest: EngineManifest) -> list[tuple[str, object]]:
    return [("route", manifest.route)] if manifest.backend == "tensorrt" else []


def _distance(manifest: EngineManifest) -> str | None:
    return None if manifest.golden_distance is None else f"{manifest.golden_distance:.2g}"


def _build_rows(manifest: EngineManifest) -> list[tuple[str, object]]:
    """What only TensorRT's builder tells."""
    build = manifest.build
    if build is None:
        return []
    return [
        ("layers", f"{build.layers_before} of the model became {build.layers_after}"),
        ("skipped tactics", build.skipped_tactics),
    ]
