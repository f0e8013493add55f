"""`calib import`: labels that come back from a labelling tool, checked, compared with what was given out, and kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit import files
from edgekit.control.labels.boxes import (
    Format,
    HandedPicture,
    ReadLabels,
    ReadPicture,
    refuse_problems,
)
from edgekit.control.labels.changes import Changes, compare
from edgekit.control.labels.checks import box_problem, class_problems, cut_to, in_pixels, other_size
from edgekit.control.labels.coco import coco_document
from edgekit.control.labels.formats import read_labels
from edgekit.control.labels.labelled_sets import LabelledSet, load_labelled
from edgekit.control.labels.merge import CamePicture, ClassChanges, Merged, merge
from edgekit.control.labels.picture_names import PictureNames
from edgekit.control.labels.record import ExportRecord, find_record
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import SET_FILE
from edgekit.control.sets.writing import with_labels
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError

LABELS_FILE, LABELS_BEFORE = "labels.json", "labels.before.json"

_GUESSES = 20  # nearest names that are looked for: with thousands it takes minutes
_FEW_BOXES = 10  # below it, all of them being elsewhere may be chance


@dataclass(frozen=True)
class ImportWanted:
    """What to take. detector: the name of the one whose classes they are; "none": the file's own, whatever they are.

    reviewed: every picture was looked at. skip_unknown: leave out pictures that the set does not have.
    """

    path: Path
    form: Format | None = None
    detector: str | None = None
    reviewed: bool = False
    skip_unknown: bool = False


@dataclass(frozen=True)
class Imported:
    """What came back. compared_with: the folder of the export, or "" where only the set's own labels were there.

    Lists are names of pictures, as of `merge.Merged`; unknown: what the file calls pictures that the set does not
    have. labels_before and labels_after: labelled pictures of the set.
    """

    name: str
    format: str
    path: str
    compared_with: str
    pictures: int
    set_pictures: int
    labels_before: int
    labels_after: int
    labelled: tuple[str, ...]
    changed: tuple[str, ...]
    same: int
    unseen: tuple[str, ...]
    skipped: tuple[str, ...]
    overruled: tuple[str, ...]
    unknown: tuple[str, ...]
    classes: tuple[ClassChanges, ...]
    renamed: Mapping[str, int]
    crowd_changed: int
    notes: tuple[str, ...]
    labels: str
    written: bool


def import_labels(
    project: Project, name: str, wanted: ImportWanted, on_progress: OnProgress, *, write: bool = True
) -> Imported:
    """Check labels and join them with the set's, in labels.json beside set.yaml, which names it. All is written
    or nothing.

    Raises ConfigError with every box, class and picture that cannot be used; what `read_labels` and `load_labelled` do.
    """
    read = read_labels(wanted.path, wanted.form)
    theirs = {box.label for picture in read.pictures for box in picture.boxes} if wanted.detector == "none" else ()
    labelled = load_labelled(project, name, wanted.detector, on_progress, sorted(theirs))
    record = find_record(project, name, read.format, wanted.path)
    given = {picture.name: picture for picture in record.pictures} if record else {}
    came, unknown = _came(read, labelled, given, wanted)
    merged = merge(labelled.pictures, given, came, reviewed=wanted.reviewed)
    written = write and merged.any
    if written:
        _write(labelled, merged)
    return _imported(read, labelled, record, merged, unknown, written)


def _came(
    read: ReadLabels, labelled: LabelledSet, given: Mapping[str, HandedPicture], wanted: ImportWanted
) -> tuple[dict[str, tuple[CamePicture, Changes]], tuple[str, ...]]:
    """The pictures of the set that came back, and what the file calls those that the set does not have."""
    names = PictureNames(labelled.pictures)
    problems = list(class_problems(read, labelled.classes))
    came: dict[str, tuple[CamePicture, Changes]] = {}
    unknown: list[str] = []
    for picture in read.pictures:
        name = names.find(picture.name, is_stem=read.name_is_stem)
        if name is None:
            unknown.append(picture.name)
        elif name in came:
            problems.append(f"{read.path}: {picture.name}: a second entry for the picture {name}")
        else:
            base = given.get(name, labelled.pictures[name])
            came[name] = _back(read, picture, labelled.pictures[name], base, problems)
    _refuse_unfit(read, labelled, names, problems, () if wanted.skip_unknown else unknown)
    if not came:
        raise UsageError(
            f"{read.path} labels no picture of set {labelled.made.name}",
            why=f"it labels {', '.join(unknown[:3]) or 'nothing'}",
        )
    return came, tuple(unknown)


def _refuse_unfit(
    read: ReadLabels, labelled: LabelledSet, names: PictureNames, problems: Sequence[str], unknown: Sequence[str]
) -> None:
    strangers = [
        f"{read.path}: {one}: the set has no such picture{_guess(names, one) if at < _GUESSES else ''}"
        for at, one in enumerate(unknown)
    ]
    hint = "--skip-unknown    (leaves pictures out that the set does not have)" if strangers else ""
    refuse_problems(f"{read.path}: labels that do not fit set {labelled.made.name}", [*problems, *strangers], hint)


def _guess(names: PictureNames, given: str) -> str:
    nearest = names.nearest(given)
    return f"; {nearest}" if nearest else ""


def _back(
    read: ReadLabels, picture: ReadPicture, now: HandedPicture, base: HandedPicture, problems: list[str]
) -> tuple[CamePicture, Changes]:
    """A picture's boxes in pixels, what changed in it, and into `problems` what is wrong with those that are new."""
    size = (now.width_px, now.height_px)
    if picture.size_px is not None and picture.size_px != size:
        problems.append(f"{read.path}: {picture.name}: {other_size(picture.size_px, size)}")
    crowds = () if read.has_crowd else tuple(box for box in base.boxes if box.crowd)
    finite = [box for box in picture.boxes if all(map(math.isfinite, box.box_xyxy))]
    if len(finite) < len(picture.boxes):
        problems += [f"{box.place}: expected finite numbers" for box in picture.boxes if box not in finite]
    boxes = (*(in_pixels(box, read.in_shares, size) for box in finite), *crowds)
    changes = compare(base.boxes, boxes)
    after = list(changes.after)
    for index in (fresh for fresh in changes.fresh if fresh < len(finite)):
        problem = box_problem(boxes[index], size, read)
        if problem:
            problems.append(f"{finite[index].place}: {problem}")
        after[index] = replace(after[index], box_xyxy=cut_to(boxes[index].box_xyxy, size))
    return CamePicture(tuple(after), picture.looked_at), replace(changes, after=tuple(after))


