"""What the commands of `edgekit history` share: their filters, and which database they open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.cli.session import App
from edgekit.errors import EdgekitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from edgekit.report.history.query import Query
    from edgekit.report.history.store import History

DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE|URL",
        help="A file, or postgresql://user@host/database. Default: EDGEKIT_HISTORY, then the project's.",
    ),
]
DeviceFilter = Annotated[
    str | None,
    typer.Option("--device", "-d", metavar="NAME", help="Of this device.", autocompletion=complete_devices),
]
DetectorFilter = Annotated[
    str | None,
    typer.Option("--detector", metavar="NAME", help="Of this detector.", autocompletion=complete_detectors),
]
PrecisionFilter = Annotated[
    Literal["fp32", "fp16", "int8"] | None, typer.Option("--precision", help="Of engines of this precision.")
]
ScenarioFilter = Annotated[
    Literal["pipeline", "engine", "camera", "streams", "soak"] | None,
    typer.Option("--scenario", help="Measured in this way."),
]
BranchFilter = Annotated[
    str | None, typer.Option("--branch", metavar="NAME", help="Measured in a checkout of this Git branch.")
]
SinceFilter = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="Not older: 2026-11-20 or 2026-11-20T08:30:00Z.")
]
_NOUNS = {"result": ("result", "results"), "eval": ("evaluation", "evaluations"), "refresh": ("refresh", "refreshes")}
KindFilter = Annotated[
    Literal["result", "eval", "refresh"] | None,
    typer.Option("--kind", help="Only these: results of bench, evaluations of accuracy, or refreshes."),
]


def noun(kind: str, count: int = 2) -> str:
    """What so many entries of a kind are called."""
    one, many = _NOUNS[kind]
    return one if count == 1 else many


def query_of(
    device: str | None,
    detector: str | None,
    precision: str | None,
    scenario: str | None,
    branch: str | None,
    since: str | None,
    limit: int | None,
    kind: str | None = None,
) -> Query:
    """What the filters ask for. Raises UsageError for a date that is none, or a filter that the kind lacks."""
    for option, value, kinds in (("--scenario", scenario, ("result",)), ("--branch", branch, ("result", "eval"))):
        if value is not None and kind is not None and kind not in kinds:
            raise UsageError(f"{option} {value}: {noun(kind)} have none", hint=f"leave {option} out, or --kind")
    from edgekit.report.history.query import Query, parse_moment

    return Query(
        device=device,
        detector=detector,
        precision=precision,
        scenario=scenario,
        branch=branch,
        since=parse_moment(since) if since else None,
        limit=limit,
    )


def open_database(app: App, db: str | None, *, create: bool) -> History:
    """The history of --db, the environment or the project. create: make it if there is none."""
    from edgekit.report.history.address import history_address, names_password
    from edgekit.report.history.store import open_history

    if db and names_password(db):
        app.console.warn("--db holds a password, which others on this machine can see: put it into ~/.pgpass instead")
    address = history_address(app.project.ensure_state() if create else app.project.state_dir, db)
    return open_history(address, create=create)


def open_own(app: App, db: str | None) -> History:
    """The history to show. That of the project takes in first what the project's records hold and it does not.

    Another one, of --db, is only read. Raises NotFoundError if there is none, and nothing to make it from.
    """
    from edgekit.report.history.project_files import record_files

    if db is not None:
        return open_database(app, db, create=False)
    try:
        history = open_database(app, None, create=False)
    except NotFoundError:
        if not record_files(app.project.state_dir):
            raise
        history = open_database(app, None, create=True)
    catch_up_with(app, history)
    return history


def catch_up_with(app: App, history: History) -> None:
    """Add what the project's records hold and a history does not. What is wrong is a warning: the files are there."""
    from edgekit.report.history.project_files import catch_up

    try:
        done = catch_up(app.project.state_dir, history.records)
    except EdgekitError as error:
        app.console.warn(f"the project's evaluations and refreshes were not added to {history.place}: {error.what}")
        return
    for reason in [one.reason for one in done.added if one.outcome == "refused"]:
        app.console.warn(f"not added to the history: {reason}")
    if done.problems:
        more = f", and {len(done.problems) - 1} more" if len(done.problems) > 1 else ""
        app.console.warn(f"records left out: {done.problems[0]}{more}")
