"""What a folder of kept frames holds, and the verb `field`, which tells it.

Names, types and sizes are checked here, and what the JSON says. No JPEG is opened: whoever takes one checks its
digest, which is its name.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from edgekit.core.collecting import FIELD_FOLDER
from edgekit.core.field import FieldAnswer, FieldRequest, KeptFrame
from edgekit.core.field_quota import disk_bytes
from edgekit.core.progress import OnProgress
from edgekit.core.wire import from_wire
from edgekit.errors import ConfigError, DeviceError
from edgekit.runtime.store import Store

MAX_JSON_BYTES = 1 << 20  # a frame with a thousand objects takes a tenth
FRAME_NAME = re.compile(r"([0-9a-f]{64})\.(jpg|json)")


@dataclass(frozen=True)
class Entry:
    """One <sha256>.json with what belongs to it. frame: None where `problem` says what is wrong.

    torn: it is no frame at all, in contrast to one that another version of edgekit wrote.
    """

    sha256: str
    bytes: int  # on the disk, both files
    time_s: float  # when it was seen; when its JSON was written where that does not tell
    frame: Optional[KeptFrame] = None
    problem: str = ""
    torn: bool = False


def list_kept(request: FieldRequest, on_progress: OnProgress) -> FieldAnswer:
    """The frames that a service has kept; none where it never kept one.

    Raises DeployError for a name that no service has, DeviceError if this user may not look.
    """
    folder = Store(request.root).state_dir(request.service) / FIELD_FOLDER
    try:
        entries = look(folder)
    except PermissionError as error:
        raise DeviceError(
            f"{folder} cannot be read",
            why=f"{error.strerror}; it is for the service and its group alone",
            hint="edgekit provision makes the login user a member, from the next login on",
        ) from None
    frames = tuple(entry.frame for entry in entries if entry.frame is not None)
    damaged = tuple(f"{entry.sha256}: {entry.problem}" for entry in entries if entry.problem)
    return FieldAnswer(str(folder), frames, damaged)


def look(folder: Path) -> List[Entry]:
    """Every frame of a folder that is acknowledged, oldest first; [] without a folder. Other files are passed over.

    A service may keep and remove frames meanwhile. Raises OSError if the folder cannot be read.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    found = [_entry(folder, name[:64]) for name in names if name.endswith(".json") and FRAME_NAME.fullmatch(name)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.time_s, entry.sha256))


def _entry(folder: Path, sha256: str) -> Optional[Entry]:
    """None if it is no file, or was removed meanwhile."""
    json_path, jpeg_path = folder / f"{sha256}.json", folder / f"{sha256}.jpg"
    described = _regular(json_path)
    if described is None:
        return None
    frame, problem, torn = _read_frame(json_path, described.st_size)
    jpeg = _regular(jpeg_path)
    if _regular(json_path) is None:
        return None
    if frame is not None:
        problem = _mismatch(frame, sha256, jpeg)
        torn = bool(problem)
    room = disk_bytes(described.st_size, jpeg.st_size if jpeg else 0)
    if frame is None or problem:
        return Entry(sha256, room, described.st_mtime, None, problem, torn)
    return Entry(sha256, room, frame.time_unix_s, frame)


def _mismatch(frame: KeptFrame, sha256: str, jpeg: Optional[os.stat_result]) -> str:
    """Why a frame is not the one that its file's name and its JPEG say, "" if it is."""
    if frame.sha256 != sha256:
        return f"it tells of {frame.sha256[:64]}"
    if jpeg is None:
        return "its JPEG is missing"
    return "" if jpeg.st_size == frame.bytes else f"its JPEG has {jpeg.st_size} bytes, not {frame.bytes}"


def _regular(path: Path) -> Optional[os.stat_result]:
    """What is known of a file; None if there is none, or what is there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _read_frame(path: Path, size: int) -> Tuple[Optional[KeptFrame], str, bool]:
    """The frame that a JSON tells of; else None, what is wrong, and whether it is torn."""
    if size > MAX_JSON_BYTES:
        return None, f"its JSON has {size} bytes", True
    try:
        return from_wire(KeptFrame, json.loads(path.read_bytes()), path.name), "", False
    except ConfigError as error:
        return None, "; ".join(error.problems), False
    except ValueError as error:  # of UTF-8 or of JSON
        return None, f"its JSON cannot be read: {error}", True
    except FileNotFoundError:
        return None, "it was removed", False
    except RecursionError:
        return None, "its JSON is nested too deep", True
    except OSError as error:
        return None, f"its JSON cannot be read: {error.strerror}", False
