"""What the description of a kept frame may hold: it is text of another machine, and names files and tags here."""

from __future__ import annotations

import re
import time

from edgekit.core.field import KeptFrame
from edgekit.core.stream_names import STREAM_NAME

MOST_JSON_BYTES = 4 * 1024 * 1024
MOST_PICTURE_BYTES = 64 * 1024 * 1024
MOST_SIDE_PX = 8192  # the largest picture that a service takes

_MOST_OBJECTS = 3000
_MOST_NAMES = 200  # strata, of which each class of a detector is one
_MOST_REASONS = 16
_MOST_LETTERS = 100
_AHEAD_S = 86_400.0  # of our clock; a board without a battery may be anywhere behind it, from 1970 on
_SHA256 = re.compile(r"[0-9a-f]{64}")


def digest_or_empty(text: str) -> str:
    """A SHA-256 as it is, "" for other text: a digest becomes the name of a file here."""
    return text if _SHA256.fullmatch(text) else ""


def frame_problem(kept: KeptFrame, service: str) -> str:
    """Why a frame is not even fetched, by what is said of it; "" if nothing is wrong."""
    if not digest_or_empty(kept.sha256):
        return "its name is no SHA-256"
    if kept.service != service:
        return f"it says that service {_shown(kept.service)} kept it, and {service} was asked"
    if not 0 < kept.bytes <= MOST_PICTURE_BYTES:
        return f"{kept.bytes} bytes, expected 1 to {MOST_PICTURE_BYTES}"
    if not (0 < kept.width_px <= MOST_SIDE_PX and 0 < kept.height_px <= MOST_SIDE_PX):
        return f"{kept.width_px}x{kept.height_px} px, expected at most {MOST_SIDE_PX} a side"
    if kept.stream and not STREAM_NAME.fullmatch(kept.stream):
        return f"{_shown(kept.stream)} is no name of a camera"
    if not 0 <= kept.time_unix_s <= time.time() + _AHEAD_S:
        return f"its time, {kept.time_unix_s:g} s since 1970, cannot be"
    return _length_problem(kept)


def _length_problem(kept: KeptFrame) -> str:
    counts = (
        ("objects", len(kept.objects), _MOST_OBJECTS),
        ("strata", len(kept.strata), _MOST_NAMES),
        ("classes", len(kept.described.class_ids), _MOST_NAMES),
        ("reasons", len(kept.reasons), _MOST_REASONS),
    )
    for what, count, most in counts:
        if count > most:
            return f"{count} {what}, expected at most {most}"
    labels = {one.label for one in kept.objects}
    for text in (*kept.strata, *kept.reasons, *labels, kept.engine_id):
        if len(text) > _MOST_LETTERS or not text.isprintable():
            return f"{_shown(text)} is no name"
    return ""


def _shown(text: str) -> str:
    return ascii(text[:40])
