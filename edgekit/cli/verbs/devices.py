"""`edgekit devices`: the fleet as devices.yaml names it, and with --probe as it really is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer

from edgekit.cli.completion import complete_devices
from edgekit.cli.console import table
from edgekit.cli.options import JOBS
from edgekit.cli.session import App
from edgekit.control.connect import link_to
from edgekit.control.fleet import Told, run_fleet
from edgekit.control.inventory import Device, Targets
from edgekit.core.device import DeviceProfile
from edgekit.errors import DeviceError, EdgekitError

_REAL_COLUMNS = ("device", "module", "JetPack", "power mode", "back end", "GPU", "memory", "engine key")


# Of verbs that only look: without it they look at every device.
LookedAtOption = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        "-d",
        metavar="NAME",
        help="A device or group of devices.yaml. May be given several times. Default: all.",
        autocompletion=complete_devices,
    ),
]


def command(
    app: App,
    device: LookedAtOption = None,
    probe: Annotated[bool, typer.Option("--probe", help="Ask each device what it really is.")] = False,
) -> None:
    """List the devices of this project: how each is reached, what it runs and what it must reach.

    Nothing is asked of the devices without --probe, and with it only of those that are provisioned. `edgekit status`
    shows what runs on them, `edgekit doctor` what is wrong with them.

    Examples:

        edgekit devices
        edgekit devices --json
        edgekit devices --probe --device street
    """
    devices = app.inventory.select(device or ["all"])
    if not devices and not app.console.as_json:
        app.console.note(f"{app.inventory.path} names no device")
    if probe:
        found = _ask_all(app, devices)
        values = {name: _value(answer) for name, answer in found.items()}
        app.console.result(values, table(_REAL_COLUMNS, [_real_row(*item) for item in found.items()]))
        return
    columns = ("device", "kind", "address", "detector", "service", "precision", "targets")
    value = {"devices": devices, "groups": app.inventory.groups}
    app.console.result(value, table(columns, [_row(device) for device in devices]))


def _ask_all(app: App, devices: Sequence[Device]) -> dict[str, DeviceProfile | EdgekitError]:
    """What each device says of itself, or why it does not. Raises KeyboardInterrupt on Ctrl-C."""

    def ask(device: Device, told: Told) -> tuple[str, DeviceProfile]:
        with closing(link_to(app.project, device)) as link:
            return "asked", link.call("probe", {}, DeviceProfile)

    done = run_fleet(devices, ask, lambda event: None, jobs=JOBS)
    if done.interrupted:
        raise KeyboardInterrupt
    return {item.device: item.value or item.error or DeviceError("it was not asked") for item in done.outcomes}


def _value(answer: DeviceProfile | EdgekitError) -> object:
    if isinstance(answer, EdgekitError):
        return {"error": answer.what, "why": answer.why, "hint": answer.hint}
    return {"profile": answer, "engine_key": answer.engine_key, "jetpack": answer.jetpack}


def _real_row(name: str, answer: DeviceProfile | EdgekitError) -> tuple[str | None, ...]:
    if isinstance(answer, EdgekitError):
        return name, answer.what, *[None] * (len(_REAL_COLUMNS) - 2)
    jetpack = answer.jetpack or (f"L4T {answer.l4t}" if answer.l4t else None)
    memory = f"{answer.memory_total_mib} MiB"
    what = (answer.module, jetpack, answer.power_mode, answer.backend_name, answer.gpu_name, memory, answer.engine_key)
    return name, *what


def _row(device: Device) -> tuple[str | None, ...]:
    address = device.address and (f"{device.user}@" if device.user else "") + device.address
    targets = render_targets(device.targets)
    return device.name, device.kind, address, device.detector, device.service, device.precision, targets


def render_targets(targets: Targets) -> str | None:
    """Targets in words, or None if there are none."""
    parts = [
        f"{targets.fps:g} FPS" if targets.fps is not None else "",
        f"p99 {targets.p99_ms:g} ms" if targets.p99_ms is not None else "",
        f"{targets.watts:g} W" if targets.watts is not None else "",
    ]
    return ", ".join(part for part in parts if part) or None
