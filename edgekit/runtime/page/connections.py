"""How many connections the page has, and which of them are in the way."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from typing import Dict

MOST_CONNECTIONS = 16
REQUEST_LIMIT_S = 10.0


class Connections:
    """The open connections, and since when each owes us a request. Nobody can keep the others out by saying nothing."""

    def __init__(self) -> None:
        self._owing_since_s: Dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._owing_since_s)

    def admit(self, one: socket.socket) -> bool:
        """Take a connection in; if there are too many, in the place of the one that is idle for longest.

        False if all of them are being answered.
        """
        with self._lock:
            if len(self._owing_since_s) >= MOST_CONNECTIONS:
                idle = min(self._owing_since_s, key=self._owing_since_s.__getitem__)
                if self._owing_since_s[idle] == math.inf:
                    return False
                self._end(idle)
            self._owing_since_s[one] = time.monotonic()
            return True

    def waits(self, one: socket.socket) -> None:
        """Its next request is due from now on."""
        self._set(one, time.monotonic())

    def answers(self, one: socket.socket) -> None:
        """Its request is complete and being answered."""
        self._set(one, math.inf)

    def forget(self, one: socket.socket) -> None:
        """It is closed."""
        with self._lock:
            self._owing_since_s.pop(one, None)

    def end_late(self) -> None:
        """End those that sent no whole request in time, however busily they send."""
        with self._lock:
            latest_s = time.monotonic() - REQUEST_LIMIT_S
            for one in [each for each, since_s in self._owing_since_s.items() if since_s < latest_s]:
                self._end(one)

    def end_all(self) -> None:
        """End every one; whoever waits on it is told at once."""
        with self._lock:
            for one in list(self._owing_since_s):
                self._end(one)

    def _set(self, one: socket.socket, since_s: float) -> None:
        with self._lock:
            if one in self._owing_since_s:
                self._owing_since_s[one] = since_s

    def _end(self, one: socket.socket) -> None:
        del self._owing_since_s[one]
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)  # closing is for the thread that reads it, which this wakes up
