"""`edgekit forecast`: from the releases measured so far, how likely the next ones are to meet their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.cli.pages import open_page, write_page
from edgekit.cli.session import App

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.core.coverage import Coverage
    from edgekit.core.results import BenchResult
    from edgekit.report.forecast.outlook import Wish
    from edgekit.report.forecast.readiness import Readiness, Subject
    from edgekit.report.history.store import History
    from edgekit.report.load import ResultsFolder


class Format(str, Enum):
    text = "text"
    html = "html"


class Language(str, Enum):
    en = "en"
    zh = "zh"


def command(
    app: App,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            "-d",
            metavar="NAME",
            help="A device or group of devices.yaml, or all. May be given several times. Default: all.",
            autocompletion=complete_devices,
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this detector. Default: all.", autocompletion=complete_detectors),
    ] = None,
    releases: Annotated[
        int, typer.Option("--releases", "-k", min=1, max=20, metavar="K", help="How many releases to look ahead.")
    ] = 5,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=VALUE",
            help="Instead of devices.yaml's targets: fps=25, p99_ms=50, map_loss_pct=1.5, watts=15, "
            "joules_per_frame=0.5, mib=900. May be given several times.",
        ),
    ] = None,
    scenario: Annotated[
        Literal["pipeline", "engine", "camera", "streams", "soak"], typer.Option(help="Results of this scenario.")
    ] = "pipeline",
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of result files, instead of the history.")
    ] = None,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="The history. Default: EDGEKIT_HISTORY, else the project's own."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="text here, or a page as one file.")] = Format.text,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write the page.")] = None,
    lang: Annotated[Language, typer.Option(help="English or Chinese, of the page.")] = Language.en,
    open_: Annotated[bool, typer.Option("--open", help="Open the page when it is written.")] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the simulation: equal seeds, equal figures.")] = 0,
) -> None:
    """Say how likely the next releases are to meet their targets, and how many optimisations that takes.

    A release is an engine that was new when it was first measured. What releases changed so far, and how noisy
    measuring is, is learned from the history; at least 5 releases are needed. Each forecast tells how often its 80 %
    interval would have been right in this history. What is untypical about the newest release is named, with the
    likely cause. The method and its limits: docs/forecast.md.

    Examples:

        edgekit forecast
        edgekit forecast --device local --target fps=25 --target map_loss_pct=1.5
        edgekit forecast --releases 3 --json
        edgekit forecast --format html --open
    """
    from edgekit.cli.tables.forecast import readiness_items
    from edgekit.report.forecast.metrics import parse_targets
    from edgekit.report.forecast.outlook import Wish

    _check_options(format_, out, open_=open_)
    wish = Wish(parse_targets(target or []), releases, seed, scenario)
    entries = app.inventory.select(device or ["all"])
    measured = _measured(app, results, db, detector)
    subjects = _subjects(app, entries, measured.results, detector, everything=not device)
    found = _readiness(app, subjects, measured, wish)
    if format_ is Format.html:
        _write_page(app, found, out, lang, open_=open_)
        return
    app.console.result(_document(found), *readiness_items(found))


def _check_options(format_: Format, out: Path | None, *, open_: bool) -> None:
    from edgekit.errors import UsageError

    if format_ is Format.text and (out is not None or open_):
        raise UsageError("--out and --open are about the page", hint="add --format html")


@dataclass(frozen=True)
class _Measured:
    """Results in the order in which they were recorded. clock_back, losses: as of report.forecast.outlook.Known."""

    results: tuple[BenchResult, ...]
    clock_back: frozenset[str] = frozenset()
    losses: Mapping[tuple[str, str], tuple[float, str]] = field(default_factory=dict)


def _measured(app: App, folder: Path | None, db: str | None, detector: str | None) -> _Measured:
    """From the history. Without one the files that bench wrote are read, which is said.

    Raises NotFoundError if the history that was asked for is not there.
    """
    from edgekit.cli.history.options import catch_up_with
    from edgekit.errors import NotFoundError, UsageError
    from edgekit.report.history.address import history_address
    from edgekit.report.history.query import Query
    from edgekit.report.history.store import open_history
    from edgekit.report.load import load_results

    if folder is not None and db is not None:
        raise UsageError("--results and --db: one at a time")
    if folder is not None:
        return _usable(app, load_results(folder))
    try:
        with open_history(history_address(app.project.state_dir, db), create=False) as history:
            query = Query(detector=detector)
            back = frozenset(row.result_id for row in history.listed(query) if row.clock_back_of is not None)
            if db is None:
                catch_up_with(app, history)
            return _judged(_usable(app, history.read(query), back), history)
    except NotFoundError:
        if db is not None:
            raise
    app.console.note(f"no history yet: reading the files in {app.project.results_dir}")
    return _usable(app, load_results(app.project.results_dir))


def _usable(app: App, found: ResultsFolder, clock_back: frozenset[str] = frozenset()) -> _Measured:
    for problem in found.problems:
        app.console.warn(f"result left out: {problem}")
    return _Measured(found.results, clock_back)


def _judged(measured: _Measured, history: History) -> _Measured:
    """With the accuracy that evaluations found of engines that were measured before they were judged, and the loss of
    those whose reference was never measured."""
    from edgekit.report.history.kept import losses_of, with_accuracy

    unjudged = {result.engine.engine_id for result in measured.results if result.accuracy is None}
    filled = with_accuracy(measured.results, history.records.evaluations_of(unjudged)) if unjudged else measured.results
    pairs = {(result.device, result.engine.engine_id) for result in measured.results}
    return replace(measured, results=filled, losses=losses_of(history.records.judged(pairs)))


def _subjects(
    app: App, entries: Sequence[Device], measured: Sequence[BenchResult], detector: str | None, *, everything: bool
) -> list[Subject]:
    """Each device with its own detector and every other that was measured there; with `everything` also devices that
    devices.yaml does not name. Targets are of the device's own detector, which the entry is about."""
    from edgekit.report.forecast.metrics import BY_KEY
    from edgekit.report.forecast.readiness import Subject, subjects_measured

    named = {entry.name: entry for entry in entries}
    pairs = [(entry.name, entry.detector) for entry in entries]
    pairs += [pair for pair in subjects_measured(measured) if pair not in pairs and (everything or pair[0] in named)]
    made = []
    for device, name in pairs:
        if detector not in (None, name):
            continue
        entry = named.get(device)
        own = {item.name: getattr(entry.targets, item.name) for item in fields(entry.targets)} if entry else {}
        asked = {key: value for key, value in own.items() if value is not None and key in BY_KEY}
        targets = asked if entry and entry.detector == name else {}
        made.append(Subject(device, name, targets, _shipped_engine(app, device, name)))
    return made


