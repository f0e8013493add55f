"""The table that `yolo benchmark` prints and appends to benchmarks.log, and YOLOv5's older one. Pure.

Source: ultralytics/utils/benchmarks.py, 8.0 to 8.4. Its "FPS" is 1000 / inference ms of one picture at a time: capture,
preprocessing and postprocessing are not in it. A cell without a figure is "-", "NaN" or "nan".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.errors import ConfigError
from edgekit.report.history.foreign import ForeignResult, finite

DEFINITIONS = {
    "fps_from_inference": "1000 / inference ms of one picture: no capture, preprocessing or postprocessing in it",
    "inference_ms": "mean of the inference alone over the pictures of the dataset",
    "map50_95": "mAP50-95 on the dataset named, as Ultralytics' validation computes it",
}
_HEADLINE = re.compile(r"Benchmarks complete for (.+?) on (\S+) at imgsz=(\S+)")
_SYSTEM = re.compile(r"(?:Ultralytics (?:YOLOv?)?|YOLOv5 \S* ?v?)(\d+\.\d+(?:\.\d+)?)")
_DEVICE = re.compile(r"(?:CUDA:\d+|CPU|MPS) \(([^,)]+)")
_ARGUMENT = re.compile(r"\b(half|int8)=(True|False)\b")
_BORDERS = re.compile("[│┆|]")
# Between columns of texts pandas puts one space, and a space is also in their names.
_HEADER = re.compile(r"Format|Status\S*|Size \(MB\)|metrics/\S+|mAP\S+|Inference time \([^)]*\)|FPS")
_COLUMNS = (  # name of ours, beginning of theirs
    ("size_mb", "Size (MB)"),
    ("map50_95", "metrics/mAP50-95(B)"),
    ("map50_95", "mAP50-95"),
    ("map50_95", "mAP@0.5:0.95"),
    ("metric", "metrics/"),
    ("inference_ms", "Inference time (ms"),
    ("fps_from_inference", "FPS"),
)


@dataclass
class _Seen:
    """What was said before and beside a table."""

    version: str | None = None
    device: str | None = None
    model: str | None = None
    settings: dict[str, str] = field(default_factory=dict)


def parse_ultralytics(text: str, source_name: str, source_sha256: str) -> tuple[ForeignResult, ...]:
    """A result for each row that has an inference time. Raises ConfigError if there is no such row."""
    seen = _Seen()
    columns: list[str] = []
    found: list[ForeignResult] = []
    for line in text.splitlines():
        _look(line, seen)
        if not line.strip():
            columns = []  # behind a table the log of the next export has lines with as many words
        elif "Format" in line and "Inference time" in line:
            columns = _columns(line)
        elif columns and (row := _row(line, columns)):
            found.append(
                _result(row, seen, f"ultralytics-{source_sha256[:16]}-{len(found)}", source_name, source_sha256)
            )
    if not found:
        raise ConfigError(
            f"{source_name}: no table of `yolo benchmark` with an inference time in it",
            why="looked for the columns Format, Size (MB), mAP and Inference time (ms/im)",
            hint="import benchmarks.log, which yolo benchmark writes, or what it printed",
        )
    return tuple(found)


def _look(line: str, seen: _Seen) -> None:
    if system := _SYSTEM.search(line):
        seen.version = system[1]
        device = _DEVICE.search(line)
        seen.device = device[1].strip() if device else seen.device
    if headline := _HEADLINE.search(line):
        seen.model, seen.settings["dataset"], seen.settings["imgsz"] = headline[1], headline[2], headline[3]
    seen.settings |= {name: value.lower() for name, value in _ARGUMENT.findall(line)}


def _columns(header: str) -> list[str]:
    """Our names of the columns after the first, "" for one that is not taken."""
    return [_name_of(theirs) for theirs in _HEADER.findall(header)[1:]]


def _name_of(theirs: str) -> str:
    return next((ours for ours, beginning in _COLUMNS if theirs.startswith(beginning)), "")


def _row(line: str, columns: Sequence[str]) -> tuple[str, Mapping[str, float]] | None:
    """(format, figures) of a row; None for other lines, and for one without an inference time.

    A format's name has spaces in it and no other cell has, so cells are counted from the end.
    """
    cells = _BORDERS.sub(" ", line).split()
    if cells and cells[0].isdigit():
        cells = cells[1:]  # the number of the row, which has no header
    name, values = " ".join(cells[: -len(columns)]), cells[-len(columns) :]
    if not name or len(values) != len(columns):
        return None
    told = {ours: finite(cell) for ours, cell in zip(columns, values) if ours}
    figures = {ours: value for ours, value in told.items() if value is not None}
    return (name, figures) if "inference_ms" in figures else None


def _result(
    row: tuple[str, Mapping[str, float]], seen: _Seen, foreign_id: str, source_name: str, source_sha256: str
) -> ForeignResult:
    kind, figures = row
    return ForeignResult(
        foreign_id=foreign_id,
        tool="ultralytics",
        tool_version=seen.version,
        device=seen.device,
        model=seen.model,
        precision=_precision(seen.settings, kind),
        measured=None,
        figures=dict(figures),
        settings={"format": kind, **seen.settings},
        definitions={name: text for name, text in DEFINITIONS.items() if name in figures},
        source_name=source_name,
        source_sha256=source_sha256,
    )


def _precision(settings: Mapping[str, str], kind: str) -> str | None:
    """As asked for on the command line, where that is in the log; PyTorch itself is never run in INT8."""
    if settings.get("int8") == "true" and kind != "PyTorch":
        return "int8"
    if settings.get("half") == "true":
        return "fp16"
    return "fp32" if settings.get("half") == "false" else None
