"""What lies in a release's folder, read as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Type, TypeVar

from edgekit.core.wire import from_wire
from edgekit.errors import DeployError

T = TypeVar("T")


def read_part(path: Path, kind: Type[T]) -> T:
    """A JSON file of a release. Raises DeployError if it cannot be read, ConfigError if it is no `kind`."""
    try:
        return from_wire(kind, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError) as error:
        raise DeployError(f"{path} cannot be read: {error}", hint="edgekit deploy") from None
