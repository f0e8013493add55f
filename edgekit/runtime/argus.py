"""Asking for the CSI camera daemon to be started again: nvargus-daemon sometimes opens no camera until that is done.

A request is an empty file, named after the service, in a folder where only services may write; the root program
bootstrap/argus.py takes it and decides. The service is started again too: the daemon's socket that it sees goes stale.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from pathlib import Path

from edgekit.runtime.say import say

REQUESTS = Path("/var/lib/edgekit/_argus")
SERVICE_VARIABLE = "EDGEKIT_SERVICE"  # set by the unit
ASK_AFTER_S = 20.0
"""For how long a camera gave nothing, in spite of new capture processes, before it is asked."""

MENDED = ("stall", "timeout", "argus", "ended", "other")
"""Kinds of core.camera_failures that a new daemon may mend; it brings back no camera that is not plugged in."""

_EVERY_S = 120.0


class ArgusHeal:
    """Asks at most once in two minutes, for all CSI cameras of a service together. Any thread may call it."""

    def __init__(self, folder: Path, service: str) -> None:
        """service "": nobody is asked; it is not run by the unit."""
        self._folder, self._service = folder, service
        self._lock = threading.Lock()
        self._asked_s = float("-inf")

    def ask(self, reason: str) -> bool:
        """Ask, unless that was done lately. True if it was asked; both that and a failure to ask are logged."""
        with self._lock:
            now_s = time.monotonic()
            if not self._service or now_s - self._asked_s < _EVERY_S:
                return False
            self._asked_s = now_s
        try:
            (self._folder / self._service).touch(mode=0o644)
        except OSError as error:
            say(f"{reason}; a new start of nvargus-daemon cannot be asked for: {error.strerror}: {self._folder}")
            return False
        say(f"{reason}; asked for a new start of nvargus-daemon")
        return True


@functools.lru_cache(maxsize=None)
def argus_heal() -> ArgusHeal:
    """The one of this process."""
    return ArgusHeal(REQUESTS, os.environ.get(SERVICE_VARIABLE, ""))
