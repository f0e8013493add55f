"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
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


def source_uri(source: str) -> str:
    """A source as the device is to be told: a URI stays, a plain path becomes absolute, for it may run elsewhere."""
    return source if "://" in source else str(Path(source).absolute())
