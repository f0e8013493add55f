"""`edgekit inspect`: what an engine is, whether it is whole, and whether it fits a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.completion import complete_devices
from edgekit.cli.console import table
from edgekit.cli.session import App
from edgekit.errors import EngineError, NotFoundError, UsageError

if TYPE_CHECKING:
    from edgekit.control.inspect import Inspection, Target

_COLUMNS = ("engine", "detector", "precision", "route", "size MiB", "built (UTC)", "built for")


def command(
    app: App,
    engine: Annotated[
        str | None,
        typer.Argument(
            metavar="ENGINE",
            help="The id of an engine on the device or its first digits, a folder with engine.json, or an engine file. "
            "Default: list the engines on the device.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            "-d",
            metavar="NAME",
            help="Where an id is looked up, and what a file is to fit. Default: local, or no project: this machine.",
            autocompletion=complete_devices,
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also list every layer with its precision and kernel.")
    ] = False,
) -> None:
    """Show what an engine is, how it was made, whether its files are whole and whether it fits the device.

    Nothing is loaded, except with --layers where engine.json does not know them. The exit code is 6 if the engine is
    damaged.

    Examples:

        edgekit inspect
        edgekit inspect 3f2a
        edgekit inspect 3f2a --device xavier-nx --layers
        edgekit inspect yolov8n.engine
        edgekit inspect 3f2a --json
    """
    if engine is None:
        if layers:
            raise UsageError("--layers: layers of which engine?", hint="edgekit inspect ENGINE --layers")
        _list(app, device or "local")
        return
    if not engine:
        raise UsageError("ENGINE is empty", hint="edgekit inspect")
    found = _inspect(app, engine, device, layers)
    _show(app, found, layers)
    if found.damaged:
        names = ", ".join(f"{check.file_name} is {check.state}" for check in found.damaged)
        app.console.warn(f"this engine is damaged and will not be run: {names}")
        app.console.note(f"  try: {_rebuild(found)}")
        raise typer.Exit(EngineError.exit_code)


def _rebuild(found: Inspection) -> str:
    from edgekit.control.inspect import THIS_MACHINE
    from edgekit.core.engine import rebuild_command

    assert found.manifest is not None
    device = found.fit.device if found.fit else THIS_MACHINE
    named = "" if device in (THIS_MACHINE, "local") else f" --device {device}"
    return f"{rebuild_command(found.manifest)} --force{named}"


def _inspect(app: App, engine: str, device: str | None, layers: bool) -> Inspection:
    from edgekit.control.inspect import inspect_on_device, inspect_path

    path = Path(engine)
    with app.console.progress() as on_progress, _target(app, device, here=path.exists()) as target:
        if path.exists():
            return inspect_path(path, target, layers=layers, on_progress=on_progress)
        return inspect_on_device(target.connect(), engine, layers=layers, on_progress=on_progress)


@contextmanager
def _target(app: App, device: str | None, *, here: bool = False) -> Iterator[Target]:
    """The device that is asked; connected at its first question. here: an engine of this machine's files is to fit it.

    For such an engine, outside a project, it is this machine as it is.
    """
    from edgekit.control.connect import link_to
    from edgekit.control.inspect import Target, this_machine

    try:
        entry = app.device(device or "local")
    except NotFoundError:
        if device or not here:
            raise
        yield this_machine()
        return
    with closing(link_to(app.project, entry)) as link:
        yield Target(entry.name, lambda: link)


def _show(app: App, found: Inspection, layers: bool) -> None:
    from edgekit.cli.tables.engine import engine_tables

    app.console.result(dataclasses.asdict(found), *engine_tables(found, every_layer=layers))
    for note in found.notes:
        app.console.warn(note)
    if found.lone is None:
        return
    for warning in found.lone.warnings:
        app.console.warn(warning)
    app.console.note(
        "edgekit does not run this file: without engine.json nothing tells which device, model and pictures it was "
        "made for."
    )
    app.console.note("  try: edgekit build DETECTOR --precision fp16")


def _list(app: App, device: str) -> None:
    from edgekit.control.services import ask_state

    with _target(app, device) as target:
        state = ask_state(target.connect())
    engines = sorted(state.engines, key=lambda engine: engine.created_utc, reverse=True)
    rows = [
        (
            engine.engine_id,
            engine.detector,
            engine.precision,
            engine.route,
            f"{engine.file_bytes / 2**20:.2f}",
            engine.created_utc[:16].replace("T", " "),
            engine.engine_key,
        )
        for engine in engines
    ]
    nothing = f"no engine on {device}; edgekit build makes one"
    app.console.result(
        {"device": device, "engines": [dataclasses.asdict(engine) for engine in engines], "damaged": state.damaged},
        table(_COLUMNS, rows, right=("size MiB",)) if rows else nothing,
    )
    for line in state.damaged:
        app.console.warn(line)
