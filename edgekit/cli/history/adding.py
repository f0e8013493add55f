"""`edgekit history add`: what the project's files hold, or files of other machines, into a history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.history.options import DbOption, open_database
from edgekit.cli.session import App
from edgekit.core.progress import OnProgress
from edgekit.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from edgekit.report.history.adding import Added
    from edgekit.report.history.adding_records import Record
    from edgekit.report.history.files import Reading
    from edgekit.report.history.store import History

_PART = 500


def add(
    app: App,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE|DIR]...",
            help="Result files, .jsonl exports or folders of results. Default: all that the project holds.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, and add nothing.")] = False,
    db: DbOption = None,
) -> None:
    """Add what was measured before, or elsewhere: results, evaluations, refreshes. What is there stays as it is.

    Files of earlier versions are read. One whose id is there with another content is refused: the exit code is 2.
    Without a file it is all that the project holds; evaluations and refreshes of another machine come in a .jsonl.

    Examples:

        edgekit history add
        edgekit history add bench/results/*.json
        edgekit history add all.jsonl --db postgresql://edgekit@ci.example/edgekit
    """
    with app.console.progress() as on_progress:
        on_progress("read files", 0, 0)
        added, problems = _preview(app, paths, db) if dry_run else _add(app, paths, db, on_progress)
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
        raise ConfigError(f"{len(refused)} {would or 'were '}refused", problems=refused[:20])


def _add(app: App, paths: list[Path] | None, db: str | None, on_progress: OnProgress) -> tuple[list[Added], list[str]]:
    added: list[Added] = []
    problems: list[str] = []
    readings = _readings(app, paths)
    with open_database(app, db, create=True) as history:
        while part := list(islice(readings, _PART)):
            added += history.add_all([one.result for one in part if one.result is not None])
            added += history.records.add_all([one.record for one in part if one.record is not None])
            problems += [one.problem for one in part if one.problem]
            on_progress("add to the history", len(added), 0)
        records, unreadable = _project_records(app, paths, history)
        added += history.records.add_all(records)
    return added, [*problems, *unreadable]


def _preview(app: App, paths: list[Path] | None, db: str | None) -> tuple[list[Added], list[str]]:
    from edgekit.report.history.adding import Added
    from edgekit.report.history.adding_records import record_id

    found = list(_readings(app, paths))
    results = [one.result for one in found if one.result is not None]
    records = [one.record for one in found if one.record is not None]
    problems = [one.problem for one in found if one.problem]
    try:
        history = open_database(app, db, create=False)
    except NotFoundError:  # everything would be new to it
        more, unreadable = _project_records(app, paths, None)
        ids = [*(one.result_id for one in results), *map(record_id, [*records, *more])]
        return [Added(name, "added") for name in ids], [*problems, *unreadable]
    with history:
        more, unreadable = _project_records(app, paths, history)
        previewed = [*history.preview(results), *history.records.preview([*records, *more])]
    return previewed, [*problems, *unreadable]


def _readings(app: App, paths: list[Path] | None) -> Iterator[Reading]:
    """Of the named files, or of the project's results. Raises NotFoundError for a file that is not there."""
    from edgekit.report.history.files import read_all
    from edgekit.report.history.project_files import record_files

    if paths:
        return read_all(paths)
    folder = app.project.results_dir
    if not folder.exists() and record_files(app.project.state_dir):
        return iter(())
    return read_all([folder])


def _project_records(
    app: App, paths: list[Path] | None, history: History | None
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """What the project's records hold; nothing where files were named."""
    from edgekit.report.history.project_files import read_new

    return ((), ()) if paths else read_new(app.project.state_dir, history.records if history else None, everything=True)
