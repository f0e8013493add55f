"""Labels as Label Studio has them: tasks.json to import, labeling_config.xml for the project, its JSON export back.

Source: Label Studio documentation, "Import pre-annotated data", "Export annotations" (JSON) and "Local storage". Edges
are percent of the picture as it is shown. A detector's boxes are predictions, the set's labels annotations, so a task
that nobody submitted has none; one that was submitted without a box shows nothing; a skipped one says was_cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

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

TASKS, CONFIG = "tasks.json", "labeling_config.xml"
_BOXES, _PICTURE, _CROWD = "label", "image", "crowd"  # names of the tags of the configuration
_PERCENT_DECIMALS = 8
_NO_REGIONS = frozenset({"choices", "taxonomy", "textarea", "rating", "number", "datetime", "relation"})


def write(folder: Path, handed: Handed, served_as: str) -> tuple[str, ...]:
    """Write tasks.json and labeling_config.xml. served_as: the folder's name below Label Studio's document root."""
    tasks = [_task(number, picture, handed, served_as) for number, picture in enumerate(handed.pictures, start=1)]
    files.write_json(folder / TASKS, tasks)
    files.write_bytes(folder / CONFIG, _config(handed.classes).encode("utf-8"))
    return ()


def _config(classes: tuple[str, ...]) -> str:
    labels = "".join(f"    <Label value={quoteattr(label)}/>\n" for label in classes)
    return f"""<View>
  <Image name="{_PICTURE}" value="$image" zoom="true"/>
  <RectangleLabels name="{_BOXES}" toName="{_PICTURE}" canRotate="false">
{labels}  </RectangleLabels>
  <Choices name="{_CROWD}" toName="{_PICTURE}" perRegion="true" choice="multiple">
    <Choice value="{_CROWD}"/>
  </Choices>
</View>
"""


def _task(number: int, picture: HandedPicture, handed: Handed, served_as: str) -> dict[str, Any]:
    address = f"/data/local-files/?d={quote(f'{served_as}/images/{picture.name}')}"
    results = [part for index, box in enumerate(picture.boxes) for part in _results(f"p{number}b{index}", picture, box)]
    task: dict[str, Any] = {"data": {"image": address, "picture": picture.name}}
    if picture.labelled:
        task["annotations"] = [{"result": results}]
    elif picture.boxes:
        mean = sum(box.score for box in picture.boxes) / len(picture.boxes)
        task["predictions"] = [{"model_version": handed.detector, "score": round(mean, 4), "result": results}]
    return task


def _results(region: str, picture: HandedPicture, box: LabelBox) -> Iterator[dict[str, Any]]:
    left, top, right, bottom = box.box_xyxy
    place = {
        "x": round(100 * left / picture.width_px, _PERCENT_DECIMALS),
        "y": round(100 * top / picture.height_px, _PERCENT_DECIMALS),
        "width": round(100 * (right - left) / picture.width_px, _PERCENT_DECIMALS),
        "height": round(100 * (bottom - top) / picture.height_px, _PERCENT_DECIMALS),
        "rotation": 0,
    }
    common = {
        "id": region,
        "to_name": _PICTURE,
        "original_width": picture.width_px,
        "original_height": picture.height_px,
        "image_rotation": 0,
    }
    scored = {"score": round(box.score, 4)} if box.score < 1 else {}
    labelled = place | {"rectanglelabels": [box.label]}
    yield common | {"from_name": _BOXES, "type": "rectanglelabels", "value": labelled} | scored
    if box.crowd:
        yield common | {"from_name": _CROWD, "type": "choices", "value": place | {"choices": [_CROWD]}}


def is_label_studio(document: Any) -> bool:
    """True for a parsed JSON file that looks like Label Studio's tasks, also in the form that lacks too much."""
    return isinstance(document, list) and bool(document) and all(_is_task(task) for task in document)


def _is_task(task: Any) -> bool:
    return isinstance(task, dict) and ("data" in task or "annotation_id" in task or "image" in task)


