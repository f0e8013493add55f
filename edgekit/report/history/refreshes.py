"""A refresh as rows of the tables, and back. It grows while it runs: see `has_grown`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import OUTCOMES, Evidence, Refresh
from edgekit.core.wire import digest, from_wire
from edgekit.errors import ConfigError
from edgekit.report.history.rows import created_at, odd_values, parsed, utc_text, whole_document, without_control

SCHEMA = 1
_NOT_FINISHED = "not finished"  # `why` of a refresh that has come to no end yet, see control/refresh/running


@dataclass(frozen=True)
class ListedRefresh:
    """A refresh without its document. unfinished: under way, or killed, when it was added last.

    set_before, set_after: what the serving engine and the candidate were calibrated with; field_pictures: of the
    second, set_strata: how many of its pictures lie in which stratum. drift_before: share of the scenes seen that lay
    beyond the reach of the first; new_strata: what the field shows and the first had next to nothing of. reference: the
    engine that was never quantised; kept: what is kept of its accuracy on the frozen set. frozen_ratio, holdout_ratio:
    candidate / serving engine, on the frozen set and on field frames that nothing was calibrated with. Each with its
    95 % interval; None where it was not judged.
    """

    sequence: int
    refresh_id: str
    created_utc: str
    unfinished: bool
    device: str
    service: str
    detector: str
    precision: str
    outcome: str
    cause: str
    why: str
    serving_engine_id: str
    candidate_engine_id: str
    release_id: str
    set_before: str
    set_before_sha256: str
    drift_before: float | None
    set_after: str
    set_after_sha256: str
    set_pictures: int
    field_pictures: int
    frames_new: int
    frames_refused: int
    holdout_pictures: int
    reference: str | None
    kept: float | None
    kept_low: float | None
    kept_high: float | None
    frozen_ratio: float | None
    frozen_low: float | None
    frozen_high: float | None
    holdout_before: float | None
    holdout_after: float | None
    holdout_ratio: float | None
    holdout_low: float | None
    holdout_high: float | None
    duration_s: float
    new_strata: tuple[str, ...]
    set_strata: tuple[str, ...]  # "light:night 37"


def refresh_id(record: Refresh) -> str:
    """Its device and beginning, as its file is called."""
    return f"refresh-{record.device}-{record.created_utc.replace(':', '')}"


def is_unfinished(record: Refresh) -> bool:
    """True while it may still change, or will never: it was killed."""
    return record.outcome == "promoting" or (record.outcome == "failed" and record.why == _NOT_FINISHED)


def has_grown(before: Refresh, now: Refresh) -> bool:
    """True if `now` is what `before` became: that one had not ended, and its steps are the first of this one's."""
    return is_unfinished(before) and now.steps[: len(before.steps)] == before.steps


def refresh_columns(record: Refresh) -> dict[str, Any]:
    """What is derived from a record. Raises ConfigError where it holds what no database takes."""
    try:
        derived = {
            **_facts(record),
            **_evidence(record.evidence),
            "created_at": created_at(record.created_utc),
            "content_sha256": digest(replace(record, duration_s=0.0)),  # the last save is some ms later
        }
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{refresh_id(record)} cannot be kept in a history", why=str(error)) from None
    reasons = odd_values(derived, *record.set_strata, *(record.evidence.new_strata if record.evidence else ()))
    if reasons:
        raise ConfigError(f"{refresh_id(record)!r} cannot be kept in a history", why="; ".join(reasons))
    return derived


def _facts(record: Refresh) -> dict[str, Any]:
    if record.outcome not in OUTCOMES:
        raise ValueError(f"outcome: expected one of {', '.join(OUTCOMES)}, got {record.outcome!r}")
    names = ("device", "service", "detector", "outcome", "cause", "serving_engine_id", "candidate_engine_id")
    frames = record.frames
    return {
        **{name: getattr(record, name) for name in (*names, "release_id", "set_pictures", "duration_s")},
        "refresh_id": refresh_id(record),
        "precision": "int8",
        "unfinished": is_unfinished(record),
        "why": without_control(record.why),  # may be a device's own words
        "set_before": record.serving_set,
        "set_before_sha256": record.serving_set_sha256,
        "drift_before": record.drift,
        "set_after": record.set_name,
        "set_after_sha256": record.set_sha256,
        "field_pictures": frames.chosen,
        "set_strata": json.dumps([f"{name} {count}" for name, count in record.set_strata.items()], ensure_ascii=False),
        "frames_new": frames.accepted,
        "frames_refused": sum(frames.refused.values()),
        "holdout_pictures": frames.holdout,
    }


def _evidence(found: Evidence | None) -> dict[str, Any]:
    kept = _judged(found.unquantised if found else None)
    frozen = _judged(found.serving if found else None)
    holdout = _judged(found.holdout if found else None)
    return {
        "reference": found.unquantised.baseline if found and found.unquantised else None,
        "kept": kept.kept if kept else None,
        "kept_low": kept.low if kept else None,
        "kept_high": kept.high if kept else None,
        "frozen_ratio": frozen.kept if frozen else None,
        "frozen_low": frozen.low if frozen else None,
        "frozen_high": frozen.high if frozen else None,
        "holdout_before": holdout.baseline_map if holdout else None,
        "holdout_after": holdout.map50_95 if holdout else None,
        "holdout_ratio": holdout.kept if holdout else None,
        "holdout_low": holdout.low if holdout else None,
        "holdout_high": holdout.high if holdout else None,
        "new_strata": json.dumps(found.new_strata if found else (), ensure_ascii=False),
    }


def _judged(gate: Gate | None) -> StratumKept | None:
    """The row of all pictures, None where the baseline finds nothing."""
    return gate.rows[0] if gate and gate.rows and gate.rows[0].verdict != "not judged" else None


def refresh_document(record: Refresh) -> str:
    """The whole record as one JSON text. Raises ConfigError for NaN and infinity."""
    return whole_document(record, refresh_id(record))


def refresh_of(document: str | Mapping[str, Any], name: str) -> Refresh:
    """The record of a document. Raises ConfigError if it is damaged or of a newer edgekit."""
    return from_wire(Refresh, parsed(document, name, SCHEMA), name)


_TAKEN = tuple(
    name for name in ListedRefresh.__dataclass_fields__ if name not in ("created_utc", "new_strata", "set_strata")
)


def listed_refresh(row: Mapping[Any, Any]) -> ListedRefresh:
    """A row of the table of refreshes."""
    return ListedRefresh(
        created_utc=utc_text(row["created_at"]),
        new_strata=tuple(json.loads(row["new_strata"] or "[]")),
        set_strata=tuple(json.loads(row["set_strata"] or "[]")),
        **{name: row[name] for name in _TAKEN},
    )
