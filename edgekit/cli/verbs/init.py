"""`edgekit init`: a folder becomes a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.session import App
from edgekit.control.project import init_project


def command(
    app: App,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Made if missing. Default: this folder.")] = Path(),
) -> None:
    """Make a folder a project: devices.yaml, detectors/, calib_sets/, bench/scenarios/.

    The demo detector `roadscene` comes with its model and runs at once on the device `local`, this machine.
    A file that is already there is kept as it is.

    Examples:

        edgekit init demo
        cd demo && edgekit init
    """
    report = init_project(folder)
    lines = [f"project in {report.root}"]
    if report.written:
        lines += ["written:", *(f"  {name}" for name in report.written)]
    if report.kept:
        lines += ["kept as it was:", *(f"  {name}" for name in report.kept)]
    if not report.written:
        lines += ["nothing to do: every file was there already"]
    lines += ["next: edgekit doctor" if report.root == Path.cwd() else f"next: cd {folder} && edgekit doctor"]
    app.console.result(report, *lines)
