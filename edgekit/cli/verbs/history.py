"""`edgekit history`: results, evaluations and refreshes over time, in the project's database or on a server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgekit.cli.history.adding import add
from edgekit.cli.history.exchange import export, import_, plot
from edgekit.cli.history.options import (
    BranchFilter,
    DbOption,
    DetectorFilter,
    DeviceFilter,
    KindFilter,
    PrecisionFilter,
    ScenarioFilter,
    SinceFilter,
    open_own,
    query_of,
)
from edgekit.cli.session import App

HELP = """Results, evaluations and refreshes over time: list them, add old ones and those of other tools, export, draw.

Without a command they are listed, newest first. edgekit bench, eval and refresh add what they find by themselves. Every
command takes --json, and explains itself: edgekit history list --help

The history is .edgekit/history.db unless --db or EDGEKIT_HISTORY names another file or a PostgreSQL server.

Examples:

    edgekit history
    edgekit history --device yard --precision int8 --since 2026-11-01
    edgekit history --branch main --limit 50
    edgekit history --kind eval --device yard
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
    kind: KindFilter = None,
    device: DeviceFilter = None,
    detector: DetectorFilter = None,
    precision: PrecisionFilter = None,
    scenario: ScenarioFilter = None,
    branch: BranchFilter = None,
    since: SinceFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The newest so many.")] = 20,
    db: DbOption = None,
) -> None:
    """List results, evaluations and refreshes on one line of time, newest first, and show how each figure went.

    What was disturbed is listed with its reason and does not count below. A line is drawn of results of equal
    conditions alone; "now" is the newest of them, and its change is against the median of those before. An option that
    a kind does not know, such as --scenario for an evaluation, leaves that kind out.

    Results of other tools stand apart: their figures mean something else and are never compared with ours.

    Examples:

        edgekit history
        edgekit history --device yard --precision int8 --limit 50
        edgekit history --kind refresh
        edgekit history --branch main --since 2026-11-01 --json
    """
    from edgekit.cli.history.line import line_of
    from edgekit.cli.tables.history import foreign_lines, listed_lines, series_lines
    from edgekit.report.history.series import series_of

    query = query_of(device, detector, precision, scenario, branch, since, limit, kind)
    with open_own(app, db) as history:
        found = line_of(history, query, kind, limit=limit)
        foreign = history.foreign(device=device) if kind in (None, "result") else ()
        place = history.place
    rows = found.kept
    series = series_of(rows)
    document = {
        "database": place,
        "total": found.totals.get("result", 0),
        "totals": found.totals,
        "results": rows,
        "evaluations": found.evaluations,
        "refreshes": found.refreshes,
        "series": series,
        "foreign": foreign,
    }
    nothing = [] if found.entries else [f"no such result in {place}" if found.total == 0 else ""]
    app.console.result(document, *nothing, *listed_lines(found), *series_lines(series), *foreign_lines(foreign))


def show(
    app: App,
    result_id: Annotated[str, typer.Argument(metavar="ID", help="Of the list, or its beginning if no other has it.")],
    db: DbOption = None,
) -> None:
    """Show one result, evaluation or refresh whole: its figures, what they mean, and what they depend on.

    With --json it is the result as `edgekit bench` wrote it, or the record of the evaluation or refresh.

    Examples:

        edgekit history show 20261120T114624
        edgekit history show refresh-yard-2026-11-20 --json
        edgekit history show 20261120T114624 --json > result.json
    """
    from edgekit.cli.tables.history import foreign_facts, result_facts

    with open_own(app, db) as history:
        if result_id.startswith(("trtexec-", "ultralytics-")):
            foreign = history.find_foreign(result_id)
            app.console.result(foreign, *foreign_facts(foreign))
            return
        if result_id.startswith(("eval", "judged", "verified")):
            from edgekit.cli.tables.history_records import evaluation_facts

            row, evaluation = history.records.find_evaluation(result_id)
            app.console.result(evaluation, *evaluation_facts(row, evaluation))
            return
        if result_id.startswith("refresh"):
            from edgekit.cli.tables.history_records import refresh_facts

            told, refreshed = history.records.find_refresh(result_id)
            app.console.result(refreshed, *refresh_facts(told, refreshed))
            return
        listed, result = history.find(result_id)
    app.console.result(result, *result_facts(listed, result))


COMMANDS: dict[str, Any] = {
    "list": list_results,
    "show": show,
    "add": add,
    "import": import_,
    "export": export,
    "plot": plot,
}
