"""The options of `edgekit bench` that say what to measure and what must be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import source_uri
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.project import Project
    from edgekit.control.scenarios import Scenario

FpsOption = Annotated[
    float | None,
    typer.Option("--fps", metavar="[TARGET]", min=0, help="End with the headline; exit with 10 below TARGET."),
]
P99Option = Annotated[
    float | None, typer.Option("--p99-ms", metavar="MS", min=0.001, help="99 of 100 frames must take at most so long.")
]
WattsOption = Annotated[
    float | None, typer.Option("--watts", metavar="W", min=0.001, help="The mean power must be at most so much.")
]
JoulesOption = Annotated[
    float | None, typer.Option("--joules-per-frame", metavar="J", min=1e-6, help="A frame must cost at most so much.")
]
MibOption = Annotated[
    float | None, typer.Option("--mib", metavar="MIB", min=1, help="Memory of the process must stay at most so high.")
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option("--engine", metavar="ID", help="An engine by the beginning of its id. May be given several times."),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, max=1000, metavar="N", help="Measure so often, the engines in turns.")
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="Instead of the scenario's: a path on the device or a URI, as for detect. Several are streams.",
    ),
]
SecondsOption = Annotated[
    float | None,
    typer.Option("--seconds", min=1, max=7 * 24 * 3600, help="Instead of the scenario's, for each engine."),
]
StreamsOption = Annotated[
    int | None,
    typer.Option("--streams", min=1, max=64, metavar="N", help="1, 2, 4 ... up to N streams through one engine."),
]


def asked_scenario(
    project: Project,
    device: Device,
    name: str | None,
    sources: Sequence[str] | None,
    seconds: float | None,
    batch: int | None,
    streams: int | None,
) -> Scenario:
    """The named scenario with what the command line changes in it; several sources or streams mean `streams`.

    Raises UsageError for streams of a scenario that has a single one.
    """
    import dataclasses

    from edgekit.control.scenarios import load_scenario

    several = streams is not None or len(sources or ()) > 1
    found = load_scenario(project, name or ("streams" if several else None))
    if several and found.kind != "streams":
        raise UsageError(f"scenario {found.name} measures a single stream", hint="--scenario streams, or leave it out")
    if streams is not None and len(sources or ()) > 1:
        raise UsageError("--streams opens one source several times", hint="give one --source, or no --streams")
    given: dict[str, object] = {"seconds": seconds, "batch": batch, "streams": streams}
    if sources:
        first, *more = (source_uri(source, device.kind) for source in sources)
        given |= {"source": first, "more_sources": tuple(more), "streams": streams or (1 if more else None)}
    return dataclasses.replace(found, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
