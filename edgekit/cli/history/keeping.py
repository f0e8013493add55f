"""What `edgekit eval` and `edgekit refresh` call when they have ended. A history that fails costs neither anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.core.evaluation import Evaluation


def keep_evaluation(app: App, evaluation: Evaluation) -> None:
    """Write an evaluation into the project's records, and into its history."""
    from datetime import datetime, timezone

    from edgekit.control.bench.checkout import read_checkout
    from edgekit.report.history.evaluation_sources import of_evaluation
    from edgekit.report.history.project_files import save_evaluation

    checkout = read_checkout(app.project.root)
    now_utc = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = of_evaluation(evaluation, now_utc, checkout.commit, checkout.branch)
    try:
        save_evaluation(app.project.ensure_state(), record)
    except OSError as error:
        app.console.warn(f"the evaluation was not kept: {error.strerror}")
        return
    keep_records(app)


def keep_records(app: App) -> None:
    """Add to the project's history what its records hold and it does not; makes one if there is none."""
    from edgekit.cli.history.options import catch_up_with, open_database

    try:
        with open_database(app, None, create=True) as history:
            catch_up_with(app, history)
    except EdgekitError as error:
        app.console.warn(f"not added to the history: {error.what}; catch up with: edgekit history add")
