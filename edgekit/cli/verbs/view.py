"""`edgekit view`: a service's page, through an SSH tunnel."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from edgekit.control.inventory import Device

_ANSWER_WITHIN_S = 10.0
_MOST_BYTES = 1 << 20


def command(
    app: App,
    device: DeviceOption,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1,
            max=65535,
            show_default="page_port of devices.yaml",
            help="The port on the device's loopback.",
        ),
    ] = None,
    local_port: Annotated[
        int, typer.Option("--local-port", min=0, max=65535, help="The port on this machine; 0: any free one.")
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser here.")] = False,
) -> None:
    """Show the page of a device's service: live pictures, figures and events, for reading only.

    The page listens on the device's own loopback alone; this leads a port of this machine there until Ctrl-C. The
    device `local` needs no way: its address is printed. With --port any other program's page can be seen.

    Examples:

        edgekit view --device xavier-nx

        edgekit view --device xavier-nx --open

        edgekit view --device xavier-nx --local-port 8080

        edgekit view --device xavier-nx --port 9090
    """
    entry = app.device(device)
    wanted = _port_of(entry, port)
    if entry.kind == "local":
        _show(app, entry, wanted, f"http://127.0.0.1:{wanted}", open_browser, given=port is not None)
        return
    from edgekit.control.ssh.host_keys import known_hosts_path
    from edgekit.control.ssh.link import SSHLink

    with closing(SSHLink(entry, known_hosts_path(app.project))) as link, link.forward(wanted, local_port) as here:
        _show(app, entry, wanted, f"http://127.0.0.1:{here}", open_browser, given=port is not None)
        app.console.note("Ctrl-C ends it")
        threading.Event().wait()


@dataclass(frozen=True)
class _Page:
    """What answers at an address. service is "" for what is no page of ours, or of one that is still starting."""

    ours: bool
    service: str = ""
    trouble: str = ""


def _port_of(entry: Device, given: int | None) -> int:
    if given is None and entry.page_port == 0:
        raise UsageError(
            f"the page of {entry.name} is switched off",
            why="page_port is 0 in devices.yaml",
            hint="remove page_port there and run edgekit deploy, or name another program's with --port",
        )
    return entry.page_port if given is None else given


def _show(app: App, entry: Device, port: int, url: str, open_browser: bool, given: bool) -> None:
    page = _ask(entry, port, url)
    if not page.ours and not given:
        raise DeviceError(
            f"what answers on port {port} of {entry.name} is no page of edgekit",
            why="another program has the port, so the service runs without its page",
            hint="name a free port as page_port in devices.yaml, then edgekit deploy",
        )
    if page.trouble:
        app.console.warn(f"{page.service or entry.service}: {page.trouble}")
    found = {"device": entry.name, "port": port, "url": url, "service": page.service, "trouble": page.trouble}
    app.console.result(found, url)
    if open_browser:
        _open(app, url)


def _ask(entry: Device, port: int, url: str) -> _Page:
    """Look at what answers. Raises DeviceError if nothing does."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows no loopback of ours
    try:
        with direct.open(f"{url}/status.json", timeout=_ANSWER_WITHIN_S) as answer:
            return _read(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        return _Page(ours=False)
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise DeviceError(
            f"no page answers on port {port} of {entry.name}",
            why=f"no service runs there, or it runs without a page: {getattr(reason, 'strerror', None) or reason}",
            hint=f"edgekit status {entry.name}",
        ) from None
    except HTTPException:
        return _Page(ours=False)


def _read(data: bytes) -> _Page:
    try:
        status = json.loads(data)
        health = status["health"] or {}
        trouble = "" if status["alive"] else str(status["reason"])
        return _Page(True, str(health.get("service", "")), trouble)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Page(ours=False)


def _open(app: App, url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        app.console.warn("no browser could be opened here")
