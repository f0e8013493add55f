"""`edgekit status`: what runs on the devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.completion import complete_devices
from edgekit.cli.console import table
from edgekit.cli.options import JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, tell_trouble
from edgekit.control.connect import link_to
from edgekit.control.fleet import Outcome
from edgekit.control.inventory import Device
from edgekit.control.services import ask_state
from edgekit.core.deployment import ServiceState, StateAnswer
from edgekit.core.service import Health, StreamHealth
from edgekit.errors import UnhealthyError, UnreachableError, error_to_dict

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("device", "service", "state", "fps", "frames", "age ms", "dropped", "precision", "release", "restarts")
_STREAM_COLUMNS = ("device", "service", "camera", "condition", "fps", "frames", "age ms", "dropped", "source")
_FIELD_COLUMNS = ("kept", "drift")  # only if a service collects frames
_FIGURES = ("fps", "frames", "age ms", "dropped", "restarts", *_FIELD_COLUMNS)
_JOBS = 20  # asking costs a device nothing
_SAME_CHANGE_S = 60.0  # a release is marked as bad this long, at most, before the way back ends


def command(
    app: App,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DEVICE|GROUP]...", help="Default: all.", autocompletion=complete_devices),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 8 unless every service is healthy, 9 if that cannot be known.")
    ] = False,
    streams: Annotated[bool, typer.Option("--streams", help="A row for each camera of a service.")] = False,
    jobs: JobsOption = _JOBS,
) -> int:
    """Show each device's services: state, FPS, age of the newest frame, release.

    States: healthy, starting, stalled (no frames), stopped, failed (restarted in vain), intended, probation and
    reverting (a new release is being tried or taken back), unreachable. Devices are asked at the same time.

    Of services that collect hard frames, see docs/collecting.md, also how many lie on the device, and drift: how much
    of what the cameras show lies outside the calibration set; up to about 5 % is usual.

    Examples:

        edgekit status
        edgekit status xavier-nx street
        edgekit status xavier-nx --streams
        edgekit status local --check
        edgekit status --json
    """
    devices = app.inventory.select(names or ["all"])
    done = on_each(app, devices, lambda entry, told: _ask(app, entry), jobs=jobs, quiet=True)
    rows = [row for device, outcome in zip(devices, done.outcomes, strict=True) for row in _rows(device, outcome)]
    shown = _table(rows, [cells for outcome in done.outcomes for cells in _field_rows(outcome)])
    if streams:
        shown = table(
            _STREAM_COLUMNS, [row for outcome in done.outcomes for row in _stream_rows(outcome)], right=_FIGURES
        )
    app.console.result({outcome.device: _value(outcome) for outcome in done.outcomes}, shown)
    for outcome in done.outcomes:
        for item in outcome.value.services if outcome.value else ():
            for told in _troubles(item):
                app.console.warn(f"{outcome.device}: {told}")
    code = tell_trouble(app.console, done, counted=False)
    if done.interrupted or not check:
        return code if done.interrupted else 0
    return _checked(app, rows)


def state_word(item: ServiceState) -> str:
    """A service's state in a word: see the help."""
    if not item.journal.settled:
        return item.journal.phase
    if item.failed:
        return "failed"
    if not item.running:
        return "stopped"
    if item.health is None:
        return "starting"
    return "healthy" if item.is_healthy else "stalled"


def _ask(app: App, entry: Device) -> tuple[str, StateAnswer]:
    with closing(link_to(app.project, entry)) as link:
        return "answered", ask_state(link)


def _value(outcome: Outcome[StateAnswer]) -> Any:
    if outcome.value is not None:
        return outcome.value
    return {"state": outcome.state, "error": error_to_dict(outcome.error) if outcome.error else None}


def _rows(device: Device, outcome: Outcome[StateAnswer]) -> list[tuple[object, ...]]:
    if outcome.value is None:
        return [(device.name, device.service, outcome.state, *[None] * 7)]
    if not outcome.value.services:
        return [(device.name, device.service, "not deployed", *[None] * 7)]
    return [(device.name, item.service, *_figures(item)) for item in outcome.value.services]


def _table(rows: list[tuple[object, ...]], field_rows: list[tuple[object, ...]]) -> Table:
    """field_rows: the further cells of each row, shown if there is anything in them."""
    if not any(cell is not None for cells in field_rows for cell in cells):
        return table(_COLUMNS, rows, right=_FIGURES)
    wide = [(*row, *cells) for row, cells in zip(rows, field_rows, strict=True)]
    return table((*_COLUMNS, *_FIELD_COLUMNS), wide, right=_FIGURES)


def _field_rows(outcome: Outcome[StateAnswer]) -> list[tuple[object, ...]]:
    """A row for each of `_rows`."""
    if outcome.value is None or not outcome.value.services:
        return [(None, None)]
    return [_field_figures(item) for item in outcome.value.services]


def _field_figures(item: ServiceState) -> tuple[object, ...]:
    field = item.health.field if item.running and item.health else None
    if field is None:
        return None, None
    return field.kept, None if field.drift is None else f"{100 * field.drift:.0f} %"


def _figures(item: ServiceState) -> tuple[object, ...]:
    health = item.health if item.running else None
    return (state_word(item), *_health_figures(health), item.release_id or None, item.restarts)


def _health_figures(health: Health | None) -> tuple[object, ...]:
    if health is None:
        return (None,) * 5
    return f"{health.fps:.1f}", health.frames, _age(health.frame_age_ms), health.dropped, health.precision


def _stream_rows(outcome: Outcome[StateAnswer]) -> list[tuple[object, ...]]:
    if outcome.value is None:
        return [(outcome.device, None, None, outcome.state, *[None] * 5)]
    return [
        (outcome.device, item.service, *_stream_figures(stream))
        for item in outcome.value.services
        for stream in (item.health.streams if item.running and item.health else ())
    ]


def _stream_figures(stream: StreamHealth) -> tuple[object, ...]:
    figures = (f"{stream.fps:.1f}", stream.frames, _age(stream.frame_age_ms), stream.dropped)
    return (stream.name or None, stream.condition, *figures, stream.source)


def _age(age_ms: float | None) -> str | None:
    return None if age_ms is None else f"{age_ms:.1f}"


def _troubles(item: ServiceState) -> Iterator[str]:
    """What the last change of a service came to, if that was a failure; why no frames come; and what else is wrong."""
    newest = item.journal.bad[0] if item.journal.bad else None
    if newest and item.journal.changed_unix_s - newest.unix_s < _SAME_CHANGE_S:
        yield f"release {newest.release_id} of {item.service} failed: {newest.reason}"
    if item.health is None:
        return
    if item.health.last_error and (item.failed or item.running):
        yield f"{item.service}: {item.health.last_error}"
    if item.running:
        yield from (f"{item.service}: {warning}" for warning in item.health.warnings)


def _checked(app: App, rows: list[tuple[object, ...]]) -> int:
    """What --check stands for: the exit code."""
    unhealthy = [f"{device} ({service}: {state})" for device, service, state, *_ in rows if state != "healthy"]
    if not unhealthy:
        return 0
    app.console.note(f"not healthy: {', '.join(unhealthy)}")
    only_unreachable = all(state in ("healthy", "unreachable") for _, _, state, *_ in rows)
    return UnreachableError.exit_code if only_unreachable else UnhealthyError.exit_code
