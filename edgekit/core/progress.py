"""How long work tells of itself, on the device, on the way to the host, and on the console."""

from __future__ import annotations

from typing import Callable

# what, done, total; a total of 0 means that it is not known
OnProgress = Callable[[str, int, int], None]
