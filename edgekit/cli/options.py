"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.errors import UsageError

JOBS = 8

DeviceOption = Annotated[
    str,
    typer.Option("--device", "-d", metavar="NAME", help="A device of devices.yaml.", autocompletion=complete_devices),
]
DevicesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        "-d",
        metavar="NAME",
        help="A device or group of devices.yaml, or all. May be given several times. Default: local.",
        autocompletion=complete_devices,
    ),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=256, metavar="N", help="At most so many devices at the same time.")
]
DetectorArgument = Annotated[
    str | None,
    typer.Argument(metavar="DETECTOR", help="Default: the device's own detector.", autocompletion=complete_detectors),
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


def source_uri(source: str, kind: str = "local") -> str:
    """A source as a device of this kind is to be told: a URI stays, a path is one on the device.

    Of this machine a relative path becomes absolute, for device code runs elsewhere. Raises UsageError for a relative
    path on another device: nobody knows where it would begin.
    """
    if "://" in source or source.startswith("/"):
        return source
    if kind == "local":
        return str(Path(source).absolute())
    raise UsageError(
        f"{source} is not an absolute path",
        why="sources are read on the device, not on this machine",
        hint="copy the file there and name it from / on, or give a URI such as rtsp://... or scenes://",
    )
