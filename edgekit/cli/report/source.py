"""Where a report takes its results from: the project's files, a folder, or a history; and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.core.gate import Gate
    from edgekit.core.refresh import Refresh
    from edgekit.core.results import BenchResult
    from edgekit.report.load import ResultsFolder, Shipped
    from edgekit.report.samples import Sample
    from edgekit.report.summary import Report

# Names of devices and detectors come from result files: only these may become part of a file name.
_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


@dataclass(frozen=True)
class Work:
    """What a history tells of the team's work. results, first_utc, last_utc: of all results in it."""

    results: int
    first_utc: str
    last_utc: str
    refreshes: tuple[Refresh, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Source:
    """found: results that were read; chosen: those of one device and detector. db: None where files were read."""

    found: ResultsFolder
    chosen: tuple[BenchResult, ...]
    shipped: Shipped | None
    db: str | None = None


def check_source(results: Path | None, db: str | None, *, coverage: bool) -> None:
    """Raise UsageError for what a history does not hold, or two sources at once."""
    if db is None:
        return
    if results is not None:
        raise UsageError("--results and --db: one at a time")
    if coverage:
        raise UsageError(
            "--coverage looks at pictures, and a history holds none",
            hint="edgekit report --coverage    (in the project that has the pictures; later reports find what it saw)",
        )


def load_source(app: App, results: Path | None, db: str | None, device: str | None, detector: str | None) -> Source:
    """The results of the device and detector that were named, else of the newest result. Raises NotFoundError."""
    from edgekit.report.load import load_results, results_of

    if db is not None:
        return _from_history(app, db, device, detector)
    folder = results or app.project.results_dir
    found = load_results(folder)
    chosen = results_of(found, folder, device, detector)
    return Source(found, chosen, _shipped(app, chosen[0]))


def _from_history(app: App, db: str, device: str | None, detector: str | None) -> Source:
    """With the accuracy that evaluations found of engines whose results lack it. A record of deploying counts only if
    it is about an engine of these results: another project may call another device the same."""
    from edgekit.cli.history.options import open_database
    from edgekit.cli.history.reading import newest_pair, newest_results
    from edgekit.report.history.kept import with_accuracy
    from edgekit.report.load import results_of

    with open_database(app, db, create=False) as history:
        found = newest_results(history, *newest_pair(history, device, detector))
        chosen = results_of(found, f"the history {history.place}", device, detector)
        judged = history.records.evaluations_of({one.engine.engine_id for one in chosen})
        chosen = with_accuracy(chosen, judged)
        app.console.note(f"{len(chosen)} results of {chosen[0].device} from the history {history.place}")
    shipped = _shipped(app, chosen[0])
    known = shipped is not None and any(one.engine.engine_id == shipped.engine_id for one in chosen)
    if not known:
        app.console.note("which engine is deployed is not in a history: the fastest stands at the top")
    return Source(found, chosen, shipped if known else None, db)


def team_work(app: App, db: str) -> Work:
    """What a history tells of the team's work: reads all its evaluations and refreshes."""
    from edgekit.cli.history.options import open_database

    with open_database(app, db, create=False) as history:
        records = history.records
        return Work(*history.span(), refreshes=records.whole_refreshes(), gates=records.gates())


def _shipped(app: App, result: BenchResult) -> Shipped | None:
    from edgekit.report.load import load_shipped

    record = app.project.device_root(file_name(result.device)) / "deploy.json"
    return load_shipped(record, result.engine.detector)


def samples_of(app: App, source: Source, report: Report) -> tuple[Sample, ...]:
    """The project's drawn pictures; beside results of a history only if its engine is the one deployed here."""
    from edgekit.control.samples import samples_dir
    from edgekit.report.samples import load_samples

    if source.db is not None and source.shipped is None:
        return ()
    return load_samples(samples_dir(app.project, report.device, report.detector))


def file_name(text: str) -> str:
    """A name out of a result as part of a file's name."""
    return "".join(letter if letter in _SAFE else "_" for letter in text).lstrip(".") or "_"
