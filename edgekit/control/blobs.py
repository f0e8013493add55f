"""Content on its way to a device: a file, or bytes made here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 1 << 18


def size_of(content: Path | bytes) -> int:
    """How many bytes a file to be delivered has."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def chunks_of(content: Path | bytes, offset: int = 0) -> Iterator[bytes]:
    """A file's content from an offset on, in pieces that fit into memory."""
    if isinstance(content, bytes):
        yield content[offset:]
        return
    with content.open("rb") as stream:
        stream.seek(offset)
        yield from iter(lambda: stream.read(_CHUNK_BYTES), b"")
