"""What the commands of `edgekit history` share: their filters, and which database they open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.cli.session import App

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


def query_of(
    device: str | None,
    detector: str | None,
    precision: str | None,
    scenario: str | None,
    branch: str | None,
    since: str | None,
    limit: int | None,
) -> Query:
    """What the filters ask for. Raises UsageError for a date that is none."""
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
