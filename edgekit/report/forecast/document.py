"""A forecast as JSON-ready data: what `edgekit forecast --json` writes."""

from __future__ import annotations

from typing import Any

from edgekit.core.wire import to_wire
from edgekit.report.forecast.readiness import Readiness

METHOD = "spike-and-step level filter, docs/forecast.md"


def forecast_document(one: Readiness) -> dict[str, Any]:
    """One detector on one device. schema rises when a field changes its meaning."""
    found = one.forecast
    document: dict[str, Any] = {
        "device": one.subject.device,
        "detector": one.subject.detector,
        "state": one.state,
        "likely_from_release": one.likely_from,
        "method": METHOD,
        **{key: value for key, value in to_wire(found).items() if key not in ("device", "detector")},
    }
    document["untypical"] = [
        {"kind": flag.kind, "what": flag.what, "cause": flag.cause, "command": flag.command} for flag in found.untypical
    ]
    return document
