"""`edgekit history import`, `export` and `plot`: other tools' results come in; tables, whole results, a page go out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.cli.history.options import (
    BranchFilter,
    DbOption,
    DetectorFilter,
    DeviceFilter,
    KindFilter,
    PrecisionFilter,
    ScenarioFilter,
    SinceFilter,
    noun,
    open_database,
    open_own,
    query_of,
)
from edgekit.cli.pages import open_page, write_page
from edgekit.cli.session import App
from edgekit.errors import ConfigError, NotFoundError


def import_(
    app: App,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What the tool printed or wrote.")],
    tool: Annotated[
        Literal["trtexec", "ultralytics"],
        typer.Option(
            "--from", help="trtexec: its log, or the JSON of --exportTimes. ultralytics: the log of a benchmark."
        ),
    ],
    device: Annotated[
        str | None, typer.Option("--device", "-d", metavar="NAME", help="Where it ran, instead of what the file says.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="What ran, instead of what the file says.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken in, and add nothing.")] = False,
    db: DbOption = None,
) -> None:
    """Take in what another tool measured, with what its figures mean there.

    trtexec of TensorRT 7 to 11: its version, CUDA graph, spin wait and data transfers are kept with the figures, for
    they change them. Ultralytics: the table of `yolo benchmark`; its FPS is 1000 / inference time.

    Such results are a kind of their own. They are listed and exported, never compared with ours.

    Examples:

        edgekit history import --from trtexec trtexec.log --device yard
        edgekit history import --from trtexec times.json --model model_int8.engine
        edgekit history import --from ultralytics benchmarks.log --dry-run
    """
    from edgekit.cli.tables.history import foreign_lines
    from edgekit.report.history.importing import import_file

    found = [result for path in paths for result in import_file(tool, path, device=device, model=model)]
    if dry_run:
        app.console.result({"dry_run": True, "foreign": found}, *foreign_lines(found), "nothing was added")
        return
    with open_database(app, db, create=True) as history:
        added = history.add_foreign(found)
    new = sum(one.outcome == "added" for one in added)
    refused = [one.reason for one in added if one.outcome == "refused"]
    app.console.result(
        {"dry_run": False, "results": added, "foreign": found},
        *foreign_lines(found),
        f"{new} added, {len(added) - new - len(refused)} known",
    )
    if refused:
        raise ConfigError("the same text was taken in before with another --device or --model", problems=refused[:20])


def export(
    app: App,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A .csv table, or .jsonl of all they hold.")],
    kind: KindFilter = None,
    device: DeviceFilter = None,
    detector: DetectorFilter = None,
    precision: PrecisionFilter = None,
    scenario: ScenarioFilter = None,
    branch: BranchFilter = None,
    since: SinceFilter = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="The newest so many.")] = None,
    db: DbOption = None,
) -> None:
    """Write results, evaluations and refreshes to a file, oldest first, one JSON document a line; or as a table.

    A .csv table is of one kind, results without --kind; an empty cell was not measured. A .jsonl holds all kinds, and
    another history can take it in: edgekit history add. --limit is of each kind.

    Examples:

        edgekit history export --out history.csv --device yard
        edgekit history export --out evaluations.csv --kind eval
        edgekit history export --out all.jsonl
    """
    from edgekit.report.history.exporting import export as write

    query = query_of(device, detector, precision, scenario, branch, since, limit, kind)
    with open_own(app, db) as history, app.console.progress() as on_progress:
        on_progress(f"write {out.name}", 0, 0)
        counts = write(history, query, out.absolute(), kind)
    told = ", ".join(f"{count} {noun(name, count)}" for name, count in counts.items())
    value = {"path": str(out.absolute()), "results": counts.get("result", 0), "counts": counts}
    app.console.result(value, f"{told} in {out.absolute()}")


def plot(
    app: App,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.html", help="Default: .edgekit/reports/history.html."),
    ] = None,
    device: DeviceFilter = None,
    detector: DetectorFilter = None,
    precision: PrecisionFilter = None,
    scenario: ScenarioFilter = None,
    branch: BranchFilter = None,
    since: SinceFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The newest so many.")] = 500,
    lang: Annotated[Literal["en", "zh"], typer.Option("--lang", help="English or Chinese.")] = "en",
    open_: Annotated[bool, typer.Option("--open", help="Open the page when it is written.")] = False,
    db: DbOption = None,
) -> None:
    """Write a page that shows how every figure went. It holds all it needs in one file.

    Beside the FPS stands how much of the accuracy the engines kept, as they were judged; below are all evaluations and
    refreshes.

    Examples:

        edgekit history plot --open
        edgekit history plot --device yard --branch main --out yard.html --lang zh
    """
    from edgekit.cli.history.line import line_of
    from edgekit.report.history.page import render_history

    query = query_of(device, detector, precision, scenario, branch, since, limit)
    with open_own(app, db) as history:
        found, place = line_of(history, query), history.place
    if not found.entries:
        raise NotFoundError(f"no such result in {place}", hint="edgekit history")
    rows = found.results
    if found.totals["result"] > len(rows):
        told, total = f"{len(rows)} of {found.totals['result']} results", found.totals["result"]
        app.console.note(f"{told}: --limit {total} takes all")
    path = write_page(app, out or app.project.state_dir / "reports" / "history.html", render_history(found, lang=lang))
    counts = {"result": len(rows), "eval": len(found.evaluations), "refresh": len(found.refreshes)}
    shown = ", ".join(f"{count} {noun(name, count)}" for name, count in counts.items() if count or name == "result")
    app.console.result({"path": str(path), "results": len(rows), "counts": counts}, f"{shown} in {path}")
    if open_:
        open_page(path)
