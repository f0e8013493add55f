"""The history as a file: a table for spreadsheets, or whole documents that another history can take in."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from edgekit.errors import UsageError
from edgekit.files import replacing
from edgekit.report.history.evaluations import ListedEvaluation
from edgekit.report.history.figures import FIGURES
from edgekit.report.history.query import Query
from edgekit.report.history.refreshes import ListedRefresh
from edgekit.report.history.store import History
from edgekit.report.history.timeline import KINDS

_FACTS = (
    "created_utc",
    "result_id",
    "device",
    "detector",
    "scenario",
    "precision",
    "engine_id",
    "model_sha256",
    "conditions_sha256",
    "git_commit",
    "git_branch",
    "session",
    "round",
    "comparable",
    "stable",
)
# A spreadsheet runs a cell that begins so as a formula; names of branches and notes come from elsewhere.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(history: History, query: Query, path: Path, kind: str | None = None) -> dict[str, int]:
    """Write what a query finds, oldest first, as the file's ending says: .csv or .jsonl. Gives how many of each kind.

    kind: one of timeline.KINDS. None: a .jsonl holds all, a .csv results, for a table has columns of one kind alone.
    Raises UsageError for another ending or a place that cannot be written.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f"{path.name}: expected a name that ends in .csv or .jsonl", hint="edgekit history export --out history.csv"
        )
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            return write(history, query, kind, stream)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="--out FILE    (another place)") from error


def _write_table(history: History, query: Query, kind: str | None, stream: TextIO) -> dict[str, int]:
    """What was not measured is an empty cell."""
    writer = csv.writer(stream, lineterminator="\n")
    kind = kind or KINDS[0]
    header, rows = _TABLES[kind](history, query)
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([_no_formula(cell) if isinstance(cell, str) else cell for cell in row])
        count += 1
    return {kind: count}


def _result_table(history: History, query: Query) -> tuple[list[str], Iterable[list[Any]]]:
    figures = [figure.key for figure in FIGURES]
    rows = reversed(history.listed(query))
    cells = ([*(getattr(row, name) for name in _FACTS), *(row.figures[key] for key in figures)] for row in rows)
    return [*_FACTS, *figures], cells


def _evaluation_table(history: History, query: Query) -> tuple[list[str], Iterable[list[Any]]]:
    return _columns(ListedEvaluation), map(_cells, reversed(history.records.evaluations(query)))


def _refresh_table(history: History, query: Query) -> tuple[list[str], Iterable[list[Any]]]:
    return _columns(ListedRefresh), map(_cells, reversed(history.records.refreshes(query)))


def _columns(kind: type[ListedEvaluation] | type[ListedRefresh]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.name != "sequence"]


def _cells(row: ListedEvaluation | ListedRefresh) -> list[Any]:
    return [_told(getattr(row, name)) for name in _columns(type(row))]


def _told(value: Any) -> Any:
    """Several values in one cell: strata with what is kept in each, or names alone."""
    if not isinstance(value, tuple):
        return value
    return "; ".join(one if isinstance(one, str) else f"{one.stratum} {one.kept:.4f}" for one in value)


def _no_formula(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


def _write_documents(history: History, query: Query, kind: str | None, stream: TextIO) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in [kind] if kind else KINDS:
        counts[name] = 0
        for line in _lines(history, query, name):
            stream.write(line + "\n")
            counts[name] += 1
    return counts


def _lines(history: History, query: Query, kind: str) -> Iterable[str]:
    """A result as `bench` wrote it; the others say what they are."""
    if kind == "result":
        return (document for _, document in history.documents(query))
    records = history.records
    found = records.evaluation_documents(query) if kind == "eval" else records.refresh_documents(query)
    return (f'{{"kind":{json.dumps(kind)},"record":{document}}}' for _, document in found)


_TABLES: dict[str, Callable[[History, Query], tuple[list[str], Iterable[list[Any]]]]] = {
    "result": _result_table,
    "eval": _evaluation_table,
    "refresh": _refresh_table,
}
_WRITERS: dict[str, Callable[[History, Query, str | None, TextIO], dict[str, int]]] = {
    ".csv": _write_table,
    ".jsonl": _write_documents,
}
