"""Files to be added: results as `edgekit bench` wrote them, of any schema, and what `edgekit history export` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.results import BenchResult
from edgekit.errors import ConfigError, NotFoundError
from edgekit.report.history.adding_records import Record
from edgekit.report.history.evaluations import evaluation_of
from edgekit.report.history.refreshes import refresh_of
from edgekit.report.history.rows import result_of
from edgekit.report.load import load_result, load_results

_LONGEST_LINE = 4 << 20


@dataclass(frozen=True)
class Reading:
    """A result or record, or the reason why a file or line gave none. origin: the file, with the line of a .jsonl."""

    origin: str
    result: BenchResult | None = None
    record: Record | None = None
    problem: str = ""


def read_all(paths: Sequence[Path]) -> Iterator[Reading]:
    """The results of files and folders, in their order; within a folder oldest first.

    They are read as they are asked for. Raises NotFoundError at once for a path that is not there.
    """
    for path in paths:
        if not path.exists():
            raise NotFoundError(f"{path} does not exist", hint="edgekit history add .edgekit/results")
    return (reading for path in paths for reading in _read(path))


def _read(path: Path) -> Iterator[Reading]:
    if path.is_dir():
        found = load_results(path)
        yield from (Reading(str(path), result) for result in found.results)
        yield from (Reading(str(path), problem=problem) for problem in found.problems)
    elif path.suffix == ".jsonl":
        yield from _read_lines(path)
    else:
        try:
            yield Reading(path.name, load_result(path))
        except ConfigError as error:
            yield Reading(path.name, problem=f"{path.name}: {_one_line(error)}")


def _read_lines(path: Path) -> Iterator[Reading]:
    with path.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE + 1), b""), start=1):
            origin = f"{path.name}:{number}"
            if len(line) > _LONGEST_LINE:
                yield Reading(origin, problem=f"{origin}: longer than {_LONGEST_LINE >> 20} MiB, the rest is not read")
                return
            if line.strip():
                yield _read_line(line, origin)


def _read_line(line: bytes, origin: str) -> Reading:
    try:
        text = line.decode("utf-8")
        record = _record(text, origin) if text.startswith('{"kind":') else None
        return Reading(origin, record=record) if record else Reading(origin, result_of(text, origin))
    except UnicodeDecodeError as error:
        return Reading(origin, problem=f"{origin}: not UTF-8: {error.reason}")
    except ConfigError as error:
        return Reading(origin, problem=_one_line(error))


def _record(text: str, origin: str) -> Record:
    """An evaluation or a refresh, as the export writes it. Raises ConfigError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: not readable as JSON", why=str(error)) from None
    kind, record = data.get("kind"), data.get("record")
    if kind == "eval":
        return evaluation_of(record, origin)
    if kind == "refresh":
        return refresh_of(record, origin)
    raise ConfigError(f"{origin}: written by a newer edgekit (kind {kind!r})", hint="upgrade edgekit on this machine")


def _one_line(error: ConfigError) -> str:
    return " ".join(str(error).split())
