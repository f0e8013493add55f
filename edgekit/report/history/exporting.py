"""The history as a file: a table for spreadsheets, or whole results that another history can take in."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from edgekit.errors import UsageError
from edgekit.files import replacing
from edgekit.report.history.figures import FIGURES
from edgekit.report.history.query import Query
from edgekit.report.history.rows import Listed
from edgekit.report.history.store import History

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


def export(history: History, query: Query, path: Path) -> int:
    """Write what a query finds, oldest first, as the file's ending says: .csv or .jsonl. Gives the number of results.

    Raises UsageError for another ending or a place that cannot be written.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f"{path.name}: expected a name that ends in .csv or .jsonl", hint="edgekit history export --out history.csv"
        )
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            return write(history, query, stream)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="--out FILE    (another place)") from error


def _write_table(history: History, query: Query, stream: TextIO) -> int:
    """What was not measured is an empty cell."""
    rows = history.listed(query)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_FACTS, *(figure.key for figure in FIGURES)])
    writer.writerows(_cells(row) for row in reversed(rows))
    return len(rows)


def _cells(row: Listed) -> list[object]:
    facts = [getattr(row, name) for name in _FACTS]
    return [*(_no_formula(fact) if isinstance(fact, str) else fact for fact in facts), *row.figures.values()]


def _no_formula(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


def _write_documents(history: History, query: Query, stream: TextIO) -> int:
    count = 0
    for _, document in history.documents(query):
        stream.write(document + "\n")
        count += 1
    return count


_WRITERS: dict[str, Callable[[History, Query, TextIO], int]] = {".csv": _write_table, ".jsonl": _write_documents}
