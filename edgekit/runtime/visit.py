"""What a device is and what lies on it, in one process; verb `visit`. Imports nothing heavy: every deploy begins so."""

from __future__ import annotations

from pathlib import Path

from edgekit.core.deployment import VisitAnswer, VisitRequest
from edgekit.core.progress import OnProgress
from edgekit.runtime.probe import probe_device
from edgekit.runtime.services import state_of
from edgekit.runtime.store import Store


def visit(request: VisitRequest, on_progress: OnProgress) -> VisitAnswer:
    """The profile and the state. Raises DeviceError as probing does."""
    return VisitAnswer(probe_device(disk_of=Path(request.root)), state_of(Store(request.root)))
