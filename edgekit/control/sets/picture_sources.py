"""Where the pictures of a set come from: folders, globs, lists, and frames of videos."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.sets.picture_files import PICTURE_SUFFIXES
from edgekit.control.sets.video_frames import extract_frames
from edgekit.core.progress import OnProgress
from edgekit.errors import ConfigError, NotFoundError

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".ts"})


@dataclass(frozen=True)
class PictureSource:
    """One of folder, glob, list_file and video is set. Relative paths start at `base`, the folder of set.yaml.

    every_s: seconds between two frames of a video. tags: of every picture in it. name: what its pictures' names begin
    with, "" for none.
    """

    base: Path
    folder: str | None = None
    glob: str | None = None
    list_file: str | None = None
    video: str | None = None
    every_s: float = 1.0
    tags: tuple[str, ...] = ()
    name: str = ""

    @property
    def root(self) -> Path:
        """The folder that names in the set are relative to; the first sub-folder below it is the condition."""
        if self.folder is not None:
            return self._path(self.folder)
        if self.list_file is not None or self.video is not None:
            return self._path(self.list_file or self.video or "").parent
        fixed = []
        for part in Path(self.glob or "").expanduser().parts[:-1]:
            if glob.has_magic(part):
                break
            fixed.append(part)
        return self._path(str(Path(*fixed)))

    @property
    def given(self) -> str:
        """The path as set.yaml has it."""
        return self.folder or self.glob or self.list_file or self.video or ""

    def _path(self, text: str) -> Path:
        return Path(os.path.normpath(self.base.resolve() / Path(text).expanduser()))

    def find(self, cache: Path, on_progress: OnProgress) -> list[FoundPicture]:
        """Every picture, sorted; folders are searched to the bottom, frames of a video are written to the cache.

        Raises NotFoundError for a missing folder, list or video, ConfigError for a list naming what is not there,
        CalibrationError for a video that gives no frame.
        """
        if self.video is not None:
            return self._frames(cache, on_progress)
        if not self.root.is_dir():
            raise NotFoundError(f"no folder {self.root}", hint=f"correct {self.base / 'set.yaml'}")
        if self.list_file is not None:
            return [self._found(path) for path in self._listed()]
        found: Iterable[Path] = self.root.rglob("*") if self.folder is not None else _glob(self._path(self.glob or ""))
        return [self._found(path) for path in sorted(found) if is_picture(path)]

    def _frames(self, cache: Path, on_progress: OnProgress) -> list[FoundPicture]:
        video = self._path(self.video or "")
        frames = extract_frames(video, self.every_s, cache, on_progress)
        group = f"video:{video}"
        prefix = self.name or video.stem
        return [FoundPicture(path, Path(f"{prefix}__{path.name}"), "", self.tags, group) for path in frames]

    def _found(self, path: Path) -> FoundPicture:
        relative = _below(path, self.root)
        condition = relative.parts[0] if len(relative.parts) > 1 else ""
        named = Path(self.name, relative) if self.name else relative
        return FoundPicture(path, named, condition, self.tags, "")

    def _listed(self) -> list[Path]:
        path = self._path(self.list_file or "")
        try:
            lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
        except FileNotFoundError:
            raise NotFoundError(f"no file {path}", hint=f"correct {self.base / 'set.yaml'}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from None
        paths = [path.parent / Path(line).expanduser() for line in lines if line and not line.startswith("#")]
        missing = [f"{path}: no file {entry}" for entry in paths if not entry.is_file()]
        if missing:
            raise ConfigError(f"{path} names {len(missing)} pictures that are not there", problems=missing[:20])
        return sorted(set(paths))


@dataclass(frozen=True)
class FoundPicture:
    """A picture before it is read. relative: its place below the source, from which its name in the set is made.

    condition: its first sub-folder, or "". group: what it must not be parted from when a set is split, or "".
    """

    path: Path
    relative: Path
    condition: str
    tags: tuple[str, ...]
    group: str

    @property
    def name(self) -> str:
        """Its name in the set: "folder__picture.jpg"."""
        return "__".join(self.relative.parts)


def is_picture(path: Path) -> bool:
    """True for a file whose ending is that of a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()


def _below(path: Path, root: Path) -> Path:
    """A path relative to the root; a picture of a list may lie elsewhere, there its last folder and name count."""
    try:
        return path.relative_to(root)
    except ValueError:
        return Path(*path.parts[-2:]) if len(path.parts) > 2 else Path(path.name)


def _glob(pattern: Path) -> list[Path]:
    # Path.glob cannot start from an absolute pattern.
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207
