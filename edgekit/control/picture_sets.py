"""Sets of pictures on disk: found, read once to know that they can be, and shown as one flat folder of links."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest
from edgekit.errors import CalibrationError, NotFoundError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_UNREADABLE = ""  # stands for the digest of a file that is no picture


@dataclass(frozen=True)
class PictureSource:
    """Where pictures are looked for. Relative paths start at `base`, the folder of set.yaml."""

    base: Path
    folder: str | None
    glob: str | None

    @property
    def root(self) -> Path:
        """The folder that names in the set are relative to; the first sub-folder below it is the condition."""
        if self.folder is not None:
            return self.base / Path(self.folder).expanduser()
        fixed = []
        for part in Path(self.glob or "").expanduser().parts[:-1]:
            if glob.has_magic(part):
                break
            fixed.append(part)
        return self.base.joinpath(*fixed)

    def find(self) -> list[Path]:
        """Every picture, sorted; folders are searched to the bottom. Raises NotFoundError for a missing folder."""
        if not self.root.is_dir():
            raise NotFoundError(f"no folder {self.root}", hint=f"correct images: in {self.base / 'set.yaml'}")
        found: Iterable[Path] = (
            self.root.rglob("*") if self.folder is not None else _glob(self.base / Path(self.glob or "").expanduser())
        )
        return sorted(path for path in found if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


@dataclass(frozen=True)
class PictureView:
    """A flat folder of links to the readable pictures. All mappings are by the name in that folder."""

    folder: Path
    digests: Mapping[str, str]
    conditions: Mapping[str, str]
    labels: Mapping[str, Path]  # where the label file of a picture lies below a folder of label files
    skipped: tuple[str, ...]


def view_pictures(name: str, source: PictureSource, cache: Path, on_progress: OnProgress) -> PictureView:
    """The pictures of a set. A file that was read before and has kept size and time is not read again.

    A picture below sub-folders is called "folder__picture.jpg". Raises NotFoundError for a missing folder,
    CalibrationError if there is no picture or none can be read.
    """
    paths = source.find()
    if not paths:
        raise CalibrationError(
            f"set {name} has no pictures: nothing in {source.root} ends in {', '.join(sorted(PICTURE_SUFFIXES))}",
            hint=f"put pictures there, or correct images: in {source.base / 'set.yaml'}",
        )
    known = _digests(name, paths, cache, on_progress)
    relatives = {path: path.relative_to(source.root) for path in paths if known[path] != _UNREADABLE}
    if not relatives:
        raise CalibrationError(f"none of the {len(paths)} pictures of set {name} can be read", why=f"first: {paths[0]}")
    names = {path: "__".join(relative.parts) for path, relative in relatives.items()}
    digests = {names[path]: known[path] for path in names}
    return PictureView(
        folder=_link(name, {names[path]: path for path in names}, digests, cache),
        digests=digests,
        conditions={names[path]: _condition(relative) for path, relative in relatives.items()},
        labels={names[path]: relative.with_suffix(".txt") for path, relative in relatives.items()},
        skipped=tuple(f"{path}: not a picture that OpenCV can read" for path in paths if path not in relatives),
    )


def _condition(relative: Path) -> str:
    return relative.parts[0] if len(relative.parts) > 1 else ""


def _glob(pattern: Path) -> list[Path]:
    # Path.glob cannot start from an absolute pattern.
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207


def view_labels(view: PictureView, folder: Path) -> Path:
    """A folder of links to label files, named as the pictures of the view. Raises NotFoundError without `folder`."""
    if not folder.is_dir():
        raise NotFoundError(f"no folder {folder}", hint="check labels: in the set's set.yaml")
    found = {Path(name).stem + ".txt": folder / path for name, path in view.labels.items()}
    target = view.folder.parent / "labels"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name, path in found.items():
        if path.is_file():
            (target / name).symlink_to(path.resolve())
    return target


def _digests(name: str, paths: list[Path], cache: Path, on_progress: OnProgress) -> dict[Path, str]:
    """SHA-256 of each picture, "" for those that cannot be read; remembered by path, size and time of change."""
    remembered = _read_memory(cache / f"{name}.digests.json")
    digests: dict[Path, str] = {}
    memory: dict[str, list[object]] = {}
    for done, path in enumerate(paths, start=1):
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        old = remembered.get(str(path), [])
        if old[:2] != stamp:
            on_progress(f"reading set {name}", done, len(paths))
        digests[path] = str(old[2]) if old[:2] == stamp else _digest_if_picture(path)
        memory[str(path)] = [*stamp, digests[path]]
    if memory != remembered:
        files.write_json(cache / f"{name}.digests.json", memory)
    return digests


def _read_memory(path: Path) -> dict[str, list[object]]:
    try:
        memory = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(memory, dict):
        return {}
    return {key: entry for key, entry in memory.items() if isinstance(entry, list) and len(entry) == 3}


def _digest_if_picture(path: Path) -> str:
    import cv2

    try:
        readable = cv2.imread(str(path), cv2.IMREAD_COLOR) is not None
        return files.sha256_file(path) if readable else _UNREADABLE
    except (cv2.error, OSError):
        return _UNREADABLE


def _link(name: str, targets: Mapping[str, Path], digests: Mapping[str, str], cache: Path) -> Path:
    """A folder named by what it shows; an existing one is used again if every link still leads to its picture."""
    key = digest([[file_name, digests[file_name], str(path)] for file_name, path in sorted(targets.items())])[:12]
    folder = cache / f"{name}-{key}" / "images"
    if _shows(folder, targets):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".images-", suffix=".part", dir=folder.parent))
    try:
        for file_name, path in targets.items():
            (part / file_name).symlink_to(path.resolve())
        shutil.rmtree(folder, ignore_errors=True)
        part.chmod(0o755)
        part.rename(folder)
    except OSError:
        if not _shows(folder, targets):  # else another process made the same folder first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _shows(folder: Path, targets: Mapping[str, Path]) -> bool:
    try:
        links = {entry.name: Path(entry.path).readlink() for entry in os.scandir(folder)}
    except OSError:
        return False
    return links == {name: path.resolve() for name, path in targets.items()}
