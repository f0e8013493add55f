"""Verbs `tune` and `untune`."""

from __future__ import annotations

from edgekit.core.progress import OnProgress
from edgekit.core.requests import TuneAnswer, TuneRequest
from edgekit.runtime.tuning.apply import tune, untune


def run_tune(request: TuneRequest, on_progress: OnProgress) -> TuneAnswer:
    """The answer to verb `tune`."""
    on_progress("set the machine for measuring", 0, 0)
    done = tune(request.settings)
    return TuneAnswer(done.changed, done.refused)


def run_untune(request: TuneRequest, on_progress: OnProgress) -> TuneAnswer:
    """The answer to verb `untune`: all that was changed is set back, whatever the request names."""
    on_progress("set the machine back", 0, 0)
    done = untune()
    return TuneAnswer(done.changed, done.refused)
