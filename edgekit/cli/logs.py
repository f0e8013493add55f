"""`edgekit logs`: what a service wrote."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.control.link import link_to
from edgekit.core.requests import LogsAnswer, LogsRequest

_POLL_S = 0.5


def command(
    app: App,
    device: DeviceOption = "local",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new lines until Ctrl-C.")] = False,
) -> None:
    """Show the end of a service's log.

    Examples:

        edgekit logs
        edgekit logs -n 200
        edgekit logs -f
    """
    entry = app.device(device)
    link = link_to(app.project, entry)
    answer = link.call("logs", LogsRequest(link.root, entry.service, lines=lines), LogsAnswer)
    if app.console.as_json:
        app.console.result({"device": entry.name, "service": entry.service, "lines": answer.text.splitlines()})
        return
    _write(answer.text)
    while follow:
        time.sleep(_POLL_S)
        request = LogsRequest(link.root, entry.service, offset=answer.next_offset)
        answer = link.call("logs", request, LogsAnswer)
        _write(answer.text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
