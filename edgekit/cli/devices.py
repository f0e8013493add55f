"""`edgekit devices`: the fleet as devices.yaml names it."""

from __future__ import annotations

from edgekit.cli.console import table
from edgekit.cli.session import App
from edgekit.control.inventory import Device, Targets


def command(app: App) -> None:
    """List the devices of this project: how each is reached, what it runs and what it must reach.

    Nothing is asked of the devices; `edgekit status` does that.

    Examples:

        edgekit devices
        edgekit devices --json
    """
    devices = app.inventory.devices
    if not devices and not app.console.as_json:
        app.console.note(f"{app.inventory.path} names no device")
    columns = ("device", "kind", "address", "detector", "service", "precision", "targets")
    value = {"devices": devices, "groups": app.inventory.groups}
    app.console.result(value, table(columns, [_row(device) for device in devices]))


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
