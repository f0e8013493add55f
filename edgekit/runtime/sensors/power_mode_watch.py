"""The power mode again and again, without waiting for it: where no file keeps it, a program has to be asked."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Optional

from edgekit.core.nvpmodel import CONF_FILE, STATUS_FILE, stored_power_mode
from edgekit.runtime.power_mode import power_mode
from edgekit.runtime.sensors.sysfs import text_of

_PROGRAM = "usr/sbin/nvpmodel"
_LOOK_EVERY_S = 10.0
_ASK_EVERY_S = 60.0  # a process each time, and a mode that changed is in the file from then on


class PowerModeWatch:
    """Knows the mode as of the last 10 s, or of the last minute where a program has to tell it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mode: Optional[str] = None
        self._looked_s: Optional[float] = None
        self._asked_s: Optional[float] = None
        self._asking: Optional[threading.Thread] = None

    def mode(self, now_s: float) -> Optional[str]:
        """Its name; None where it cannot be known, or not yet. Never waits. now_s: on a clock that never goes back."""
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._look(now_s)
        return self._mode

    def _look(self, now_s: float) -> None:
        stored = stored_power_mode(text_of(self._root / STATUS_FILE) or "", text_of(self._root / CONF_FILE) or "")
        if stored is not None:
            self._mode = stored
        elif self._may_ask(now_s):
            self._asked_s = now_s
            self._asking = threading.Thread(target=self._ask, name="edgekit-power-mode", daemon=True)
            with suppress(RuntimeError):  # no thread to be had: asked again later
                self._asking.start()

    def _may_ask(self, now_s: float) -> bool:
        due = self._asked_s is None or now_s - self._asked_s >= _ASK_EVERY_S
        idle = self._asking is None or not self._asking.is_alive()
        return due and idle and (self._root / _PROGRAM).exists()

    def _ask(self) -> None:
        self._mode = power_mode(self._root)
