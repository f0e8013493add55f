"""`edgekit logs`: what a service wrote."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Annotated

import typer

from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.control.connect import link_to
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.services import read_log
from edgekit.errors import UnreachableError, UsageError

_POLL_S = 0.5
_PAUSE_S = 3.0


def command(
    app: App,
    device: DeviceOption = "local",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new lines until Ctrl-C.")] = False,
) -> None:
    """Show the end of a service's log. With --follow a lost link is looked for again, and no line is lost.

    Examples:

        edgekit logs
        edgekit logs --device xavier-nx -n 200
        edgekit logs --device xavier-nx -f
    """
    if follow and app.console.as_json:
        raise UsageError("--follow never ends, and --json is one document", hint="leave one of them out")
    entry = app.device(device)
    with closing(link_to(app.project, entry)) as link:
        answer = read_log(link, entry.service, lines=lines)
        if app.console.as_json:
            app.console.result({"device": entry.name, "service": entry.service, "lines": answer.text.splitlines()})
            return
        _write(answer.text)
        if follow:
            _follow(app, entry, link, answer.cursor)


def _follow(app: App, entry: Device, link: Link, cursor: str) -> None:
    lost = False
    while True:
        time.sleep(_PAUSE_S if lost else _POLL_S)
        try:
            answer = read_log(link, entry.service, cursor=cursor)
        except UnreachableError as error:
            if not lost:
                app.console.note(f"{error.what}; trying again until Ctrl-C")
            lost = True
            continue
        if lost:
            app.console.note(f"{entry.name} answers again")
        lost, cursor = False, answer.cursor
        _write(answer.text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
