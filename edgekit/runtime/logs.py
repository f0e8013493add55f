"""A piece of a service's log; verb `logs`."""

from __future__ import annotations

from edgekit.core.deployment import LogsAnswer, LogsRequest
from edgekit.core.progress import OnProgress
from edgekit.runtime.runner import runner_for
from edgekit.runtime.store import Store


def logs(request: LogsRequest, on_progress: OnProgress) -> LogsAnswer:
    """The last lines, or what was written after a cursor. Raises NotFoundError where the service never ran."""
    return runner_for(Store(request.root)).logs(request)
