"""The folder of kept frames: <sha256>.jpg, then <sha256>.json, which makes it a kept frame.

Both are forced to the disk before they get their names, and the names before the next step, so that a kill or a power
cut leaves a frame whole or not at all. Only files of our own name pattern are ever counted or deleted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import AbstractSet, Any, Callable, Dict, Sequence, Tuple

from edgekit.core.collecting import CollectSettings
from edgekit.core.field import KeptFrame
from edgekit.core.field_quota import Held, counts_for, disk_bytes, frames_over, frames_to_remove
from edgekit.core.release import SERVICE_ONLY
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError
from edgekit.files import fsync_folder, replacing
from edgekit.runtime.field.kept import FRAME_NAME, Entry, look
from edgekit.runtime.locks import LockHeldError, held
from edgekit.runtime.space import check_room

_MIB = 1 << 20
_FOLDER_MODE = 0o750
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}-\w+\.part\.(?:jpg|json)")  # see files.replacing


def nothing_is(_: str) -> bool:
    """For an engine of whose calibration set nothing is known."""
    return False


class FieldStore:
    """Kept frames of one service, held by this process while it is entered. One thread uses it.

    is_unseen: whether the calibration set has next to nothing of a stratum, which decides what a frame counts for.
    """

    def __init__(self, folder: Path, settings: CollectSettings, is_unseen: Callable[[str], bool] = nothing_is) -> None:
        self.folder = folder
        self.removed = 0  # for room, since it was entered
        self.swept: Tuple[str, ...] = ()  # names of files that a kill or a disk had left useless
        self._settings = settings
        self._is_unseen = is_unseen
        self._held: Dict[str, Held] = {}  # oldest first
        self._strata: Dict[str, Tuple[str, ...]] = {}
        self._counts: Counter[str] = Counter()  # stratum -> kept frames
        self._bytes = 0
        self._stack = ExitStack()

    @property
    def kept(self) -> int:
        """Frames on the disk."""
        return len(self._held)

    @property
    def kept_mib(self) -> float:
        """What they take there."""
        return self._bytes / _MIB

    def __enter__(self) -> FieldStore:
        """Take the folder, clear it of what was left half done, and of what is above the quota.

        Raises DeviceError if another process has it, OSError if it cannot be written to.
        """
        with ExitStack() as stack:
            self._make_folder()
            try:
                stack.enter_context(held(self.folder / ".lock", "a service"))
            except LockHeldError as error:
                raise DeviceError(f"frames are kept in {self.folder} by {error.holder} already") from None
            self._take_stock()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def add(self, jpeg: bytes, frame: KeptFrame) -> bool:
        """Keep a frame, for which others may have to go. When this returns it is on the disk; False: it was before.

        frame tells of the jpeg: bytes, SHA-256. Raises DeviceError for one larger than the quota, DeployError if the
        disk is nearly full, OSError if it cannot be written. Nothing of the frame is left then.
        """
        if frame.sha256 in self._held:
            return False
        text = json.dumps(to_wire(frame), ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
        new = self._as_held(frame.sha256, disk_bytes(len(jpeg), len(text)), frame.stream, frame.strata)
        gone = frames_to_remove(new, list(self._held.values()), self._settings)
        if gone is None:
            raise DeviceError(
                f"a frame of {new.bytes / _MIB:.1f} MiB is larger than all that may be kept",
                hint=f"quota_mib: {self._settings.quota_mib} is too little for this camera",
            )
        check_room(self.folder, max(0, new.bytes - sum(frame.bytes for frame in gone)))
        self.remove([frame.sha256 for frame in gone])
        self._write(frame.sha256, jpeg, text)
        self._note(new, frame.strata)
        return True

    def remove(self, digests: Sequence[str]) -> None:
        """Delete frames to make room: first what makes them kept ones. Raises OSError."""
        if not digests:
            return
        for suffix in ("json", "jpg"):
            for sha256 in digests:
                self._path(sha256, suffix).unlink(missing_ok=True)
            fsync_folder(self.folder)
        for sha256 in digests:
            self._bytes -= self._held.pop(sha256).bytes
            self._counts.subtract(self._strata.pop(sha256))
            self.removed += 1

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.stat().st_mode & 0o7777 != _FOLDER_MODE:
            self.folder.chmod(_FOLDER_MODE)  # whatever the umask: pictures of people are for the group, not for all

    def _write(self, sha256: str, jpeg: bytes, text: bytes) -> None:
        try:
            for suffix, content in (("jpg", jpeg), ("json", text)):
                with replacing(self._path(sha256, suffix)) as temporary:
                    temporary.chmod(SERVICE_ONLY)
                    temporary.write_bytes(content)
        except BaseException:
            for suffix in ("json", "jpg"):
                with suppress(OSError):
                    self._path(sha256, suffix).unlink(missing_ok=True)
            raise

    def _take_stock(self) -> None:
        entries = look(self.folder)
        torn = {entry.sha256 for entry in entries if entry.torn}
        self._sweep({entry.sha256 for entry in entries} - torn)
        for entry in entries:
            if entry.sha256 not in torn:
                self._note_found(entry)
        over = frames_over(list(self._held.values()), self._settings.quota_mib * _MIB)
        self.remove([frame.sha256 for frame in over])

    def _sweep(self, whole: AbstractSet[str]) -> None:
        """Delete files half written, and those that belong to no whole frame."""
        names = [path.name for path in self.folder.iterdir()]
        useless = [name for name in names if _UNFINISHED.fullmatch(name) or _belongs_to_none(name, whole)]
        for name in sorted(useless, key=lambda name: not name.endswith(".json")):
            (self.folder / name).unlink(missing_ok=True)
        if useless:
            fsync_folder(self.folder)
        self.swept = tuple(sorted(useless))

    def _note_found(self, entry: Entry) -> None:
        """A frame that another version of edgekit wrote counts too, and goes like others."""
        stream, strata = (entry.frame.stream, entry.frame.strata) if entry.frame else ("", ())
        self._note(self._as_held(entry.sha256, entry.bytes, stream, strata), strata)

    def _as_held(self, sha256: str, room_bytes: int, stream: str, strata: Sequence[str]) -> Held:
        return Held(sha256, room_bytes, stream, counts_for(strata, self._is_unseen, self._counts))

    def _note(self, new: Held, strata: Tuple[str, ...]) -> None:
        self._held[new.sha256] = new
        self._strata[new.sha256] = strata
        self._counts.update(strata)
        self._bytes += new.bytes

    def _path(self, sha256: str, suffix: str) -> Path:
        return self.folder / f"{sha256}.{suffix}"


def _belongs_to_none(name: str, whole: AbstractSet[str]) -> bool:
    found = FRAME_NAME.fullmatch(name)
    return found is not None and found[1] not in whole
