"""Labels in COCO form: annotations.json, and labels.json of a set.

Source: cocodataset.org, data format, object detection. Boxes are left, top, width, height in pixels of the picture as
it is shown; "score" is of the results format, and "condition" of a picture is a word of ours. Whether a picture shows
nothing or was never looked at cannot be told from it: Label Studio's issue 9774 says so of its own export.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
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
    refuse_problems,
)
from edgekit.control.labels.files import LabelFiles
from edgekit.errors import ConfigError

ANNOTATIONS = "annotations.json"
_DECIMALS = 6  # of a width: a millionth of a pixel


def write(folder: Path, handed: Handed) -> tuple[str, ...]:
    """Write annotations.json. Returns what is to be known of it."""
    files.write_json(folder / ANNOTATIONS, coco_document(handed.classes, handed.pictures, _description(handed)))
    return ()


def coco_document(classes: Sequence[str], pictures: Iterable[HandedPicture], description: str) -> dict[str, Any]:
    """A COCO document of these pictures. Category ids are class ids plus 1; edges keep every digit that they have."""
    listed = list(pictures)
    number_of = {label: number for number, label in enumerate(classes, start=1)}
    boxes = [(number, box) for number, picture in enumerate(listed, start=1) for box in picture.boxes]
    return {
        "info": {"description": description, "version": "1.0"},
        "licenses": [],
        "images": [_image(number, picture) for number, picture in enumerate(listed, start=1)],
        "annotations": [
            _annotation(number, image_id, number_of[box.label], box)
            for number, (image_id, box) in enumerate(boxes, start=1)
        ],
        "categories": [{"id": number, "name": label, "supercategory": ""} for label, number in number_of.items()],
    }


def _description(handed: Handed) -> str:
    return f"pictures of edgekit's set {handed.set_name}"


def _image(number: int, picture: HandedPicture) -> dict[str, Any]:
    said = {"condition": picture.condition} if picture.condition else {}
    return {
        "id": number,
        "file_name": picture.name,
        "width": picture.width_px,
        "height": picture.height_px,
    } | said


def _annotation(number: int, image_id: int, category_id: int, box: LabelBox) -> dict[str, Any]:
    left, top, right, bottom = map(_shortest, box.box_xyxy)
    width, height = round(right - left, _DECIMALS), round(bottom - top, _DECIMALS)
    scored = {"score": round(box.score, 4)} if box.score < 1 else {}
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [left, top, width, height],
        "area": round(width * height, 2),
        "iscrowd": int(box.crowd),
        "segmentation": [],
    } | scored


def _shortest(edge: float) -> float:
    """The shortest number that is read as the same single-precision edge again."""
    return float(str(np.float32(edge)))


def is_coco(document: Any) -> bool:
    """True for a parsed JSON file that looks like labels in COCO form."""
    return isinstance(document, dict) and {"images", "annotations", "categories"} <= document.keys()


def read(found: LabelFiles, name: str) -> ReadLabels:
    """The labels of a COCO file. Raises ConfigError naming every entry that is wrong."""
    document = found.json(name)
    place = found.place(name)
    if not is_coco(document):
        raise ConfigError(f"{place} is not a COCO file", why="images, annotations and categories are needed")
    problems: list[str] = []
    names = dict(_pairs(document["categories"], "categories", "name", place, problems))
    images = dict(_pairs(document["images"], "images", "file_name", place, problems))
    boxes: dict[Any, list[ReadBox]] = {key: [] for key in images}
    for position, entry in enumerate(_list(document["annotations"])):
        where = f"annotations[{position}]"
        try:
            boxes[_known(entry["image_id"], images, "image_id")].append(_box(entry, names, f"{place}: {where}"))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{place}: {where}: {_reason(error)}")
    refuse_problems(f"{place}: entries that cannot be read", problems)
    sizes = {entry["id"]: _size(entry) for entry in _list(document["images"])}
    pictures = [ReadPicture(str(images[key]), sizes[key], tuple(boxes[key])) for key in images]
    return ReadLabels("coco", place, tuple(pictures))


def _pairs(entries: Any, section: str, key: str, place: str, problems: list[str]) -> Iterator[tuple[Any, str]]:
    for position, entry in enumerate(_list(entries)):
        try:
            number, name = entry["id"], entry[key]
        except (KeyError, TypeError) as error:
            problems.append(f"{place}: {section}[{position}]: {_reason(error)}")
            continue
        if isinstance(name, str) and isinstance(number, (int, str)):
            yield number, name
        else:
            problems.append(f"{place}: {section}[{position}]: expected an id and text for {key}")


def _box(entry: Any, names: dict[Any, str], place: str) -> ReadBox:
    label = names[_known(entry["category_id"], names, "category_id")]
    attributes = entry.get("attributes")
    turned = attributes.get("rotation") if isinstance(attributes, dict) else None
    if turned:
        raise ValueError(f"a box turned by {turned} degrees; edgekit's boxes are upright, draw it so")
    numbers = [float(value) for value in entry["bbox"]]
    if len(numbers) != 4:
        raise ValueError(f"bbox: expected x, y, width, height, got {len(numbers)} numbers")
    left, top, width, height = numbers
    return ReadBox(label, (left, top, left + width, top + height), place, bool(entry.get("iscrowd", 0)))


def _known(key: Any, known: dict[Any, str], field: str) -> Any:
    if not isinstance(key, (int, str)) or key not in known:
        raise ValueError(f"{field}: none has the id {str(key)[:40]}")
    return key


def _size(entry: Any) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width > 0 < height else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
