"""Looks at pictures from elsewhere in a process of its own, so that a hostile one costs this process and no more.

    python -m edgekit.control.field.look MEMORY_MIB

takes one JSON line for each picture, {"path", "sha256", "width_px", "height_px"}, and answers with one: a Look. The
process may take so much memory, write no file, and ends with the one that started it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import numpy as np

from edgekit import files
from edgekit.core.scene_descriptor import SceneDescriptor

_JPEG = b"\xff\xd8\xff"
_DARKEST, _BRIGHTEST = 0.1, 99.9  # percentiles: a lamp at night is a thousandth of the picture
_LONGEST_COMPLAINT_BYTES = 400
_TOO_MUCH = "reading it takes more memory than it may have"


@dataclass(frozen=True)
class Look:
    """What one picture is. why: "" for one that can be used, else a word of screen.REFUSALS, with a sentence.

    spread: grey levels between the darkest and the brightest thousandth of the small copy.
    """

    sha256: str
    why: str = ""
    detail: str = ""
    hash: str = ""
    spread: float = 0.0
    described: Optional[SceneDescriptor] = None  # noqa: UP045 - the form that core.wire reads


def look(path: Path, sha256: str, width_px: int, height_px: int) -> Look:
    """Look at one picture that should be a JPEG of that digest and size. Nothing of it is decoded before both agree."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(_JPEG)) != _JPEG:
                return Look(sha256, "unreadable", "it is no JPEG")
        if files.sha256_file(path) != sha256:
            return Look(sha256, "digest", "its content is no longer that of its name")
        return _header_look(path, sha256, (width_px, height_px)) or _decoded_look(path, sha256, (width_px, height_px))
    except MemoryError:
        return Look(sha256, "unreadable", _TOO_MUCH)
    except OSError as error:
        return Look(sha256, "unreadable", f"it cannot be read: {error}")


def _header_look(path: Path, sha256: str, said: tuple[int, int]) -> Look | None:
    """What is wrong by the header, or with the length of the file; None if nothing is."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=("JPEG",)) as picture:
                if picture.size != said:
                    return Look(sha256, "size", _other_size(picture.size, said))
                picture.load()  # unlike OpenCV, which fills what is missing with grey
    except Image.DecompressionBombError:
        return Look(sha256, "size", "its header claims a size that would fill the memory")
    except (OSError, ValueError, SyntaxError) as error:
        return Look(sha256, "unreadable", f"it is damaged: {error}")
    return None


def _decoded_look(path: Path, sha256: str, said: tuple[int, int]) -> Look:
    import cv2

    from edgekit.control.sets.picture_files import examine
    from edgekit.core.scene_descriptor import describe, small_size

    found = examine(path)
    if found.problem:
        return Look(sha256, "size" if "px" in found.problem else "unreadable", found.problem)
    try:
        with _stderr() as complaints:
            frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if frame is None or complaints:
            return Look(sha256, "unreadable", f"it is damaged: {''.join(complaints) or 'OpenCV cannot read it'}")
        small = cv2.resize(frame, small_size(*said), interpolation=cv2.INTER_AREA)
    except cv2.error as error:
        return Look(sha256, "unreadable", _TOO_MUCH if error.code == cv2.Error.StsNoMem else f"OpenCV: {error.err}")
    size = (frame.shape[1], frame.shape[0])
    if size != said:
        return Look(sha256, "size", _other_size(size, said))
    if min(small.shape[:2]) < 8:
        return Look(sha256, "size", f"{size[0]}x{size[1]} px: a strip that shows no scene")
    return Look(sha256, hash=found.hash, spread=_spread(small), described=describe(small))


@contextmanager
def _stderr() -> Iterator[list[str]]:
    """What libraries write to standard error meanwhile, as at most one text.

    libjpeg fills data that is missing with grey and says so there alone; a camera's JPEG gives it no cause to.
    """
    said: list[str] = []
    reader, writer = os.pipe()
    before = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield said
    finally:
        os.dup2(before, 2)
        os.close(before)
        with os.fdopen(reader, "rb") as stream:
            text = stream.read(_LONGEST_COMPLAINT_BYTES).decode("utf-8", "replace")
        said += [" ".join(text.split())] if text.strip() else []


def _spread(small: np.ndarray) -> float:
    import cv2
    import numpy as np

    darkest, brightest = np.percentile(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (_DARKEST, _BRIGHTEST))
    return round(float(brightest - darkest), 2)


def _other_size(size: tuple[int, int], said: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} px, and the device says {said[0]}x{said[1]}"


def _limit(memory_mib: int) -> None:
    """No more memory, no files written, no core left behind."""
    for what, most in (
        (resource.RLIMIT_AS, memory_mib << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error instead of an end


def _asked(question: Mapping[str, Any]) -> Look:
    return look(Path(question["path"]), question["sha256"], question["width_px"], question["height_px"])


def main() -> int:
    """Answer until there is no more to ask."""
    from edgekit.core.wire import to_wire

    _limit(int(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(to_wire(_asked(json.loads(line)))) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
