"""Annotated pictures made small enough to travel inside a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

MOST_SAMPLES = 6
_SUFFIXES = (".jpg", ".jpeg", ".png")
_LONGEST_SIDE_PX = 960
_QUALITY = 80


@dataclass(frozen=True)
class Sample:
    """A picture as a data URI, with its size as embedded."""

    name: str
    uri: str
    width_px: int
    height_px: int


def load_samples(folder: Path) -> tuple[Sample, ...]:
    """The first six readable pictures of a folder by name, as JPEG of at most 960 px; a missing folder is empty."""
    if not folder.is_dir():
        return ()
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    )
    samples: list[Sample] = []
    for path in paths:
        if len(samples) == MOST_SAMPLES:
            break
        sample = embedded(path, path.stem, _LONGEST_SIDE_PX, _QUALITY)
        if sample is not None:
            samples.append(sample)
    return tuple(samples)


def embedded(path: str | Path, name: str, longest_side_px: int, quality: int) -> Sample | None:
    """A picture as JPEG of at most that size, under a name; None if it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (longest_side_px * 2, longest_side_px * 2))  # a large JPEG is read smaller at once
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    upright.thumbnail((longest_side_px, longest_side_px))
    encoded = io.BytesIO()
    upright.save(encoded, "JPEG", quality=quality)
    uri = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
    return Sample(name, uri, upright.width, upright.height)
