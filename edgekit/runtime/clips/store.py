"""The folder of clips: names, a quota, and nothing left of what a crash cut off.

Only files of our own name pattern are ever counted or deleted.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterator, List, Tuple

from edgekit.core.events import KINDS, Event
from edgekit.errors import UsageError
from edgekit.files import fsync_file, fsync_folder

LEAST_FREE_SHARE = 0.05
# What an encoder may still write after its file was looked at: its buffers, and the index at the end.
_HEADROOM_BYTES = 1 << 20
_STEM = rf"\d{{8}}T\d{{6}}Z-(?:[\w.-]+-)?(?:{'|'.join(KINDS)})-[\w.-]+"
_CLIP = re.compile(rf"{_STEM}\.(?:mp4|json)")
_UNFINISHED = re.compile(rf"\.{_STEM}\.part\.(?:mp4|json)")
_UNFIT_FOR_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_PART_BYTES = 80


class ClipStore:
    """One folder of clips, held by this process until `close`. One thread uses it."""

    def __init__(self, folder: Path, quota_bytes: int) -> None:
        """Take the folder and clear it of unfinished clips, and of the oldest above the quota.

        Raises OSError if it cannot be written to, UsageError if another process records into it.
        """
        self.folder = folder
        self.problem = ""
        """What `lacks_room` said last."""
        self._quota_bytes = quota_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._take()
            self._remove_leftovers()
            self.lacks_room()
        except BaseException:
            self.close()
            raise

    def begin(self, event: Event) -> str:
        """The stem of a new clip's files, which nothing else gets from now on: 20261120T201530Z-yard-enter-gate."""
        when = datetime.fromtimestamp(event.time_unix_s, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        parts = [when, *([_fit(event.stream)] if event.stream else []), event.kind, _fit(event.place)]
        wanted = stem = "-".join(parts)
        count = 1
        while any(path.exists() for path in (self.path(stem, "mp4"), self.unfinished(stem, "mp4"))):
            count += 1
            stem = f"{wanted}_{count}"  # which sorts behind the first
        self.unfinished(stem, "mp4").touch()
        return stem

    def path(self, stem: str, suffix: str) -> Path:
        """Where a finished file lies."""
        return self.folder / f"{stem}.{suffix}"

    def unfinished(self, stem: str, suffix: str) -> Path:
        """Where it is written."""
        return self.folder / f".{stem}.part.{suffix}"

    def complete(self, stem: str, description: str) -> Path:
        """Give a clip its name, durably; what tells of it comes first. Raises OSError."""
        self.unfinished(stem, "json").write_text(description, "utf-8")
        for suffix in ("json", "mp4"):
            fsync_file(self.unfinished(stem, suffix))
            os.replace(self.unfinished(stem, suffix), self.path(stem, suffix))
        fsync_folder(self.folder)
        return self.path(stem, "mp4")

    def drop(self, stem: str) -> None:
        """Remove what there is of an unfinished clip."""
        for path in (self.unfinished(stem, "mp4"), self.unfinished(stem, "json")):
            path.unlink(missing_ok=True)
        if not self.path(stem, "mp4").exists():
            self.path(stem, "json").unlink(missing_ok=True)

    def lacks_room(self) -> bool:
        """True if nothing can be recorded, and why in `problem`. For room the oldest clips may have to go."""
        self.problem = self._look()
        return bool(self.problem)

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._descriptor)

    def _look(self) -> str:
        usage = shutil.disk_usage(self.folder)
        share = usage.free / max(1, usage.total)
        if share < LEAST_FREE_SHARE:
            return (
                f"no clips are recorded into {self.folder}: its disk has {share * 100:.1f} % free, "
                f"{LEAST_FREE_SHARE * 100:.0f} % are to stay free"
            )
        if not self._make_room():
            mib = self._quota_bytes >> 20
            return f"clips are cut short: those being recorded alone fill the {mib} MiB for {self.folder}"
        return ""

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another process records clips into {self.folder}", hint="give each service a folder of its own"
            ) from None
        with tempfile.TemporaryFile(dir=self.folder):
            pass  # a folder that cannot be written to is to be known now, not at the first event

    def _remove_leftovers(self) -> None:
        names = {entry.name for entry in os.scandir(self.folder)}
        for name in names:
            alone = name.endswith(".json") and f"{name[:-5]}.mp4" not in names
            if _UNFINISHED.fullmatch(name) or (alone and _CLIP.fullmatch(name)):
                (self.folder / name).unlink(missing_ok=True)

    def _make_room(self) -> bool:
        """Delete the oldest clips until the rest fits; False if nothing is left to delete."""
        files = list(self._files())
        bytes_held = sum(size for _, size in files) + _HEADROOM_BYTES
        for name, size in sorted(files):
            if bytes_held <= self._quota_bytes:
                return True
            if not name.startswith("."):
                (self.folder / name).unlink(missing_ok=True)
                bytes_held -= size
        return bytes_held <= self._quota_bytes

    def _files(self) -> Iterator[Tuple[str, int]]:
        """(name, bytes) of our files, unfinished ones too."""
        for entry in os.scandir(self.folder):
            if _CLIP.fullmatch(entry.name) or _UNFINISHED.fullmatch(entry.name):
                try:
                    yield entry.name, entry.stat().st_size
                except FileNotFoundError:
                    continue  # someone tidies up as well


def clips_in(folder: Path) -> List[Path]:
    """The finished clips of a folder, oldest first."""
    return sorted(path for path in folder.glob("*.mp4") if _CLIP.fullmatch(path.name))


def _fit(text: str) -> str:
    """Text fit for a part of a file's name."""
    fitting = _UNFIT_FOR_NAMES.sub("_", text).strip("._-") or "_"
    return fitting.encode()[:_LONGEST_PART_BYTES].decode("utf-8", "ignore")
