"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices

DeviceOption = Annotated[
    str,
    typer.Option("--device", "-d", metavar="NAME", help="A device of devices.yaml.", autocompletion=complete_devices),
]
DetectorOption = Annotated[
    str | None,
    typer.Option(
        "--detector", metavar="NAME", help="Instead of the device's own detector.", autocompletion=complete_detectors
    ),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "fp16", "int8"] | None,
    typer.Option("--precision", help="Instead of devices.yaml's. auto ships INT8 only if it is good and faster."),
]
