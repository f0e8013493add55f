"""Figures of other tools, kept beside our own results and never compared with them: they measure something else."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from edgekit.core.wire import from_wire


@dataclass(frozen=True)
class ForeignResult:
    """One run, or one row of a table, of another tool.

    foreign_id: from the text it was read in, so that the same text imported twice is one result. measured: the tool's
    own words, most often local time without a zone; None if it says none. figures: by name with the unit in it;
    definitions: what they mean there, by the same names or their beginning. settings: what the figures depend on, as
    far as the tool tells; "unknown" is said, never left out.
    """

    foreign_id: str
    tool: str
    tool_version: str | None
    device: str | None
    model: str | None
    precision: str | None
    measured: str | None
    figures: dict[str, float]
    settings: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    notes: str = ""
    source_name: str = ""
    source_sha256: str = ""
    schema: int = 1


def foreign_of(document: str) -> ForeignResult:
    """The result of a document that `wire.canonical_json` made."""
    return from_wire(ForeignResult, json.loads(document), "result of another tool")


def finite(value: str | float) -> float | None:
    """A number of another tool's output, None if it is none or not finite: a log may be cut or hold anything."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