def _write(labelled: LabelledSet, merged: Merged) -> None:
    """labels.json first: a set.yaml that names a file which is not there could not be read."""
    folder = labelled.wanted.folder
    path = folder / LABELS_FILE
    place = f"calib_sets/{labelled.made.name}/{SET_FILE}"
    pictures = [picture for picture in merged.pictures.values() if picture.labelled]
    description = f"labels of edgekit's set {labelled.made.name}; edgekit calib import writes this file"
    try:
        text = with_labels((folder / SET_FILE).read_bytes().decode("utf-8"), LABELS_FILE, place)
        if path.exists():
            files.write_bytes(folder / LABELS_BEFORE, path.read_bytes())
        files.write_json(path, coco_document(labelled.classes, pictures, description))
        files.write_bytes(folder / SET_FILE, text.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None


def _imported(
    read: ReadLabels,
    labelled: LabelledSet,
    record: ExportRecord | None,
    merged: Merged,
    unknown: tuple[str, ...],
    written: bool,
) -> Imported:
    return Imported(
        name=labelled.made.name,
        format=read.format,
        path=read.path,
        compared_with=record.out if record else "",
        pictures=len(read.pictures) - len(unknown),
        set_pictures=len(labelled.pictures),
        labels_before=labelled.labelled,
        labels_after=sum(picture.labelled for picture in merged.pictures.values()),
        labelled=tuple(merged.labelled),
        changed=tuple(merged.changed),
        same=len(merged.same),
        unseen=tuple(merged.unseen),
        skipped=tuple(merged.skipped),
        overruled=tuple(merged.overruled),
        unknown=unknown,
        classes=merged.classes,
        renamed=merged.renamed,
        crowd_changed=merged.crowd_changed,
        notes=(*read.notes, *_notes(merged)),
        labels=str(labelled.wanted.folder / LABELS_FILE),
        written=written,
    )


def _notes(merged: Merged) -> Iterator[str]:
    given = sum(row.given for row in merged.classes)
    gone = sum(row.removed for row in merged.classes)
    came = sum(row.added for row in merged.classes)
    if given >= _FEW_BOXES and min(gone, came) > 0.9 * given:
        yield f"{gone} of {given} boxes are gone and {came} others came: are they in other units, or of other pictures?"
