"""`edgekit history`: results over time, in the project's own database or on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.history.exchange import export, import_, plot
from edgekit.cli.history.options import (
    BranchFilter,
    DbOption,
    DetectorFilter,
    DeviceFilter,
    PrecisionFilter,
    ScenarioFilter,
    SinceFilter,
    open_database,
    query_of,
)
from edgekit.cli.session import App
from edgekit.core.progress import OnProgress
from edgekit.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from edgekit.core.results import BenchResult
    from edgekit.report.history.files import Reading
    from edgekit.report.history.store import Added

HELP = """Results over time: list them, add old ones, take in those of other tools, export them, draw them.

Without a command the results are listed, newest first. edgekit bench adds what it measures by itself. Every command
takes --json, and explains itself: edgekit history list --help

The history is .edgekit/history.db unless --db or EDGEKIT_HISTORY names another file or a PostgreSQL server.

Examples:

    edgekit history
    edgekit history --device yard --precision int8 --since 2026-11-01
    edgekit history --branch main --limit 50
    edgekit history show 20261120T114624
    edgekit history add --dry-run
    edgekit history add all.jsonl --db postgresql://edgekit@db.example/edgekit
    edgekit history import --from trtexec times.json --model model_int8.engine
    edgekit history export --out history.csv --scenario pipeline
    edgekit history plot --device yard --lang zh --open
"""


def normalise_arguments(arguments: list[str]) -> list[str]:
    """`edgekit history` and `edgekit history --device yard` list."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        return ["list", *arguments]
    return arguments


def list_results(
    app: App,
    device: DeviceFilter = None,
    detector: DetectorFilter = None,
    precision: PrecisionFilter = None,
    scenario: ScenarioFilter = None,
    branch: BranchFilter = None,
    since: SinceFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The newest so many.")] = 20,
    db: DbOption = None,
) -> None:
    """List results, newest first, and show how each figure went.

    What was disturbed is listed with its reason and does not count below. A line is drawn of results of equal
    conditions alone; "now" is the newest of them, and its change is against the median of those before.

    Results of other tools stand apart: their figures mean something else and are never compared with ours.

    Examples:

        edgekit history
        edgekit history --device yard --precision int8 --limit 50
        edgekit history --branch main --since 2026-11-01 --json
    """
    from edgekit.cli.tables.history import foreign_lines, listed_lines, series_lines
    from edgekit.report.history.series import series_of

    query = query_of(device, detector, precision, scenario, branch, since, limit)
    with open_database(app, db, create=False) as history:
        rows, total = history.listed(query), history.count(query)
        foreign = history.foreign(device=device)
        place = history.place
    series = series_of(rows)
    document = {"database": place, "total": total, "results": rows, "series": series, "foreign": foreign}
    nothing = [] if rows else [f"no such result in {place}" if total == 0 else ""]
    app.console.result(document, *nothing, *listed_lines(rows, total), *series_lines(series), *foreign_lines(foreign))


def show(
    app: App,
    result_id: Annotated[str, typer.Argument(metavar="ID", help="Of a result, or its beginning if no other has it.")],
    db: DbOption = None,
) -> None:
    """Show one result whole: its figures, what they mean, and what they depend on.

    With --json it is the result as `edgekit bench` wrote it.

    Examples:

        edgekit history show 20261120T114624
        edgekit history show 20261120T114624 --json > result.json
    """
    from edgekit.cli.tables.history import foreign_facts, result_facts

    with open_database(app, db, create=False) as history:
        if result_id.startswith(("trtexec-", "ultralytics-")):
            foreign = history.find_foreign(result_id)
            app.console.result(foreign, *foreign_facts(foreign))
            return
        listed, result = history.find(result_id)
    app.console.result(result, *result_facts(listed, result))


def add(
    app: App,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE|DIR]...", help="Result files, .jsonl exports or folders. Default: the project's."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, and add nothing.")] = False,
    db: DbOption = None,
) -> None:
    """Add results that were measured before, or elsewhere. What is there already stays as it is.

    Files of earlier versions are read. A result whose id is there with another content is refused: the exit code is 2.

    Examples:

        edgekit history add
        edgekit history add bench/results/*.json
        edgekit history add all.jsonl --db postgresql://edgekit@ci.example/edgekit
    """
    from edgekit.report.history.files import read_all

    paths = paths or [app.project.results_dir]
    problems: list[str] = []
    with app.console.progress() as on_progress:
        on_progress("read results", 0, 0)
        added = _add(app, _results(read_all(paths), problems), db, on_progress, dry_run=dry_run)
    for problem in problems:
        app.console.warn(f"left out: {problem}")
    counts = {kind: sum(one.outcome == kind for one in added) for kind in ("added", "known", "refused")}
    counts |= {"unreadable": len(problems)}
    would = "would be " if dry_run else ""
    app.console.result(
        {**counts, "dry_run": dry_run, "results": added, "problems": problems},
        f"{counts['added']} {would}added, {counts['known']} known, {counts['refused']} {would}refused, "
        f"{len(problems)} could not be read",
    )
    refused = [one.reason for one in added if one.outcome == "refused"]
    if refused:
        raise ConfigError(f"{len(refused)} results {would or 'were '}refused", problems=refused[:20])


def _results(readings: Iterable[Reading], problems: list[str]) -> Iterator[BenchResult]:
    """The results that files gave; the reasons of those that gave none are put among the problems."""
    for reading in readings:
        if reading.result is not None:
            yield reading.result
        else:
            problems.append(reading.problem)


def _add(
    app: App, results: Iterator[BenchResult], db: str | None, on_progress: OnProgress, *, dry_run: bool
) -> tuple[Added, ...]:
    from edgekit.report.history.store import Added

    if not dry_run:
        with open_database(app, db, create=True) as history:
            return history.add_all(results, on_progress=on_progress)
    try:
        history = open_database(app, db, create=False)
    except NotFoundError:  # everything would be new to it
        return tuple(Added(result.result_id, "added") for result in results)
    with history:
        return history.preview(results)


COMMANDS: dict[str, Any] = {
    "list": list_results,
    "show": show,
    "add": add,
    "import": import_,
    "export": export,
    "plot": plot,
}
