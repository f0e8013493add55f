"""One file that claims to be a picture: is it one, is it safe to decode, and what pins it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.sets.duplicates import difference_hash
from edgekit.core.progress import OnProgress

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000  # as the device reads them
MAX_BYTES = 400 << 20
LEAST_SIDE_PX = 64  # of the longer side: an icon or a thumbnail is no scene


@dataclass(frozen=True)
class PictureFile:
    """A picture that was read. problem is "" for one that can be used; only then it has sha256 and hash."""

    sha256: str = ""
    hash: str = ""
    problem: str = ""


def examine(path: Path) -> PictureFile:
    """Read a picture once. Its size is taken from the header first: decoding 65,535 x 65,535 px would fill 12 GiB."""
    problem = _header_problem(path)
    if problem:
        return PictureFile(problem=problem)
    import cv2

    try:
        frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if frame is None:
            return PictureFile(problem="not a picture that OpenCV can read")
        return PictureFile(files.sha256_file(path), difference_hash(frame))
    except (cv2.error, OSError) as error:
        return PictureFile(problem=f"cannot be read: {str(error).splitlines()[0]}")


def _header_problem(path: Path) -> str:
    from PIL import Image

    try:
        if path.stat().st_size > MAX_BYTES:
            return f"larger than {MAX_BYTES >> 20} MiB, which no camera picture is"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        return f"its header claims more than {MAX_PIXELS // 1_000_000} megapixels, which would fill the memory"
    except (OSError, ValueError, SyntaxError):
        return "not a picture that can be read"
    if width * height > MAX_PIXELS:
        return f"{width}x{height} px: more than {MAX_PIXELS // 1_000_000} megapixels would fill the memory"
    if max(width, height) < LEAST_SIDE_PX:
        return f"{width}x{height} px: below {LEAST_SIDE_PX} px a picture shows no scene"
    return ""


def examine_all(name: str, paths: Sequence[Path], cache: Path, on_progress: OnProgress) -> dict[Path, PictureFile]:
    """What `examine` says of each picture; remembered by path, size and time of change, so it is read once."""
    memory_path = cache / f"{name}.pictures.json"
    remembered = _read_memory(memory_path)
    found: dict[Path, PictureFile] = {}
    memory: dict[str, list[object]] = {}
    for done, path in enumerate(paths, start=1):
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        old = remembered.get(str(path), [])
        if old[:2] != stamp:
            on_progress(f"reading set {name}", done, len(paths))
        found[path] = PictureFile(*map(str, old[2:])) if old[:2] == stamp else examine(path)
        memory[str(path)] = [*stamp, found[path].sha256, found[path].hash, found[path].problem]
    if memory != remembered:
        files.write_json(memory_path, memory)
    return found


def _read_memory(path: Path) -> dict[str, list[object]]:
    try:
        memory = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(memory, dict):
        return {}
    return {key: entry for key, entry in memory.items() if isinstance(entry, list) and len(entry) == 5}
