"""Results of a history in place of the project's files, for `edgekit report` and `edgekit gate`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.session import App

if TYPE_CHECKING:
    from edgekit.core.gate import Gate
    from edgekit.report.history.store import History
    from edgekit.report.load import ResultsFolder

HISTORY_VARIABLE = "EDGEKIT_HISTORY"  # as in report/history/address.py, which costs an import of SQLAlchemy
_NEWEST = 5000  # of a history: more than a gate or a report needs, and read in seconds


@dataclass(frozen=True)
class Recorded:
    """Results and where they are from. gates: an engine's, of the history; None where the project's files were read."""

    found: ResultsFolder
    place: str | Path
    gates: Callable[[str], Sequence[Gate]] | None = None


def load_recorded(app: App, folder: Path | None, db: str | None, device: str | None, detector: str | None) -> Recorded:
    """Of a folder, of the history that --db or EDGEKIT_HISTORY names, else of the project's files; warns of what could
    not be read."""
    from edgekit.report.load import load_results

    if folder is None and (db or os.environ.get(HISTORY_VARIABLE)):
        recorded = _from_history(app, db, device, detector)
    else:
        folder = folder or app.project.results_dir
        recorded = Recorded(load_results(folder), folder)
    for problem in recorded.found.problems:
        app.console.warn(f"result left out: {problem}")
    return recorded


def _from_history(app: App, db: str | None, device: str | None, detector: str | None) -> Recorded:
    from edgekit.cli.history.options import open_database

    def gates(engine_id: str) -> Sequence[Gate]:
        with open_database(app, db, create=False) as history:
            judged = history.records.evaluations_of({engine_id})
        return [one.gate for one in judged if one.engine_id == engine_id and one.gate is not None]

    with open_database(app, db, create=False) as history:
        found = newest_results(history, device, detector)
        app.console.note(f"the newest {len(found.results)} results of the history {history.place}")
        return Recorded(found, f"the history {history.place}", gates)


def newest_results(history: History, device: str | None, detector: str | None) -> ResultsFolder:
    """The newest results of a device and a detector, of all where a name is None; oldest first.

    Where there are none it is said what there is, see ResultsFolder.others.
    """
    from edgekit.report.history.query import Query

    found = history.read(Query(device=device, detector=detector, limit=_NEWEST))
    if found.results:
        return found
    others = tuple(f"{one} with {other}" for one, other in history.subjects())
    return dataclasses.replace(found, others=others)


def newest_pair(history: History, device: str | None, detector: str | None) -> tuple[str | None, str | None]:
    """The device and detector of the newest result that matches the names given; these themselves without one."""
    from edgekit.report.history.query import Query

    newest = history.listed(Query(device=device, detector=detector, limit=1))
    return (newest[0].device, newest[0].detector) if newest else (device, detector)
