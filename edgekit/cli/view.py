"""`edgekit view`: a service's page, through an SSH tunnel."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Annotated

import typer

from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.errors import UsageError


def command(
    app: App,
    device: DeviceOption,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port on the device's loopback.")] = 8080,
    local_port: Annotated[
        int, typer.Option("--local-port", min=0, max=65535, help="The port on this machine; 0: any free one.")
    ] = 0,
) -> None:
    """Lead a port of this machine to a port of the device, until Ctrl-C.

    A device's pages listen on its own loopback alone; this is the way to them. Services of this version show no page
    yet; any other program's page can be seen.

    Examples:

        edgekit view --device xavier-nx
        edgekit view --device xavier-nx --port 9090 --local-port 9090
    """
    entry = app.device(device)
    if entry.kind == "local":
        raise UsageError(f"{entry.name} is this machine and needs no tunnel", hint=f"http://127.0.0.1:{port}")
    from edgekit.control.host_keys import known_hosts_path
    from edgekit.control.ssh import SSHLink

    with closing(SSHLink(entry, known_hosts_path(app.project))) as link, link.forward(port, local_port) as here:
        url = f"http://127.0.0.1:{here}"
        app.console.result({"device": entry.name, "port": port, "url": url}, url)
        app.console.note("Ctrl-C ends it")
        threading.Event().wait()