def _shipped_engine(app: App, device: str, detector: str) -> str | None:
    from edgekit.report.load import load_shipped

    if not device or device.startswith(".") or "/" in device:  # the name is a result file's, not ours
        return None
    shipped = load_shipped(app.project.device_root(device) / "deploy.json", detector)
    return shipped.engine_id if shipped else None


def _readiness(app: App, subjects: Sequence[Subject], measured: _Measured, wish: Wish) -> tuple[Readiness, ...]:
    from datetime import datetime, timezone

    from edgekit.report.forecast.outlook import Known
    from edgekit.report.forecast.readiness import readiness

    now_utc = datetime.now(timezone.utc).isoformat()
    coverage = _coverage(app, measured.results)
    known = Known(coverage, measured.clock_back, now_utc, losses=measured.losses)
    with app.console.progress() as on_progress:
        return readiness(subjects, measured.results, wish, known, on_progress)


def _coverage(app: App, measured: Sequence[BenchResult]) -> dict[str, Coverage]:
    """Of the calibration sets of these engines, where `edgekit report --coverage` has measured it."""
    from edgekit.control.records import read_record
    from edgekit.core.coverage import Coverage

    wanted = {one.engine.calibration_sha256 for one in measured if one.engine.calibration_sha256}
    folder = app.project.cache_dir / "coverage"
    found = {sha256: read_record(Coverage, folder / f"{sha256}.json") for sha256 in wanted if sha256.isalnum()}
    return {sha256: coverage for sha256, coverage in found.items() if coverage is not None}


def _write_page(app: App, found: Sequence[Readiness], out: Path | None, lang: Language, *, open_: bool) -> None:
    from datetime import datetime, timezone

    import edgekit
    from edgekit.report.forecast.page import render_readiness

    created_utc = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = render_readiness(found, created_utc=created_utc, edgekit_version=edgekit.__version__, lang=lang.value)
    path = write_page(app, out or app.project.state_dir / "reports" / "readiness.html", page)
    pairs = f"{len(found)} pair{'' if len(found) == 1 else 's'} of detector and device"
    app.console.result({"path": str(path), **_document(found)}, pairs, str(path))
    if open_:
        open_page(path)


def _document(found: Sequence[Readiness]) -> dict[str, object]:
    from edgekit.report.forecast.document import forecast_document

    return {"schema": 1, "forecasts": [forecast_document(one) for one in found]}
