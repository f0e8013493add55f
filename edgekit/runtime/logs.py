"""Reading a service's log where the supervisor writes it."""

from __future__ import annotations

from edgekit.core.progress import OnProgress
from edgekit.core.requests import LogsAnswer, LogsRequest
from edgekit.errors import NotFoundError
from edgekit.runtime.store import Store
from edgekit.runtime.supervisor import LOG_NAME

_AT_MOST_BYTES = 1 << 20


def logs(request: LogsRequest, on_progress: OnProgress) -> LogsAnswer:
    """The last lines, or what was written after an offset. Raises NotFoundError where the service never ran."""
    path = Store(request.root).state_dir(request.service) / LOG_NAME
    if not path.is_file():
        raise NotFoundError(f"{request.service} has no log on this device", hint="edgekit deploy")
    size = path.stat().st_size
    start = request.offset if request.offset >= 0 else max(0, size - _AT_MOST_BYTES)
    if start > size:
        start = 0  # a log that became shorter was rotated
    with path.open("rb") as stream:
        stream.seek(start)
        data = stream.read(_AT_MOST_BYTES)
    text = data.decode("utf-8", "replace")
    if request.offset < 0:
        text = "".join(text.splitlines(keepends=True)[-request.lines :])
    return LogsAnswer(text, start + len(data))
