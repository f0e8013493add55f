"""The power mode a Jetson is in, found without root."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

from edgekit.core.nvpmodel import CONF_FILE, STATUS_FILE, parse_power_mode, stored_power_mode

_NVPMODEL = "usr/sbin/nvpmodel"
_LIMIT_S = 2.0


def power_mode(root: Path = Path("/")) -> Optional[str]:
    """The mode's name, "MAXN" or "MODE_15W_6CORE"; None where it cannot be read.

    The kept choice is a file; nvpmodel is asked where there is none, as before the first change on a board.
    """
    stored = stored_power_mode(_text(root / STATUS_FILE), _text(root / CONF_FILE))
    return stored or _asked(root / _NVPMODEL)


def _asked(program: Path) -> Optional[str]:
    try:
        done = subprocess.run(
            [str(program), "-q"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_power_mode(done.stdout.decode("utf-8", "replace"))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
