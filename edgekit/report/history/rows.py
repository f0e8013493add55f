"""A result as rows of the tables, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime, timezone
from typing import Any

from edgekit.core.results import SCHEMA, BenchResult
from edgekit.core.wire import canonical_json, digest, from_wire
from edgekit.errors import ConfigError
from edgekit.report.comparison.comparing import conditions_of
from edgekit.report.history.figures import FIGURES

_LARGEST = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Listed:
    """A result without its document.

    clock_back_of: the id of a result that was recorded on this device before and says a later time, None in order.
    conditions_sha256: equal for results that differ in model and engine alone. figures: as history.figures names them,
    None for what was not measured; with those of kept.with_kept where they were asked for.
    """

    sequence: int
    result_id: str
    created_utc: str
    device: str
    detector: str
    scenario: str
    precision: str
    engine_id: str
    model_sha256: str
    conditions_sha256: str
    git_commit: str | None
    git_branch: str | None
    session: str
    round: int
    comparable: bool
    stable: bool
    disturbances: tuple[str, ...]
    clock_back_of: str | None
    figures: Mapping[str, float | None]


def columns_of(result: BenchResult) -> dict[str, Any]:
    """What is derived from a result. Raises ConfigError where it holds what no database takes."""
    try:
        derived = {
            "result_id": result.result_id,
            "content_sha256": content_sha256(result),
            "created_at": created_at(result.created_utc),
            "device": result.device,
            "detector": result.engine.detector,
            "scenario": result.conditions.scenario,
            "precision": result.engine.precision,
            "engine_id": result.engine.engine_id,
            "model_sha256": result.engine.model_sha256,
            "conditions_sha256": conditions_sha256(result),
            "git_commit": result.git_commit,
            "git_branch": result.git_branch,
            "session": result.session,
            "round": result.round,
            "comparable": result.comparable,
            "stable": result.measurement.rate.stable,
            "disturbances": json.dumps(list(result.measurement.disturbances), ensure_ascii=False),
            **{figure.key: _number(figure.read(result)) for figure in FIGURES},
        }
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"result {result.result_id!r} cannot be kept in a history", why=str(error)) from None
    _refuse_odd_values(result, derived)
    return derived


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _refuse_odd_values(result: BenchResult, derived: Mapping[str, Any]) -> None:
    """Files come from other machines: a control character in a name would reach a terminal, or break an insert."""
    told = {"note": result.note, "disturbances": "\n".join(result.measurement.disturbances)}
    reasons = control_characters({**derived, **told})
    if not 0 <= result.round <= _LARGEST:
        reasons.append(f"round: {result.round} is out of range")
    if reasons:
        raise ConfigError(f"result {result.result_id!r} cannot be kept in a history", why="; ".join(reasons))


def control_characters(values: Mapping[str, Any]) -> list[str]:
    """A sentence for each text that holds one."""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return [f"{name}: holds a control character" for name, value in texts.items() if _CONTROL.search(value)]


def odd_values(columns: Mapping[str, Any], *texts: str) -> list[str]:
    """A sentence for each value of a row that no database takes or no terminal should see; texts: shown beside it."""
    reasons = control_characters({**columns, "a name in it": "\n".join(texts)})
    whole = {name: value for name, value in columns.items() if type(value) is int}
    return [*reasons, *(f"{name}: {value} is out of range" for name, value in whole.items() if abs(value) > _LARGEST)]


def whole_document(record: Any, name: str) -> str:
    """A record as one JSON text for one record. Raises ConfigError for NaN, infinity and half a character."""
    try:
        return canonical_json(record).decode("utf-8")
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{name!r} cannot be written as JSON", why=str(error)) from None


def without_control(text: str) -> str:
    """A text with each control character as a blank: it would reach a terminal."""
    return _CONTROL.sub(" ", text)


def document_of(result: BenchResult) -> str:
    """The whole result, as one JSON text for one result. Raises ConfigError for NaN and infinity."""
    return whole_document(result, f"result {result.result_id}")


def result_of(document: str, result_id: str) -> BenchResult:
    """The result of a document. Raises ConfigError if it is damaged or of a schema this edgekit does not know."""
    return from_wire(BenchResult, parsed(document, result_id, SCHEMA), result_id)


def parsed(document: str | Mapping[str, Any], name: str, newest_schema: int) -> Mapping[str, Any]:
    """The object of a document. Raises ConfigError if it is none, or of a schema this edgekit does not know."""
    try:
        data = json.loads(document) if isinstance(document, str) else document
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not readable as JSON", why=str(error)) from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{name}: expected an object")
    schema = data.get("schema", newest_schema)
    if not isinstance(schema, int) or schema > newest_schema:
        raise ConfigError(
            f"{name}: written by a newer edgekit (schema {schema}, this one reads up to {newest_schema})",
            hint="upgrade edgekit on this machine",
        )
    return data


def content_sha256(result: BenchResult) -> str:
    """Digest of what a result says, whatever version of the format it came in.

    Fields that hold their default do not count, nor do schema numbers: a file of schema 1 read and written again by a
    later edgekit is still the same result. 10 and 10.0 are one number, for a file does not tell them apart either.
    """
    return digest(_without_defaults(result))


def _without_defaults(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in fields(value) if field.name != "schema")
        return {
            field.name: _without_defaults(item)
            for field, item in pairs
            if item != (field.default_factory() if field.default_factory is not MISSING else field.default)
        }
    if isinstance(value, (list, tuple)):
        return [_without_defaults(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_defaults(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def conditions_sha256(result: BenchResult) -> str:
    """Digest of what must be equal before figures compare, but for the model: a release may bring another."""
    return digest({name: value for name, value in conditions_of(result).items() if name != "engine.model_sha256"})


def created_at(created_utc: str) -> datetime:
    """When a result was made, UTC without saying so. Raises ValueError."""
    text = created_utc[:-1] + "+00:00" if created_utc.endswith("Z") else created_utc
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"created_utc: expected a time such as 2026-11-20T08:30:00Z, got {created_utc!r}") from None
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


def utc_text(moment: datetime) -> str:
    """A moment of the tables for people and files, to the second."""
    return moment.replace(microsecond=0).isoformat() + "Z"


_DERIVED = ("created_utc", "disturbances", "figures")
_TAKEN = tuple(field.name for field in fields(Listed) if field.name not in _DERIVED)


def listed_of(row: Mapping[Any, Any]) -> Listed:
    """A row of the table of results."""
    told = row["disturbances"]
    return Listed(
        created_utc=utc_text(row["created_at"]),
        disturbances=tuple(json.loads(told)) if told and told != "[]" else (),
        figures={figure.key: row[figure.key] for figure in FIGURES},
        **{name: row[name] for name in _TAKEN},
    )
