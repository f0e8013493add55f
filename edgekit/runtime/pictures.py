"""The pictures of a folder: which they are, and reading one without letting a hostile file eat the memory."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import List, Optional, Tuple

import cv2
import numpy as np

from edgekit.errors import SourceError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000
_MAX_FILE_BYTES = 400 << 20
_HEAD_BYTES = 256 << 10


def list_pictures(folder: Path) -> List[Path]:
    """The picture files directly in a folder, sorted by name. Raises SourceError if there are none."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder", hint="name a folder of pictures")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    if not pictures:
        raise SourceError(f"no pictures in {folder}", why=f"looked for {', '.join(sorted(PICTURE_SUFFIXES))}")
    return pictures


def read_picture(path: Path) -> np.ndarray:
    """The picture as (H, W, 3) uint8 BGR, upright; grey, alpha and 16 bit are converted.

    Raises SourceError if it is missing, damaged, or larger than MAX_PIXELS; the size is read before decoding.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise SourceError(f"{path} is larger than {_MAX_FILE_BYTES >> 20} MiB", why="that is no camera picture")
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    size = picture_size(content)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise SourceError(
            f"{path} is {size[0]}x{size[1]} pixels",
            why=f"more than {MAX_PIXELS // 1_000_000} megapixels would fill the memory",
        )
    return _decode(content, path)


def _decode(content: bytes, path: Path) -> np.ndarray:
    try:
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded", why=str(error).strip()) from None
    if frame is None or frame.size == 0:
        raise SourceError(f"{path} cannot be decoded", why="the file is damaged or no picture")
    return frame


def picture_size(content: bytes) -> Optional[Tuple[int, int]]:
    """(width, height) in px from a PNG, JPEG, BMP or WebP header; None where the header does not say.

    Source: RFC 2083 (IHDR), ITU T.81 (SOFn), Windows BITMAPINFOHEADER, WebP container specification (VP8X, VP8, VP8L).
    """
    head = content[:_HEAD_BYTES]
    try:
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return struct.unpack(">II", head[16:24])
        if head[:2] == b"BM":
            width, height = struct.unpack("<ii", head[18:26])
            return abs(width), abs(height)
        if head[:2] == b"\xff\xd8":
            return _jpeg_size(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp_size(head)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg_size(head: bytes) -> Optional[Tuple[int, int]]:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        # SOF0 to SOF15 hold the size; C4, C8 and CC among them are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        if marker == 0xFF:
            at += 1
        else:
            at += 2 + int(struct.unpack(">H", head[at + 2 : at + 4])[0])
    return None


def _webp_size(head: bytes) -> Optional[Tuple[int, int]]:
    if len(head) < 30:
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
