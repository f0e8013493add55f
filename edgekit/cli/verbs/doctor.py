"""`edgekit doctor`: what is wrong, worst first, and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.cli.console import remedy_lines, table
from edgekit.cli.session import App
from edgekit.cli.verbs.devices import LookedAtOption
from edgekit.control.doctor import examine
from edgekit.control.project import Project
from edgekit.core.checkup import SEVERITIES, Finding, worst_first
from edgekit.errors import EdgekitError, NotFoundError, UnreachableError

if TYPE_CHECKING:
    from edgekit.control.device_doctor import DeviceReport

FOUND_ERRORS = 1


def command(app: App, device: LookedAtOption = None) -> int:
    """Check this machine, the project and its devices, to see what will not work.

    Of the machine: packages, disk, memory, clock. Of the project: devices.yaml, detectors, sets, leftovers. Of each
    device: host key, Jetson Linux, Python, TensorRT and OpenCV with what clashes with them, power mode, memory, disk,
    heat, clock; and once it is provisioned what device code finds when it tries the GPU. Nothing is changed anywhere.

    The worst comes first, each with the command that mends it. The exit code is 9 if a device could not be reached,
    1 if something will not work, 0 if there are warnings at most. With --device only these devices are checked.

    Examples:

        edgekit doctor
        edgekit doctor --device xavier-nx
        edgekit doctor --device all --json
    """
    project = app.project if device else _project(app)
    reports = _examine_devices(app, project, device)
    findings = worst_first([*([] if device else examine(project)), *_named(reports)])
    counts = {name: sum(finding.severity == name for finding in findings) for name in SEVERITIES}
    rows = [(finding.severity, finding.subject, _found(finding)) for finding in findings]
    value = {"findings": findings, **counts, "devices": {report.device: _value(report) for report in reports}}
    app.console.result(value, table(("", "what", "found"), rows), _summary(counts))
    if any(not report.reachable for report in reports):
        return UnreachableError.exit_code
    return FOUND_ERRORS if counts["error"] else 0


def _project(app: App) -> Project | None:
    """The project, or none: the machine can be checked without one."""
    try:
        return app.project
    except NotFoundError:
        if app.project_given:
            raise
        return None


def _examine_devices(app: App, project: Project | None, names: list[str] | None) -> tuple[DeviceReport, ...]:
    """The named devices, or all. A devices.yaml that cannot be read is a finding of the project."""
    if project is None:
        return ()
    try:
        chosen = app.inventory.select(names or ["all"])
    except EdgekitError:
        if names:
            raise
        return ()
    from edgekit.control.device_doctor import examine_fleet

    return examine_fleet(project, chosen)


def _named(reports: tuple[DeviceReport, ...]) -> list[Finding]:
    return [
        replace(finding, subject=f"{report.device}: {finding.subject}")
        for report in reports
        for finding in report.findings
    ]


def _value(report: DeviceReport) -> dict[str, object]:
    return {"reachable": report.reachable, "facts": report.facts}


def _found(finding: Finding) -> str:
    return "\n".join([finding.found, *remedy_lines(finding.remedy)])


def _summary(counts: dict[str, int]) -> str:
    notes = f"{_count(counts['info'], 'note')}, " if counts["info"] else ""
    return f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}, {notes}{counts['ok']} ok"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
