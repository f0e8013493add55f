"""Words for whoever keeps this process's log: systemd's journal or a supervisor, which add the time."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line on standard error, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
