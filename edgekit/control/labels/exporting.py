"""`calib export`: a set's pictures and labels, or a detector's proposals, in a folder for a labelling tool."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from edgekit import files
from edgekit.control.detectors import Detector
from edgekit.control.labels.boxes import Format, Handed, HandedPicture, LabelBox
from edgekit.control.labels.formats import MAIN_FILES, RECORD_NAME, write_labels
from edgekit.control.labels.guides import guide
from edgekit.control.labels.labelled_sets import LabelledSet, load_labelled, proposals
from edgekit.control.labels.record import kept_record, new_record, write_record
from edgekit.control.project import Project
from edgekit.control.sets.coverage import choose_detector
from edgekit.control.sets.writing import absolute
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError

PICTURES = "images"


@dataclass(frozen=True)
class ExportWanted:
    """What to give out. detector: the name of the one whose boxes pictures without labels begin with.

    pictures: as links to where they lie, or as copies. only_unlabelled: pictures that nobody labelled. anew: without
    the labels that the set has.
    """

    form: Format
    out: Path
    detector: str | None = None
    pictures: Literal["link", "copy"] = "link"
    only_unlabelled: bool = False
    anew: bool = False


@dataclass(frozen=True)
class Exported:
    """What was given out. pictures: all of them; labelled: with the set's labels; proposed: with a detector's boxes.

    labels: where the file or folder of labels is; lost: what the form cannot hold.
    """

    name: str
    format: str
    out: str
    labels: str
    pictures: int
    labelled: int
    proposed: int
    boxes: int
    classes: tuple[str, ...]
    detector: str
    lost: tuple[str, ...]
    written: bool


def export_labels(
    project: Project, name: str, wanted: ExportWanted, on_progress: OnProgress, *, write: bool = True
) -> Exported:
    """Write pictures, labels and a guide into a new folder, whole or not at all, and keep what was given out.

    Raises UsageError for a folder that holds something, or that cannot be written; what `load_labelled` raises.
    """
    out = absolute(wanted.out)
    _refuse_taken(out)
    labelled = load_labelled(project, name, wanted.detector, on_progress)
    proposing = choose_detector(project, name, wanted.detector) if wanted.detector else None
    handed = _handed(labelled, wanted, proposing, on_progress)
    if not handed.pictures:
        raise UsageError(f"every picture of set {name} is labelled", hint="leave --unlabelled out to export them all")
    lost: tuple[str, ...] = ()
    try:
        with tempfile.TemporaryDirectory(prefix=".edgekit-labels-", dir=_parent(out, write)) as work:
            part = Path(work) / "part"
            part.mkdir()
            lost = write_labels(part, handed, wanted.form, out.name)
            if write:
                _finish(project, part, out, labelled, handed, wanted, on_progress)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", hint="--out DIR    (another place)") from None
    return _exported(handed, wanted, out, lost, write)


def _refuse_taken(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()) or (out.is_dir() and any(out.iterdir())):
        raise UsageError(
            f"{out} holds something already",
            why="labels that somebody may have worked on are never replaced",
            hint="--out DIR    (a new folder)",
        )


def _parent(out: Path, write: bool) -> str | None:
    """Where the folder grows: beside its place, so that it gets there at once; of a dry run elsewhere."""
    if not write:
        return None
    out.parent.mkdir(parents=True, exist_ok=True)
    return str(out.parent)


def _handed(labelled: LabelledSet, wanted: ExportWanted, detector: Detector | None, on_progress: OnProgress) -> Handed:
    pictures = {
        name: replace(picture, origin="none", boxes=()) if wanted.anew else picture
        for name, picture in labelled.pictures.items()
        if not (wanted.only_unlabelled and picture.labelled)
    }
    if detector is not None:
        bare = [name for name, picture in pictures.items() if not picture.labelled]
        found = proposals(detector, labelled, bare, on_progress)
        pictures |= _with_proposals(pictures, found)
    named = detector.name if detector else ""
    return Handed(labelled.made.name, labelled.classes, tuple(pictures.values()), named)


def _with_proposals(
    pictures: Mapping[str, HandedPicture], found: Mapping[str, tuple[LabelBox, ...]]
) -> dict[str, HandedPicture]:
    return {name: replace(pictures[name], origin="detector", boxes=boxes) for name, boxes in found.items() if boxes}


def _finish(
    project: Project,
    part: Path,
    out: Path,
    labelled: LabelledSet,
    handed: Handed,
    wanted: ExportWanted,
    on_progress: OnProgress,
) -> None:
    """Add pictures, guide and record, and move the folder to its place."""
    _place_pictures(part / PICTURES, labelled.made.folder, handed, wanted.pictures, on_progress)
    files.write_bytes(part / "README.txt", guide(handed, wanted.form, out).encode("utf-8"))
    made_utc = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = labelled.made
    record = new_record(made.name, made.sha256, wanted.form, made_utc, out, handed.detector, handed.pictures)
    write_record(part / RECORD_NAME, record)
    project.ensure_state()
    part.chmod(0o755)
    part.rename(out)
    files.fsync_folder(out.parent)
    write_record(kept_record(project, made.name, wanted.form), record)


def _place_pictures(
    folder: Path, source: Path, handed: Handed, how: Literal["link", "copy"], on_progress: OnProgress
) -> None:
    folder.mkdir()
    for done, picture in enumerate(handed.pictures, start=1):
        original = (source / picture.name).resolve()
        if how == "link":
            (folder / picture.name).symlink_to(original)
        else:
            shutil.copyfile(original, folder / picture.name)
            on_progress("copying pictures", done, len(handed.pictures))


def _exported(handed: Handed, wanted: ExportWanted, out: Path, lost: tuple[str, ...], written: bool) -> Exported:
    return Exported(
        name=handed.set_name,
        format=wanted.form,
        out=str(out),
        labels=str(out / MAIN_FILES[wanted.form]),
        pictures=len(handed.pictures),
        labelled=sum(picture.labelled for picture in handed.pictures),
        proposed=sum(picture.origin == "detector" for picture in handed.pictures),
        boxes=sum(len(picture.boxes) for picture in handed.pictures),
        classes=handed.classes,
        detector=handed.detector,
        lost=lost,
        written=written,
    )
