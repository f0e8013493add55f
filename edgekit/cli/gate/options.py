"""The options of `edgekit gate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices

BaselineOption = Annotated[
    str,
    typer.Option(
        "--baseline",
        metavar="NAME",
        help="A branch, commit, session, result or engine of the results, or a file or folder of results.",
    ),
]
CandidateOption = Annotated[
    str | None,
    typer.Option("--candidate", metavar="NAME", help="What is judged, named alike. Default: what was measured last."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", "-d", metavar="NAME", help="Default: that of the newest result.", autocompletion=complete_devices
    ),
]
DetectorOption = Annotated[
    str | None,
    typer.Option(
        "--detector", metavar="NAME", help="Default: that of the newest result.", autocompletion=complete_detectors
    ),
]
PrecisionOption = Annotated[
    Literal["fp32", "fp16", "int8"] | None,
    typer.Option("--precision", help="Judge this one where several were measured. Default: the deployed engine."),
]
RegressionOption = Annotated[
    float,
    typer.Option("--max-regression-pct", metavar="PCT", min=0, max=90, help="A figure may become worse by so much."),
]
MapLossOption = Annotated[
    float, typer.Option("--max-map-loss-pct", metavar="PCT", min=0, max=90, help="So much of the mAP50-95 may be lost.")
]
AlphaOption = Annotated[
    float,
    typer.Option("--alpha", min=0.0001, max=0.25, help="The chance of a false alarm, over all figures together."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Fail, too, where nobody can tell whether a figure became worse.")
]
MeasureOption = Annotated[
    bool, typer.Option("--measure", help="Measure the baseline's engine and the deployed one now, in turns.")
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=2, max=100, metavar="N", help="With --measure: so many turns of each engine.")
]
SecondsOption = Annotated[
    float | None,
    typer.Option("--seconds", min=1, max=3600, help="With --measure: of each turn, instead of the scenario's."),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option("--scenario", metavar="NAME", help="With --measure: bench/scenarios/NAME.yaml. Default: pipeline."),
]
TuneOption = Annotated[
    bool, typer.Option("--tune", help="With --measure: fix power mode, clocks, governor and fan meanwhile.")
]
SudoOption = Annotated[
    bool, typer.Option("--ask-sudo-password", "-K", help="With --tune: ask for the device's sudo password.")
]
JunitOption = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit file, one test case a figure.")
]
MarkdownOption = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write a table that is ready to be a comment.")
]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="A folder of result files, before --db. Default: .edgekit/results."),
]
DbOption = Annotated[
    str | None,
    typer.Option("--db", metavar="URL", help="Read this history, by default EDGEKIT_HISTORY, instead of files."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be compared or measured, and stop.")]
