"""What `edgekit bench` calls when it has saved its results. A history that fails never costs a measurement."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgekit.core.results import BenchResult
from edgekit.errors import EdgekitError
from edgekit.report.history.address import history_address
from edgekit.report.history.store import open_history


def record(
    state_dir: Path, results: Iterable[BenchResult], *, db: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Add results that were measured just now; gives a sentence to warn of for each that is not in the history.

    state_dir: the project's, where the history lies unless db or EDGEKIT_HISTORY names another. Never raises for what
    is wrong with the history: the result files are there, and `edgekit history add` catches up.
    """
    try:
        with open_history(history_address(state_dir, db, environ)) as history:
            return tuple(added.reason for added in history.add_all(results, live=True) if added.outcome == "refused")
    except EdgekitError as error:
        return (f"not added to the history: {error.what}; catch up with: edgekit history add {state_dir / 'results'}",)
