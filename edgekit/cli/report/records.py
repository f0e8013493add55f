"""What a report takes from the project besides results: targets, calibration coverage, records of its work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.control.records import read_record
from edgekit.core.coverage import Coverage
from edgekit.core.limits import Limits
from edgekit.core.wire import to_wire
from edgekit.errors import EdgekitError, NotFoundError

if TYPE_CHECKING:
    from edgekit.cli.report.source import Source
    from edgekit.control.inventory import Device
    from edgekit.core.gate import Gate
    from edgekit.core.refresh import Refresh
    from edgekit.report.review.records import Deployed, ProjectRecords


def targets_of(app: App, device: str) -> Limits:
    """What devices.yaml asks of a device; nothing of one that is not in it, such as another project's."""
    entry = _entry(app, device)
    return Limits(entry.targets.fps, entry.targets.p99_ms, entry.targets.watts) if entry else Limits()


def _entry(app: App, device: str) -> Device | None:
    try:
        return app.device(device)
    except NotFoundError:
        return None
    except EdgekitError as error:
        app.console.warn(f"{error.what}: reported without its targets")
        return None


def calibration_coverage(
    app: App, detector: str, device: str, digests: Sequence[str], *, look: bool
) -> Coverage | None:
    """The coverage of a set of pictures with one of these digests, as it was found before; None if nobody looked.

    look: look at the pictures of the set that the device is calibrated with now, if that is one of them.
    """
    for sha256 in digests:
        known = read_record(Coverage, _coverage_path(app, sha256))
        if known is not None:
            return known
    if not look:
        return None
    if not digests:
        app.console.warn("no engine of this report was calibrated: there are no pictures to look at")
        return None
    found = _inspected(app, detector, device)
    if found is None or found.sha256 not in digests:
        name = f"{found.name} as it is now" if found else "no set of this project"
        app.console.warn(f"{name} is not what INT8 was calibrated with: reported without its scenes")
        return None
    return found


def _inspected(app: App, detector: str, device: str) -> Coverage | None:
    from edgekit.control.detectors import load_detector
    from edgekit.control.sets.coverage import inspect_set
    from edgekit.files import write_json

    model, entry = load_detector(app.project, detector), _entry(app, device)
    name = (entry.calibration if entry else None) or model.calibration
    if name is None:
        return None
    against = model.frozen if model.frozen != name else None
    with app.console.progress() as on_progress:
        found = inspect_set(app.project, name, model, against, on_progress).coverage
    path = _coverage_path(app, found.sha256)
    app.project.ensure_state()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, to_wire(found))
    return found


def _coverage_path(app: App, sha256: str) -> Path:
    safe = sha256 if sha256.isalnum() else "_"  # it comes from a result file
    return app.project.cache_dir / "coverage" / f"{safe}.json"


def project_records(app: App, source: Source) -> ProjectRecords:
    """What was recorded of the team's work, as far as it can be read: refreshes and gates of the history, if that is
    where the results are from; deployments are the project's in any case."""
    from edgekit.cli.report.source import team_work
    from edgekit.report.review.records import ProjectRecords

    devices, found = _devices(app), source.found.results
    work = None if source.db is None else team_work(app, source.db)
    builds = {result.engine.engine_id: result.engine.build_s for result in found}
    return ProjectRecords(
        devices=len(devices),
        deployed=tuple(_deployed(app, devices)),
        refreshes=work.refreshes if work else _refreshes(app, devices),
        gates=work.gates if work else tuple(_gates(app)),
        regression_gates=tuple(_regression_gates(app)),
        builds_s=tuple(builds.values()),
        results=work.results if work else len(found),
        first_utc=work.first_utc if work else found[0].created_utc if found else "",
        last_utc=work.last_utc if work else found[-1].created_utc if found else "",
    )


def _refreshes(app: App, devices: Sequence[str]) -> tuple[Refresh, ...]:
    from edgekit.control.refresh.history import load_history

    return tuple(one for device in devices for one in load_history(app.project, device))


def _gates(app: App) -> Iterator[Gate]:
    from edgekit.core.gate import Gate

    for path in sorted((app.project.state_dir / "gates").glob("*/*.json")):
        gate = read_record(Gate, path)
        if gate is not None and gate.rows:
            yield gate


def _devices(app: App) -> tuple[str, ...]:
    try:
        return tuple(device.name for device in app.inventory.devices)
    except EdgekitError:
        return ()


def _deployed(app: App, devices: Sequence[str]) -> Iterator[Deployed]:
    from edgekit.control.deploy import load_deployment
    from edgekit.report.review.records import Deployed

    for device in devices:
        one = load_deployment(app.project, device)
        if one is not None:
            yield Deployed(device, one.detector, one.precision, one.duration_s, one.changed)


def _regression_gates(app: App) -> Iterator[bool]:
    """Whether each `edgekit gate` on record was passed."""
    for path in sorted((app.project.state_dir / "gate-reports").glob("*.json")):
        try:
            passed = json.loads(path.read_text("utf-8"))["passed"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(passed, bool):
            yield passed
