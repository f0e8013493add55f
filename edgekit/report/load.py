"""Result files, and what deploying left behind, read back. A damaged file is named and never hides the others."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.core.gate import Gate
from edgekit.core.results import SCHEMA, BenchResult
from edgekit.core.wire import from_wire
from edgekit.errors import ConfigError, NotFoundError

_READABLE = (1, SCHEMA)
_LARGEST_FILE_BYTES = 4 << 20
_BENCH_HINT = "edgekit bench --fps"


@dataclass(frozen=True)
class ResultsFolder:
    """All results of a folder, or some of a history, oldest first, and one line for each that could not be used.

    others: "yard with roadscene", what else a history holds where only results of one device or detector were read.
    """

    results: tuple[BenchResult, ...]
    problems: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shipped:
    """What `edgekit deploy` put on the device, and why that precision.

    gate: INT8 against the engine that is not quantised; None where it was not judged. inference_p50_ms: by precision.
    """

    precision: str
    decision: str
    engine_id: str
    release_id: str
    gate: Gate | None = None
    inference_p50_ms: dict[str, float] = field(default_factory=dict)


def load_results(folder: Path) -> ResultsFolder:
    """Every *.json of a folder. Files being written (hidden names) are passed over; a missing folder is empty."""
    results, problems = [], []
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            results.append(load_result(path))
        except ConfigError as error:
            problems.append(f"{path.name}: {' '.join(str(error).split())}")
    return ResultsFolder(tuple(sorted(results, key=lambda result: result.created_utc)), tuple(problems))


def load_result(path: Path) -> BenchResult:
    """One result file. Raises ConfigError if it is damaged, of a later schema, or left behind by a bench cut off."""
    data = read_object(path)
    if data.get("partial"):
        raise ConfigError(_partial_text(data))
    if data.get("schema", SCHEMA) not in _READABLE:
        raise ConfigError(f"written by another edgekit (schema {data['schema']}, this one reads up to {SCHEMA})")
    return from_wire(BenchResult, data, path.name)


def _partial_text(data: dict[str, Any]) -> str:
    how_far = f"{data.get('done')} of {data.get('total')} s"
    if data.get("host") == socket.gethostname() and Path(f"/proc/{data.get('pid')}").is_dir():
        return f"a run that is not over, {how_far} so far"
    return f"what a run that was stopped left behind, after {how_far}"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file. Raises ConfigError if it cannot be read, is too large, or is something else."""
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise ConfigError(f"larger than {_LARGEST_FILE_BYTES >> 20} MiB, not read")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError("not readable as JSON", why=str(error)) from error
    if not isinstance(data, dict):
        raise ConfigError("expected an object")
    return data


def load_shipped(path: Path, detector: str) -> Shipped | None:
    """The deploy record of a device; None without one, or where it is damaged or about another detector."""
    try:
        data = read_object(path)
    except ConfigError:
        return None
    texts = [data.get(key) for key in ("precision", "decision", "engine_id", "release_id")]
    if data.get("detector", detector) != detector or not all(isinstance(text, str) for text in texts):
        return None
    precision, decision, engine_id, release_id = (str(text) for text in texts)
    return Shipped(precision, decision, engine_id, release_id, _gate(data.get("gate")), _times(data))


def _gate(data: Any) -> Gate | None:
    """The gate of a deploy record; None where there is none, or one of another edgekit."""
    try:
        found = from_wire(Gate, data, "gate") if isinstance(data, dict) else None
    except ConfigError:
        return None
    return found if found and found.rows else None


def _times(data: dict[str, Any]) -> dict[str, float]:
    found = {}
    for item in data.get("verifications") or ():
        try:
            found[str(item["precision"])] = float(item["inference"]["p50_ms"])
        except (KeyError, TypeError, ValueError):
            continue
    return found


def results_of(
    found: ResultsFolder, place: str | Path, device: str | None, detector: str | None
) -> tuple[BenchResult, ...]:
    """The results of one device and one detector; where a name is not given, that of the newest matching result.

    place: the folder or history that they are from. Raises NotFoundError, which says what there is, if nothing matches.
    """
    wanted = [
        result
        for result in found.results
        if device in (None, result.device) and detector in (None, result.engine.detector)
    ]
    if not wanted:
        raise _nothing(found, place, device, detector)
    newest = wanted[-1]
    pair = (newest.device, newest.engine.detector)
    return tuple(result for result in wanted if (result.device, result.engine.detector) == pair)


def _nothing(found: ResultsFolder, place: str | Path, device: str | None, detector: str | None) -> NotFoundError:
    if not found.results and not found.others:
        broken = f"; {_count(len(found.problems))} there could not be read" if found.problems else ""
        return NotFoundError(f"no results in {place}{broken}", why="\n".join(found.problems[:5]), hint=_BENCH_HINT)
    asked = " and ".join(
        f"{kind} {name!r}" for kind, name in (("device", device), ("detector", detector)) if name is not None
    )
    known = sorted({*found.others, *(f"{result.device} with {result.engine.detector}" for result in found.results)})
    options = [("--device", device), ("--detector", detector)]
    return NotFoundError(
        f"no results for {asked}",
        why=f"measured so far: {_listed(known)}",
        hint=" ".join([_BENCH_HINT, *(f"{option} {name}" for option, name in options if name is not None)]),
    )


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
