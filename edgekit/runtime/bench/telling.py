"""Progress of a measurement, once a second however many frames come."""

from __future__ import annotations

from typing import Callable

from edgekit.core.progress import OnProgress

_EVERY_S = 1.0


class Teller:
    """Calls on_progress(what, seconds done, total)."""

    def __init__(self, on_progress: OnProgress, total_s: float) -> None:
        self._on_progress = on_progress
        self._total_s = max(1, round(total_s))
        self._told_s = -_EVERY_S

    def tell(self, done_s: float, what: Callable[[], str]) -> None:
        """So much is done; told if it is a second more than last time."""
        if done_s - self._told_s >= _EVERY_S:
            self._told_s = done_s
            self._on_progress(what(), min(int(done_s), self._total_s), self._total_s)

    def tell_end(self, what: str) -> None:
        """All is done."""
        self._on_progress(what, self._total_s, self._total_s)
