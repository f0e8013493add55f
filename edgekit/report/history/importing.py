"""A file of another tool, read as far as it can be trusted: its size is looked at before anything is parsed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgekit.errors import ConfigError, UsageError
from edgekit.report.history.foreign import ForeignResult
from edgekit.report.history.trtexec import parse_trtexec
from edgekit.report.history.ultralytics import parse_ultralytics

_LARGEST_MIB = 64  # --exportTimes of an hour at 1,000 queries a second
# Colours of a terminal, and control characters, which must not reach one out of a file.
_ESCAPES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PARSERS: dict[str, Callable[[str, str, str], tuple[ForeignResult, ...]]] = {
    "trtexec": parse_trtexec,
    "ultralytics": parse_ultralytics,
}


def import_file(
    tool: str, path: Path, *, device: str | None = None, model: str | None = None
) -> tuple[ForeignResult, ...]:
    """What a file of a tool says. device, model: instead of what it says itself.

    Raises UsageError if it cannot be read, ConfigError if no result of that tool is in it.
    """
    content = _read(path)
    text = _ESCAPES.sub("", content.decode("utf-8", errors="replace").replace("\r", "\n"))
    found = _PARSERS[tool](text, path.name, hashlib.sha256(content).hexdigest())
    return tuple(replace(result, device=device or result.device, model=model or result.model) for result in found)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_MIB << 20:
            raise ConfigError(f"{path.name}: larger than {_LARGEST_MIB} MiB, not read")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # PowerShell's `>` writes UTF-16
        return content.decode("utf-16", errors="replace").encode("utf-8")
    return content
