"""Labels in YOLO form: labels/NAME.txt for each picture, lines "class cx cy w h" in shares of the picture, data.yaml.

Source: Ultralytics documentation, object detection datasets. Read are also the layouts of CVAT's "YOLO 1.1" (obj.names,
obj_train_data/) and of Label Studio (classes.txt). There is no crowd and no score. A file without lines is what tools
write for a picture that shows nothing and for one that nobody looked at alike.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edgekit import files
from edgekit.control.labels.boxes import (
    Handed,
    HandedPicture,
    LabelBox,
    ReadBox,
    ReadLabels,
    ReadPicture,
    has_crowd,
    refuse_problems,
)
from edgekit.control.labels.files import LabelFiles
from edgekit.control.yaml_files import parse_yaml
from edgekit.core.labels import labels_from_mapping, parse_labels_txt
from edgekit.errors import ConfigError, UsageError

LABELS = "labels"
_CLASS_FILES = ("classes.txt", "obj.names", "labels.txt")
_DATA_FILES = ("data.yaml", "dataset.yaml", "data.yml")
_OTHER_TEXTS = frozenset({*_CLASS_FILES, "train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt"})


def write(folder: Path, handed: Handed) -> tuple[str, ...]:
    """Write labels/, classes.txt and data.yaml. Returns what the format cannot hold.

    Raises UsageError for two pictures that differ in their ending only: both would be labelled by one file.
    """
    _refuse_shared_stems(handed)
    (folder / LABELS).mkdir()
    for picture in handed.pictures:
        if picture.origin != "none":
            lines = "".join(_line(handed, picture, box) for box in picture.boxes if not box.crowd)
            (folder / LABELS / f"{Path(picture.name).stem}.txt").write_text(lines, encoding="utf-8")
    files.write_bytes(folder / "classes.txt", "".join(f"{label}\n" for label in handed.classes).encode("utf-8"))
    files.write_bytes(folder / "data.yaml", _data_yaml(handed).encode("utf-8"))
    return tuple(_lost(handed))


def _lost(handed: Handed) -> list[str]:
    lost = ["scores: YOLO has none"] if any(picture.origin == "detector" for picture in handed.pictures) else []
    crowds = ["crowd boxes: YOLO has none; when you import, those of the set stay"]
    return lost + (crowds if has_crowd(handed.pictures) else [])


def _refuse_shared_stems(handed: Handed) -> None:
    seen: dict[str, str] = {}
    for picture in handed.pictures:
        other = seen.setdefault(Path(picture.name).stem, picture.name)
        if other != picture.name:
            raise UsageError(
                f"{other} and {picture.name} would both be labelled by {Path(picture.name).stem}.txt",
                hint="choose another format: --format coco",
            )


def _line(handed: Handed, picture: HandedPicture, box: LabelBox) -> str:
    left, top, right, bottom = box.box_xyxy
    width, height = picture.width_px, picture.height_px
    shares = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height)
    return f"{handed.classes.index(box.label)} {' '.join(f'{share:.8f}' for share in shares)}\n"


def _data_yaml(handed: Handed) -> str:
    import yaml

    # Without path: Ultralytics starts from the folder of this file; "." would be the one it is started in.
    document = {"train": "images", "val": "images", "names": dict(enumerate(handed.classes))}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def label_texts(found: LabelFiles) -> tuple[str, ...]:
    """The names of the files that label pictures."""
    return tuple(name for name in found.named(".txt") if not _is_other(PurePosixPath(name)))


def _is_other(path: PurePosixPath) -> bool:
    """True for the lists beside labels; within the folder of labels train.txt belongs to a picture train.jpg."""
    within = any(part == LABELS or part.startswith("obj_") for part in path.parts[:-1])
    return path.name.lower() in _OTHER_TEXTS and not within


def read(found: LabelFiles) -> ReadLabels:
    """The labels of a YOLO dataset. Raises ConfigError with file and line of everything that is wrong."""
    classes = _classes(found)
    texts = label_texts(found)
    if not texts:
        raise ConfigError(f"{found.path} holds no label file", why="each picture NAME.jpg is labelled by NAME.txt")
    problems: list[str] = []
    pictures = []
    for name in texts:
        stem = str(PurePosixPath(name).with_suffix(""))
        pictures.append(ReadPicture(stem, None, _boxes(found, name, classes, problems)))
    refuse_problems(f"{found.path}: lines that cannot be read", problems)
    return ReadLabels("yolo", str(found.path), tuple(pictures), in_shares=True, has_crowd=False, name_is_stem=True)


def _classes(found: LabelFiles) -> tuple[str, ...]:
    by_last = {PurePosixPath(name).name.lower(): name for name in reversed(found.names)}
    for last in _CLASS_FILES:
        if last in by_last:
            return parse_labels_txt(found.text(by_last[last]))
    for last in _DATA_FILES:
        if last in by_last:
            document: Any = parse_yaml(found.text(by_last[last]), found.place(by_last[last]))
            if isinstance(document, dict) and "names" in document:
                return labels_from_mapping(document["names"])
    raise ConfigError(
        f"{found.path} does not name its classes",
        hint="put a classes.txt there, one name a line, in the order of the tool's class numbers",
    )


def _boxes(found: LabelFiles, name: str, classes: tuple[str, ...], problems: list[str]) -> tuple[ReadBox, ...]:
    boxes = []
    for number, line in enumerate(found.text(name).splitlines(), start=1):
        if line.strip():
            place = f"{found.place(name)}:{number}"
            try:
                boxes.append(_box(line.split(), classes, place))
            except ValueError as error:
                problems.append(f"{place}: {error}, got {line.strip()[:60]!r}")
    return tuple(boxes)


def _box(fields: list[str], classes: tuple[str, ...], place: str) -> ReadBox:
    if len(fields) == 6:
        raise ValueError("six fields: a detector's answers with their scores, not labels")
    if len(fields) > 6:
        raise ValueError("more than five fields: a polygon, a turned box or key points, not an upright box")
    try:
        class_id, cx, cy, width, height = (float(text) for text in fields)
    except ValueError:
        raise ValueError("expected class cx cy w h") from None
    if not np.isfinite([class_id, cx, cy, width, height]).all():
        raise ValueError("expected finite numbers")
    if class_id != int(class_id) or not 0 <= class_id < len(classes):
        raise ValueError(f"expected a class from 0 to {len(classes) - 1}")
    return ReadBox(classes[int(class_id)], (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2), place)