def read(found: LabelFiles, name: str) -> ReadLabels:
    """The labels of a JSON export. Raises ConfigError naming every entry that is wrong."""
    tasks = found.json(name)
    place = found.place(name)
    if not is_label_studio(tasks):
        raise ConfigError(f"{place} is not Label Studio's JSON", why="expected a list of tasks, each with its data")
    if any("data" not in task for task in tasks):
        raise ConfigError(
            f"{place} is JSON-MIN of Label Studio",
            why="it does not tell a picture that shows nothing from one that was skipped",
            hint="export the project as JSON",
        )
    problems: list[str] = []
    notes: list[str] = []
    pictures = []
    for position, task in enumerate(tasks):
        try:
            pictures.append(_picture(task, f"{place}: task {task.get('id', position)}", problems, notes))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{place}: task {task.get('id', position)}: {_reason(error)}")
    refuse_problems(f"{place}: entries that cannot be used", problems)
    return ReadLabels("label-studio", place, tuple(pictures), in_shares=True, notes=tuple(notes))


def _picture(task: dict[str, Any], place: str, problems: list[str], notes: list[str]) -> ReadPicture:
    name = _picture_name(task["data"])
    given = task.get("annotations") or []
    if not all(isinstance(entry, dict) for entry in given):
        raise ValueError("annotations: numbers only; export the annotations themselves")
    settled = [entry for entry in given if not entry.get("was_cancelled")]
    if not settled:
        return ReadPicture(name, None, (), looked_at=False)
    chosen = max(settled, key=lambda entry: (bool(entry.get("ground_truth")), str(entry.get("updated_at", ""))))
    if len(settled) > 1:
        notes.append(f"{name}: {len(settled)} annotations; the ground truth, or else the newest, was taken")
    results = [entry for entry in chosen.get("result") or [] if isinstance(entry, dict)]
    crowds = {entry.get("id") for entry in results if _marks_crowd(entry)}
    boxes, sizes = [], set()
    for entry in results:
        if entry.get("type") in _NO_REGIONS:
            continue
        try:
            boxes.append(_box(entry, entry.get("id") in crowds, place))
            sizes.add((int(entry["original_width"]), int(entry["original_height"])))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{place} ({name}): {_reason(error)}")
    return ReadPicture(name, next(iter(sizes)) if len(sizes) == 1 else None, tuple(boxes), looked_at=True)


def _marks_crowd(entry: dict[str, Any]) -> bool:
    value = entry.get("value")
    return entry.get("from_name") == _CROWD and isinstance(value, dict) and _CROWD in (value.get("choices") or [])


def _box(entry: dict[str, Any], crowd: bool, place: str) -> ReadBox:
    if entry["type"] != "rectanglelabels":
        raise ValueError(f"a region of type {entry['type']!r}; edgekit knows upright boxes only, draw it as one")
    if entry.get("image_rotation"):
        raise ValueError(f"the picture was turned by {entry['image_rotation']} degrees in the editor; turn it back")
    value = entry["value"]
    if value.get("rotation"):
        raise ValueError(f"a box turned by {value['rotation']} degrees; edgekit's boxes are upright, draw it so")
    labels = value.get("rectanglelabels") or []
    if len(labels) != 1:
        raise ValueError(f"a box with {len(labels)} labels, expected one")
    left, top, width, height = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
    return ReadBox(str(labels[0]), (left, top, left + width, top + height), place, crowd)


def _picture_name(data: Any) -> str:
    """The name that we gave the task, or the end of the address of its picture."""
    if isinstance(data.get("picture"), str):
        return str(data["picture"])
    address = next((value for value in data.values() if isinstance(value, str) and "/" in value), None)
    if address is None:
        raise ValueError("data names no picture")
    split = urlsplit(address)
    local = parse_qs(split.query).get("d")
    return local[0] if local else unquote(split.path)


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
