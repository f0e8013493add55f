"""What is really in the pictures of a labelled set: the yardstick of accuracy, and the formats it is read from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.wire import digest
from edgekit.errors import ConfigError, NotFoundError

_MAX_REPORTED_PROBLEMS = 20
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class PictureTruth:
    """One labelled picture. objects are in picture pixels with score 1; crowd boxes (COCO iscrowd)
    neither count nor harm.

    condition is "" where nothing is known about light and weather.
    """

    width_px: int
    height_px: int
    objects: Detections
    condition: str = ""
    crowd: Detections = field(default_factory=Detections.empty)


@dataclass(frozen=True)
class Truth:
    """A labelled set. pictures: file name -> truth, by name; sha256 is over names, sizes, boxes and conditions."""

    dataset: str
    sha256: str
    pictures: Mapping[str, PictureTruth]

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that occur, sorted, without the unknown one."""
        return tuple(sorted({picture.condition for picture in self.pictures.values()} - {""}))


def make_truth(dataset: str, pictures: Mapping[str, PictureTruth]) -> Truth:
    """A Truth with its digest, pictures sorted by name."""
    ordered = {name: pictures[name] for name in sorted(pictures)}
    return Truth(dataset, digest(_document(ordered)), ordered)


def objects_from_boxes(boxes_xyxy: Any, class_ids: Any) -> Detections:
    """Truth as Detections with score 1. boxes (N, 4) left, top, right, bottom in pixels; class_ids (N,)."""
    boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
    return Detections(boxes, np.ones(len(boxes), np.float32), np.asarray(class_ids, np.int32).reshape(-1))


def truth_to_json(truth: Truth) -> dict[str, Any]:
    """The JSON form in which truth is kept beside a rendered set."""
    return {"schema": 1, "dataset": truth.dataset, "pictures": _document(truth.pictures)}


def truth_from_json(data: Any, name: str = "truth") -> Truth:
    """The inverse of `truth_to_json`. Raises ConfigError if `data` is something else."""
    try:
        pictures = {
            file_name: PictureTruth(
                width_px=int(entry["size"][0]),
                height_px=int(entry["size"][1]),
                objects=objects_from_boxes(entry["boxes_xyxy"], entry["class_ids"]),
                condition=str(entry["condition"]),
                crowd=objects_from_boxes(entry["crowd_xyxy"], entry["crowd_ids"]),
            )
            for file_name, entry in data["pictures"].items()
        }
        return make_truth(str(data["dataset"]), pictures)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"{name} is not a truth file", why=f"{type(error).__name__}: {error}") from error


def _document(pictures: Mapping[str, PictureTruth]) -> dict[str, Any]:
    return {
        name: {
            "size": [picture.width_px, picture.height_px],
            "condition": picture.condition,
            "boxes_xyxy": _rounded(picture.objects.boxes_xyxy),
            "class_ids": [int(value) for value in picture.objects.class_ids],
            "crowd_xyxy": _rounded(picture.crowd.boxes_xyxy),
            "crowd_ids": [int(value) for value in picture.crowd.class_ids],
        }
        for name, picture in pictures.items()
    }


def _rounded(boxes_xyxy: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 2) for value in box] for box in boxes_xyxy]


def load_yolo_truth(
    folder: Path,
    images: Sequence[Path],
    labels: Sequence[str],
    *,
    dataset: str = "",
    conditions: Mapping[str, str] | None = None,
) -> Truth:
    """Labels in YOLO form: `<folder>/<picture stem>.txt`, lines "class cx cy w h" in fractions of the picture.

    A picture without a label file holds no objects. conditions: picture file name -> condition.
    Raises ConfigError with file and line for every wrong line, NotFoundError if no picture has a label file.
    Source: Ultralytics documentation, object detection datasets.
    """
    files = {path: folder / f"{path.stem}.txt" for path in images}
    if not any(file.is_file() for file in files.values()):
        raise NotFoundError(
            f"{folder} holds no label file for any of {len(images)} pictures",
            why="each picture NAME.jpg is labelled by NAME.txt in that folder",
            hint="name the folder of the .txt files in the set's set.yaml, under labels:",
        )
    problems: list[str] = []
    pictures = {}
    for path, file in files.items():
        width, height = picture_size(path)
        objects = _read_yolo_file(file, width, height, len(labels), problems) if file.is_file() else Detections.empty()
        pictures[path.name] = PictureTruth(width, height, objects, (conditions or {}).get(path.name, ""))
    _refuse_if(problems, f"{folder}: labels that cannot be read")
    return make_truth(dataset or folder.name, pictures)


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) in px as the picture is shown: turned as its EXIF says. Raises ConfigError if it is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(_EXIF_ORIENTATION, 1) >= 5
            return (picture.height, picture.width) if turned else (picture.width, picture.height)
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigError(f"{path} cannot be read as a picture", why=str(error), hint="remove or replace it") from error


