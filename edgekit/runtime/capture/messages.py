"""Lines of JSON from a capture process to its parent, and the parent's distrust of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from edgekit.runtime.capture.ring import SLOT_BYTES, SLOTS

LONGEST_LINE = 1 << 16
WANT = b"w"  # the one word of the parent


@dataclass(frozen=True)
class Picture:
    """A slot is lent: it holds picture number `sequence`; captured_ns on CLOCK_MONOTONIC."""

    slot: int
    sequence: int
    width_px: int
    height_px: int
    captured_ns: int


@dataclass(frozen=True)
class Word:
    """kind: "opening", "connected", "note" or "failed"; text for people. failure: its kind, see camera_failures."""

    kind: str
    text: str = ""
    failure: str = ""


Message = Union[Picture, Word]
WORDS = ("opening", "connected", "note", "failed")


class GarbageError(Exception):
    """What came over the pipe is nothing that a capture process says."""


def encode_picture(slot: int, sequence: int, width_px: int, height_px: int, captured_ns: int) -> bytes:
    """The line for a picture."""
    return b'{"picture":[%d,%d,%d,%d,%d]}\n' % (slot, sequence, width_px, height_px, captured_ns)


def encode_word(kind: str, text: str = "", failure: str = "") -> bytes:
    """The line for a word; texts longer than a thousand characters are cut."""
    return json.dumps({"word": [kind, text[:1000], failure]}).encode() + b"\n"


class Decoder:
    """Bytes as they come -> messages. Raises GarbageError for what is none, also for a line without an end."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> List[Message]:
        """The messages that this chunk completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise GarbageError(f"a line of more than {LONGEST_LINE} bytes")
        return [_message(line) for line in lines]


def _message(line: bytes) -> Message:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise GarbageError(f"no JSON: {line[:40]!r}") from None
    if isinstance(document, dict):
        found = _picture(document) or _word(document)
        if found is not None:
            return found
    raise GarbageError(f"not a message: {line[:80]!r}")


def _picture(document: Dict[str, Any]) -> Optional[Picture]:
    values = document.get("picture")
    if not (isinstance(values, list) and len(values) == 5 and all(type(value) is int for value in values)):
        return None
    picture = Picture(*values)
    fits = 0 < picture.width_px * picture.height_px * 3 <= SLOT_BYTES and picture.width_px > 0
    return picture if 0 <= picture.slot < SLOTS and fits else None


def _word(document: Dict[str, Any]) -> Optional[Word]:
    values = document.get("word")
    if not (isinstance(values, list) and len(values) == 3 and all(isinstance(value, str) for value in values)):
        return None
    parts: Tuple[str, ...] = tuple(values)
    return Word(*parts) if parts[0] in WORDS else None
