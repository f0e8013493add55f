"""`edgekit doctor`: what is wrong, worst first, and how to mend it."""

from __future__ import annotations

from edgekit.cli.console import remedy_lines, table
from edgekit.cli.session import App
from edgekit.control.doctor import examine
from edgekit.control.project import Project
from edgekit.core.checkup import Finding
from edgekit.errors import NotFoundError

FOUND_ERRORS = 1


def command(app: App) -> int:
    """Check this machine, the project and its devices, to see what will not work.

    Of the machine: packages, disk, memory, clock. Of the project: devices.yaml, detectors, sets, leftovers. Of each
    device that can be reached: its back end and, with TensorRT, the GPU, the library, pycuda and the kernel compiler.

    The worst comes first, each with the command that mends it. The exit code is 1 if something will not work,
    0 if there are warnings at most.

    Examples:

        edgekit doctor
        edgekit doctor --json
    """
    project = _project(app)
    findings = examine(project)
    counts = {name: sum(finding.severity == name for finding in findings) for name in ("error", "warning", "ok")}
    summary = f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}, {counts['ok']} ok"
    rows = [(finding.severity, finding.subject, _found(finding)) for finding in findings]
    app.console.result({"findings": findings, **counts}, table(("", "what", "found"), rows), summary)
    return FOUND_ERRORS if counts["error"] else 0


def _project(app: App) -> Project | None:
    """The project, or none: the machine can be checked without one."""
    try:
        return app.project
    except NotFoundError:
        if app.project_given:
            raise
        return None


def _found(finding: Finding) -> str:
    return "\n".join([finding.found, *remedy_lines(finding.remedy)])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
