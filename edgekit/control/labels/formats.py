"""Which form of labels lies at a path, and the code that reads and writes each."""

from __future__ import annotations

from pathlib import Path

from edgekit.control.labels import coco, cvat, label_studio, yolo
from edgekit.control.labels.boxes import Format, Handed, ReadLabels
from edgekit.control.labels.files import LabelFiles, open_labels
from edgekit.errors import UsageError

RECORD_NAME = "edgekit-export.json"
MAIN_FILES = {
    "coco": coco.ANNOTATIONS,
    "yolo": f"{yolo.LABELS}/",
    "cvat": cvat.ANNOTATIONS,
    "label-studio": label_studio.TASKS,
}


def write_labels(folder: Path, handed: Handed, form: Format, served_as: str) -> tuple[str, ...]:
    """Write the label files of that form into a folder. Returns what the form cannot hold, in sentences."""
    if form == "coco":
        return coco.write(folder, handed)
    if form == "yolo":
        return yolo.write(folder, handed)
    if form == "cvat":
        return cvat.write(folder, handed)
    return label_studio.write(folder, handed, served_as)


def read_labels(path: Path, form: Format | None) -> ReadLabels:
    """The labels at a path: a file, a folder or a ZIP archive. form: None to find it out.

    Raises NotFoundError if there is nothing, UsageError if it is of no known form or of several, ConfigError for
    entries that are wrong.
    """
    found = open_labels(path)
    places = _places(found)
    wanted = form or _only_form(path, places)
    if wanted == "yolo":
        return yolo.read(found)
    names = places.get(wanted, [])
    if len(names) != 1:
        raise UsageError(
            f"{path} holds {'no file' if not names else f'{len(names)} files'} of {wanted} labels",
            why=", ".join(names[:5]),
            hint="name the file itself",
        )
    if wanted == "coco":
        return coco.read(found, names[0])
    return cvat.read(found, names[0]) if wanted == "cvat" else label_studio.read(found, names[0])


def _only_form(path: Path, places: dict[Format, list[str]]) -> Format:
    if len(places) == 1:
        return next(iter(places))
    if not places:
        raise UsageError(
            f"{path} holds no labels of a known form",
            why="known: COCO (.json), YOLO (.txt), CVAT for images 1.1 (.xml), Label Studio (JSON), also in ZIP files",
            hint="if you know what it is, say so: --format coco",
        )
    raise UsageError(
        f"{path} holds labels of several forms: {', '.join(sorted(places))}",
        hint="name the file itself, or the form: --format coco",
    )


def _places(found: LabelFiles) -> dict[Format, list[str]]:
    """Form -> the files that are of it."""
    places: dict[Format, list[str]] = {}
    for name in found.named(".xml"):
        if cvat.is_cvat(found.text(name)):
            places.setdefault("cvat", []).append(name)
    for name in found.named(".json"):
        form = None if name.rsplit("/", 1)[-1] == RECORD_NAME else _json_form(found, name)
        if form is not None:
            places.setdefault(form, []).append(name)
    if yolo.label_texts(found):
        places["yolo"] = ["labels"]
    return places


def _json_form(found: LabelFiles, name: str) -> Format | None:
    """coco or label-studio, or None for another file. Raises ConfigError for one that cannot be read."""
    document = found.json(name)
    if coco.is_coco(document):
        return "coco"
    return "label-studio" if label_studio.is_label_studio(document) else None
