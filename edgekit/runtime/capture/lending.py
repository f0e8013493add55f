"""The child's half of the hand-over: it keeps the latest picture and lends it when the parent asks."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional, Tuple

Announce = Callable[[int, int, int, int, int], None]  # slot, sequence, width_px, height_px, captured_ns


class Lender:
    """Three slots: lent, latest, and the one that the reader may fill. Pictures nobody asked for are replaced.

    fps: pictures that come faster are left out.
    """

    def __init__(self, announce: Announce, fps: Optional[float] = None) -> None:
        self._announce = announce
        self._lock = threading.Lock()
        self._lent, self._latest, self._free = 0, 1, 2
        self._picture: Optional[Tuple[int, int, int, int]] = None  # of the latest slot, once, until it is lent
        self._wanted = False
        self._sequence = 0
        self._least_ns = int(0.9e9 / fps) if fps else 0  # a tenth of grace for a camera that is slightly early
        self._next_ns = 0

    @property
    def free_slot(self) -> int:
        """The slot to fill next; the reader's until `publish`."""
        return self._free

    def is_due(self, captured_ns: int) -> bool:
        """False for a picture that would exceed the rate asked for."""
        return captured_ns >= self._next_ns

    def publish(self, width_px: int, height_px: int, captured_ns: int) -> None:
        """The free slot now holds a picture, the latest one."""
        with self._lock:
            self._next_ns = captured_ns + self._least_ns
            self._sequence += 1
            self._latest, self._free = self._free, self._latest
            self._picture = (self._sequence, width_px, height_px, captured_ns)
            if self._wanted:
                self._lend()

    def want(self) -> None:
        """The parent is done with what it was lent and asks for the latest picture, or for the next one."""
        with self._lock:
            self._wanted = True
            if self._picture is not None:
                self._lend()

    def _lend(self) -> None:
        picture = self._picture
        assert picture is not None
        self._lent, self._latest = self._latest, self._lent
        self._picture, self._wanted = None, False
        self._announce(self._lent, *picture)


def now_ns() -> int:
    """CLOCK_MONOTONIC, which all processes of a machine share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
