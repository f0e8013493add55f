"""`edgekit stop`: end a service."""

from __future__ import annotations

from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.control.link import link_to
from edgekit.control.services import ask_state, stop


def command(app: App, device: DeviceOption = "local") -> None:
    """Stop every service on a device. `edgekit deploy` starts it again.

    Examples:

        edgekit stop
        edgekit stop --device local
    """
    entry = app.device(device)
    link = link_to(app.project, entry)
    running = [item for item in ask_state(link).services if item.running]
    stopped = [stop(link, item.service).service for item in running]
    text = f"stopped {', '.join(stopped)} on {entry.name}" if stopped else f"nothing runs on {entry.name}"
    app.console.result({"device": entry.name, "stopped": stopped}, text)
