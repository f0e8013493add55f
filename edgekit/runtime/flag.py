"""What a signal handler sets, for the main thread to look at."""

from __future__ import annotations

import time


class Flag:
    """Unlike threading.Event it has no lock, which the very thread that the signal interrupts may hold."""

    _SLICE_S = 0.1

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """From anywhere."""
        self._is_set = True

    def clear(self) -> None:
        """From anywhere."""
        self._is_set = False

    def is_set(self) -> bool:
        """Whether it is."""
        return self._is_set

    def wait(self, limit_s: float) -> bool:
        """Sleep until it is set, for so long at most; whether it is then."""
        deadline_s = time.monotonic() + limit_s
        while not self._is_set and time.monotonic() < deadline_s:
            time.sleep(max(0.0, min(self._SLICE_S, deadline_s - time.monotonic())))
        return self._is_set