def _read_yolo_file(file: Path, width: int, height: int, classes: int, problems: list[str]) -> Detections:
    rows = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: {error}")
        return Detections.empty()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(_parse_yolo_line(line, classes))
            except ValueError as error:
                problems.append(f"{file}:{number}: {error}, got {line.strip()[:60]!r}")
    if not rows:
        return Detections.empty()
    class_ids, cx, cy, w, h = np.array(rows, np.float64).T
    boxes = np.stack([(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height], 1)
    return objects_from_boxes(boxes, class_ids)


def _parse_yolo_line(line: str, classes: int) -> tuple[float, ...]:
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"expected 5 fields, class cx cy w h, found {len(fields)}")
    try:
        values = tuple(float(text) for text in fields)
    except ValueError:
        raise ValueError("expected numbers") from None
    if not all(np.isfinite(values)):
        raise ValueError("expected finite numbers")
    if values[0] != int(values[0]) or not 0 <= values[0] < classes:
        raise ValueError(f"expected a class from 0 to {classes - 1}")
    if not all(-0.001 <= value <= 1.001 for value in values[1:]):
        raise ValueError("expected fractions of the picture from 0 to 1")
    return values


def load_coco_truth(path: Path, labels: Sequence[str], *, dataset: str = "") -> Truth:
    """Labels in COCO form (instances_*.json); categories are matched to the detector's labels by name.

    An image may carry "condition", a word of ours. Raises ConfigError naming every entry that is wrong, among them
    objects of a category the detector does not know: leaving them out quietly would flatter or harm the figure.
    Source: cocodataset.org, data format, object detection.
    """
    document = _read_json(path)
    try:
        images = {image["id"]: image for image in document["images"]}
        names = {category["id"]: str(category["name"]) for category in document["categories"]}
        annotations = list(document["annotations"])
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is not a COCO file", why=f"images, categories and annotations are needed: {error!r}"
        ) from error
    index_of = {label: index for index, label in enumerate(labels)}
    rows: dict[Any, list[tuple[list[float], int, bool]]] = {key: [] for key in images}
    problems: list[str] = []
    for position, annotation in enumerate(annotations):
        try:
            image_id, row = _coco_row(annotation, images, names, index_of)
            rows[image_id].append(row)
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{path}: annotations[{position}]: {_reason(error)}")
    pictures: dict[str, PictureTruth] = {}
    for image_id, image in images.items():
        try:
            pictures[Path(image["file_name"]).name] = _coco_picture(image, rows[image_id])
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{path}: image {image_id}: {_reason(error)}")
    _refuse_if(problems, f"{path}: entries that cannot be used")
    if len(pictures) != len(images):
        raise ConfigError(f"{path} names {len(images) - len(pictures)} pictures twice", why="file names must differ")
    return make_truth(dataset or path.stem, pictures)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", hint="check labels: in the set's set.yaml") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error)) from error


def _coco_row(
    annotation: Any, images: Mapping[Any, Any], names: Mapping[Any, str], index_of: Mapping[str, int]
) -> tuple[Any, tuple[list[float], int, bool]]:
    image_id, category_id = annotation["image_id"], annotation["category_id"]
    if image_id not in images:
        raise ValueError(f"image_id: no image {image_id!r}")
    if category_id not in names:
        raise ValueError(f"category_id: no category {category_id!r}")
    if names[category_id] not in index_of:
        raise ValueError(f"category {names[category_id]!r} is not among the detector's labels")
    x, y, width, height = (float(value) for value in annotation["bbox"])
    if not (np.isfinite([x, y, width, height]).all() and width >= 0 and height >= 0):
        raise ValueError(f"bbox: expected x, y, width, height in pixels, got {annotation['bbox']}")
    row = ([x, y, x + width, y + height], index_of[names[category_id]], bool(annotation.get("iscrowd", 0)))
    return image_id, row


def _coco_picture(image: Any, rows: Sequence[tuple[list[float], int, bool]]) -> PictureTruth:
    width, height = int(image["width"]), int(image["height"])
    if width < 1 or height < 1:
        raise ValueError(f"width, height: expected at least 1, got {width}, {height}")
    plain = [row for row in rows if not row[2]]
    crowd = [row for row in rows if row[2]]
    return PictureTruth(
        width,
        height,
        objects_from_boxes([row[0] for row in plain], [row[1] for row in plain]),
        str(image.get("condition", "")),
        objects_from_boxes([row[0] for row in crowd], [row[1] for row in crowd]),
    )


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _refuse_if(problems: Sequence[str], what: str) -> None:
    if problems:
        more = len(problems) - _MAX_REPORTED_PROBLEMS
        rest = [f"and {more} more"] if more > 0 else []
        raise ConfigError(what, problems=[*problems[:_MAX_REPORTED_PROBLEMS], *rest])
