"""Sets of pictures on disk: found, read once to know that they can be, and shown as one flat folder of links."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.control.sets.duplicates import NEAR_BITS, first_of_each
from edgekit.control.sets.picture_files import PICTURE_SUFFIXES, PictureFile, examine_all
from edgekit.control.sets.picture_sources import FoundPicture, PictureSource
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest
from edgekit.errors import CalibrationError, ConfigError, NotFoundError

__all__ = ["PICTURE_SUFFIXES", "PictureSource", "PictureView", "link_folder", "view_labels", "view_pictures"]


Duplicates = Literal["keep", "exact", "near"]


@dataclass(frozen=True)
class PictureView:
    """A flat folder of links to the usable pictures. All mappings are by the name in that folder."""

    folder: Path
    digests: Mapping[str, str]
    conditions: Mapping[str, str]
    labels: Mapping[str, Path]  # where the label file of a picture lies below a folder of label files
    skipped: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]]  # of its source
    groups: Mapping[str, str]  # "" where a picture may be parted from every other


def view_pictures(
    name: str,
    sources: Sequence[PictureSource],
    cache: Path,
    on_progress: OnProgress,
    *,
    duplicates: Duplicates = "keep",
) -> PictureView:
    """The pictures of a set. A file that was read before and has kept size and time is not read again.

    duplicates: which are left out; near ones include equal ones. A picture below sub-folders is called
    "folder__picture.jpg". Raises NotFoundError for a missing folder, ConfigError for two pictures of one name,
    CalibrationError if there is no picture or none can be used.
    """
    found = [picture for source in sources for picture in source.find(cache, on_progress)]
    if not found:
        looked = ", ".join(str(source.root) for source in sources)
        raise CalibrationError(
            f"set {name} has no pictures: nothing in {looked} ends in {', '.join(sorted(PICTURE_SUFFIXES))}",
            hint=f"put pictures there, or correct {sources[0].base / 'set.yaml'}",
        )
    read = examine_all(name, [picture.path for picture in found], cache, on_progress)
    skipped = [f"{picture.path}: {read[picture.path].problem}" for picture in found if read[picture.path].problem]
    usable = [picture for picture in found if not read[picture.path].problem]
    if not usable:
        raise CalibrationError(f"none of the {len(found)} pictures of set {name} can be used", why=skipped[0])
    _check_names(name, usable)
    if duplicates != "keep":
        usable, repeated = _without_duplicates(usable, read, NEAR_BITS if duplicates == "near" else -1)
        skipped += repeated
    return _view(name, usable, read, cache, skipped)


def _view(
    name: str, usable: Sequence[FoundPicture], read: Mapping[Path, PictureFile], cache: Path, skipped: Sequence[str]
) -> PictureView:
    digests = {picture.name: read[picture.path].sha256 for picture in usable}
    return PictureView(
        folder=link_folder(name, {picture.name: picture.path for picture in usable}, digests, cache),
        digests=digests,
        conditions={picture.name: picture.condition for picture in usable},
        labels={picture.name: picture.relative.with_suffix(".txt") for picture in usable},
        skipped=tuple(skipped),
        tags={picture.name: picture.tags for picture in usable},
        groups={picture.name: picture.group for picture in usable},
    )


def _check_names(name: str, usable: Sequence[FoundPicture]) -> None:
    seen: dict[str, FoundPicture] = {}
    for picture in usable:
        other = seen.setdefault(picture.name, picture)
        if other is not picture:
            raise ConfigError(
                f"two pictures of set {name} would both be called {picture.name}",
                why=f"{other.path} and {picture.path}",
                hint="give one of the sources another name: in set.yaml",
            )


def _without_duplicates(
    usable: Sequence[FoundPicture], read: Mapping[Path, PictureFile], bits: int
) -> tuple[list[FoundPicture], list[str]]:
    by_name = {picture.name: picture for picture in usable}
    facts = {name: read[picture.path] for name, picture in by_name.items()}
    shown = first_of_each(
        list(by_name), {n: fact.sha256 for n, fact in facts.items()}, {n: fact.hash for n, fact in facts.items()}, bits
    )
    same = {name: facts[name].sha256 == facts[first].sha256 for name, first in shown.items()}
    lines = [
        f"{by_name[name].path}: {'the same picture as' if same[name] else 'shows nearly the same as'} "
        f"{by_name[first].path}"
        for name, first in shown.items()
    ]
    return [picture for picture in usable if picture.name not in shown], lines


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


def link_folder(name: str, targets: Mapping[str, Path], digests: Mapping[str, str], cache: Path) -> Path:
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
