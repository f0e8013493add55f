"""What was written down before and may be made again: records, caches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from edgekit.core.wire import from_wire
from edgekit.errors import EdgekitError

T = TypeVar("T")


def read_record(kind: type[T], path: Path) -> T | None:
    """A JSON file as what it should be; None if there is none, or none that can be read."""
    try:
        return from_wire(kind, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError, EdgekitError):
        return None
