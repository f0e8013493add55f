"""`edgekit status`: what runs on the devices."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from edgekit.cli.completion import complete_devices
from edgekit.cli.console import table
from edgekit.cli.session import App
from edgekit.control.inventory import Device
from edgekit.control.link import link_to
from edgekit.control.services import ask_state
from edgekit.core.requests import ServiceState, StateAnswer
from edgekit.errors import EdgekitError, UnhealthyError

_COLUMNS = ("device", "service", "state", "fps", "frames", "age ms", "dropped", "precision", "release", "restarts")


def command(
    app: App,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DEVICE]...", help="Default: all that can be reached.", autocompletion=complete_devices
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 8 unless every service is healthy.")] = False,
) -> None:
    """Show each device's services: state, FPS, age of the newest frame, release.

    Examples:

        edgekit status
        edgekit status local --check
        edgekit status --json
    """
    reachable = [device for device in app.inventory.devices if device.kind == "local"]
    devices = app.inventory.select(names) if names else reachable
    found = [(device, _ask(app, device)) for device in devices]
    value = {device.name: answer for device, answer in found}
    rows = [row for device, answer in found for row in _rows(device, answer)]
    app.console.result(value, table(_COLUMNS, rows, right=("fps", "frames", "age ms", "dropped", "restarts")))
    unhealthy = [row[1] for row in rows if row[2] != "healthy"]
    if check and unhealthy:
        raise UnhealthyError(f"not healthy: {', '.join(map(str, unhealthy))}", hint="edgekit logs")


def _ask(app: App, device: Device) -> StateAnswer | str:
    try:
        link = link_to(app.project, device)
        return ask_state(link)
    except EdgekitError as error:
        return error.what


def _rows(device: Device, answer: StateAnswer | str) -> list[tuple[object, ...]]:
    if isinstance(answer, str):
        return [(device.name, device.service, answer, *[None] * 7)]
    if not answer.services:
        return [(device.name, device.service, "not deployed", *[None] * 7)]
    return [(device.name, item.service, *_figures(item)) for item in answer.services]


def _figures(item: ServiceState) -> tuple[object, ...]:
    health = item.health
    if health is None or not item.running:
        return state_word(item), None, None, None, None, None, item.release_id, item.restarts
    age = None if health.frame_age_ms is None else f"{health.frame_age_ms:.1f}"
    return (
        state_word(item),
        f"{health.fps:.1f}",
        health.frames,
        age,
        health.dropped,
        health.precision,
        item.release_id,
        item.restarts,
    )


def state_word(item: ServiceState) -> str:
    """healthy, starting, stalled or stopped."""
    if not item.running:
        return "stopped"
    if item.health is None:
        return "starting"
    return "healthy" if item.is_healthy(time.time()) else "stalled"
