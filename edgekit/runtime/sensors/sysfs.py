"""Small files of the kernel, read as they are: they may vanish, be switched off or hold nothing at any time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, Optional

_LONGEST = 65536
_NUMBER = re.compile(r"-?[0-9]{1,19}")


def text_of(path: Path) -> Optional[str]:
    """A file's text without the spaces and NULs around it; None if it cannot be read now."""
    try:
        handle = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(handle, _LONGEST).decode("utf-8", "replace").strip(" \n\t\0")
        finally:
            os.close(handle)
    except OSError:  # also EAGAIN of a thermal zone that is switched off
        return None


def number_in(path: Path) -> Optional[int]:
    """The whole number in a file; None if there is none that can be read now."""
    text = text_of(path) or ""
    return int(text) if _NUMBER.fullmatch(text) else None


def found(root: Path, pattern: str) -> List[Path]:
    """The paths below root that fit a pattern, sorted; none if a folder cannot be read."""
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []
