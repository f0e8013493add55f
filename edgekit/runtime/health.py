"""The report that a service writes, as others on the device read it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Optional, Tuple

from edgekit.core.service import HEALTH_NAME, Health
from edgekit.core.wire import from_wire
from edgekit.errors import EdgekitError

Signature = Tuple[int, int]


def read_health(state_dir: Path) -> Optional[Health]:
    """The newest report, None if there is none that can be read."""
    try:
        return from_wire(Health, json.loads((state_dir / HEALTH_NAME).read_text("utf-8")), HEALTH_NAME)
    except (OSError, ValueError, EdgekitError):
        return None


def health_age_s(state_dir: Path) -> Optional[float]:
    """How long ago the report was written, by this device's clock."""
    try:
        return max(0.0, time.time() - (state_dir / HEALTH_NAME).stat().st_mtime)
    except OSError:
        return None


def health_signature(state_dir: Path) -> Optional[Signature]:
    """Tells one report from the next without reading it; each is a new file."""
    try:
        status = (state_dir / HEALTH_NAME).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
