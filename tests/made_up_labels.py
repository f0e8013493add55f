"""A small labelled set, and what labelling tools make of an export of it. Written apart from the code that reads it."""

from __future__ import annotations

import functools
import json
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
from PIL import Image

from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise
from tests.made_up_sets import make_project, quiet, save_scene

CLASSES = ("car", "person")
FORMATS = ("coco", "yolo", "cvat", "label-studio")
SIZES = {
    "night__0001.jpg": (320, 180),
    "Hof süd 1.jpg": (320, 180),
    "turned.jpg": (180, 320),
    "nothing.jpg": (320, 180),
}
PLACES = {"night__0001.jpg": "night/0001.jpg"}
BOXES = {
    "night__0001.jpg": [("car", (10.25, 20.5, 110.75, 90.0)), ("person", (200.0, 30.0, 230.0, 120.0))],
    "Hof süd 1.jpg": [("car", (5.0, 5.0, 60.0, 45.0)), ("car", (100.0, 60.0, 180.0, 120.0))],
    "turned.jpg": [("person", (40.0, 100.0, 120.0, 310.0))],
    "nothing.jpg": [],
}
CROWD = ("person", (150.0, 10.0, 300.0, 60.0))  # in "Hof süd 1.jpg"
SET_YAML = """# pictures of the yard
images: {folder: images}   # below this folder
labels:
  # drawn by hand
  coco: annotations.json
origin: the yard
"""


def labelled_project(root: Path, *, labels: bool = True) -> Project:
    """A project with the set yard: pictures below a folder, with umlauts, turned by EXIF, and one that is empty."""
    project = make_project(root, detector=False)
    folder = project.calib_sets_dir / "yard"
    for name, content in _pictures().items():
        path = folder / "images" / PLACES.get(name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if labels:
        (folder / "annotations.json").write_text(json.dumps(_coco()), encoding="utf-8")
        (folder / "set.yaml").write_text(SET_YAML, encoding="utf-8")
    else:
        (folder / "set.yaml").write_text("images: {folder: images}\n", encoding="utf-8")
    return project


@functools.lru_cache(maxsize=1)
def _pictures() -> dict[str, bytes]:
    """The files of the pictures by name, drawn once."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: save_scene(Path(folder, name), "day", number) for number, name in enumerate(SIZES)}
        _turn(paths["turned.jpg"])
        return {name: path.read_bytes() for name, path in paths.items()}


def _turn(path: Path) -> None:
    """The same file with an EXIF orientation: whoever shows it turns it to 180 x 320."""
    with Image.open(path) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif)
    assert cv2.imread(str(path)).shape[:2] == (320, 180)


def _coco() -> dict:
    numbers = {name: number for number, name in enumerate(BOXES, start=7)}
    rows = [(numbers[name], label, box, 0) for name, boxes in BOXES.items() for label, box in boxes]
    rows.append((numbers["Hof süd 1.jpg"], *CROWD, 1))
    return {
        "images": [
            {"id": numbers[name], "file_name": name, "width": SIZES[name][0], "height": SIZES[name][1]}
            for name in BOXES
        ],
        "categories": [{"id": 3, "name": "car"}, {"id": 5, "name": "person"}],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": {"car": 3, "person": 5}[label],
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "iscrowd": crowd,
            }
            for number, (image, label, box, crowd) in enumerate(rows)
        ],
    }


def truth_of(project: Project, name: str = "yard") -> dict[str, list]:
    """Picture -> its boxes, as the set has them now: (label, edges, crowd), in an order of their own."""
    made = materialise(project, load_set(project, name), quiet, CLASSES)
    assert made.truth is not None
    return {
        picture: sorted(
            (CLASSES[number], tuple(round(edge, 2) for edge in box), crowd)
            for found, crowd in ((truth.objects, False), (truth.crowd, True))
            for box, number in zip(found.boxes_xyxy.tolist(), found.class_ids.tolist(), strict=True)
        )
        for picture, truth in made.truth.pictures.items()
    }


class Tool:
    """A labelling tool that has read an export: change `boxes`, then save what the tool would give back.

    boxes: picture -> [label, [left, top, right, bottom] in px] for each box. submitted: pictures that somebody settled,
    which only Label Studio tells; empty: pictures tagged so in CVAT.
    """

    def __init__(self, form: str, folder: Path) -> None:
        self.form, self.folder = form, folder
        self.boxes: dict[str, list] = getattr(self, "_read_" + form.replace("-", "_"))()
        self.submitted = set(self.boxes)
        self.empty: set[str] = set()

    def save(self, path: Path) -> Path:
        """Write the tool's own export. Returns the path to import."""
        return getattr(self, "_save_" + self.form.replace("-", "_"))(path)

    def _read_coco(self) -> dict[str, list]:
        self.document = json.loads((self.folder / "annotations.json").read_text("utf-8"))
        names = {image["id"]: image["file_name"] for image in self.document["images"]}
        labels = {category["id"]: category["name"] for category in self.document["categories"]}
        boxes: dict[str, list] = {name: [] for name in names.values()}
        for entry in self.document["annotations"]:
            x, y, w, h = entry["bbox"]
            boxes[names[entry["image_id"]]].append(
                [labels[entry["category_id"]], [x, y, x + w, y + h], {"iscrowd": entry["iscrowd"]}]
            )
        return boxes

    def _save_coco(self, path: Path) -> Path:
        numbers = {category["name"]: category["id"] for category in self.document["categories"]}
        for image in self.document["images"]:
            image.pop("condition", None)
        self.document["annotations"] = [
            {
                "id": 1 + number,
                "image_id": image["id"],
                "category_id": numbers.setdefault(label, 99),
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "area": 1,
                "attributes": {"occluded": False, "rotation": 0.0},
                **(extra[0] if extra else {"iscrowd": 0}),
            }
            for number, (image, (label, box, *extra)) in enumerate(
                (image, one) for image in self.document["images"] for one in self.boxes[image["file_name"]]
            )
        ]
        self.document["categories"] = [{"id": number, "name": name} for name, number in numbers.items()]
        path.mkdir()
        (path / "instances_default.json").write_text(json.dumps(self.document), encoding="utf-8")
        return path / "instances_default.json"

    def _read_yolo(self) -> dict[str, list]:
        classes = (self.folder / "classes.txt").read_text("utf-8").splitlines()
        boxes: dict[str, list] = {}
        for picture in sorted((self.folder / "images").iterdir()):
            file = self.folder / "labels" / f"{picture.stem}.txt"
            lines = file.read_text("utf-8").splitlines() if file.exists() else []
            width, height = SIZES[picture.name]
            boxes[picture.name] = []
            for number, cx, cy, w, h in (map(float, line.split()) for line in lines):
                left, top, right, bottom = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
                edges = [left * width, top * height, right * width, bottom * height]
                boxes[picture.name].append([classes[int(number)], edges])
        return boxes

    def _save_yolo(self, path: Path) -> Path:
        (path / "obj_train_data").mkdir(parents=True)
        labels = list(dict.fromkeys([*CLASSES, *(one[0] for boxes in self.boxes.values() for one in boxes)]))
        (path / "obj.names").write_text("\n".join(labels))
        for name, boxes in self.boxes.items():
            width, height = SIZES[name]
            lines = [
                f"{labels.index(label)} {(left + right) / 2 / width:.6f} {(top + bottom) / 2 / height:.6f} "
                f"{(right - left) / width:.6f} {(bottom - top) / height:.6f}\n"
                for label, (left, top, right, bottom), *_ in boxes
            ]
            (path / "obj_train_data" / f"{Path(name).stem}.txt").write_text("".join(lines), encoding="utf-8")
        return path

    def _read_cvat(self) -> dict[str, list]:
        self.root = ET.parse(self.folder / "annotations.xml").getroot()
        return {
            image.get("name"): [
                [
                    box.get("label"),
                    [float(box.get(key)) for key in ("xtl", "ytl", "xbr", "ybr")],
                    {entry.get("name"): entry.text for entry in box.findall("attribute")},
                ]
                for box in image.findall("box")
            ]
            for image in self.root.findall("image")
        }

    def _save_cvat(self, path: Path) -> Path:
        meta = ET.Element("meta")
        ET.SubElement(ET.SubElement(meta, "task"), "name").text = "yard"
        self.root.insert(1, meta)
        for image in self.root.findall("image"):
            for old in image.findall("box"):
                image.remove(old)
            for label, edges, *extra in self.boxes[image.get("name")]:
                places = {key: f"{edge:.2f}" for key, edge in zip(("xtl", "ytl", "xbr", "ybr"), edges, strict=True)}
                box = ET.SubElement(image, "box", label=label, source="manual", occluded="0", z_order="0", **places)
                for key, text in (extra[0] if extra else {"crowd": "false", "score": ""}).items():
                    ET.SubElement(box, "attribute", name=key).text = text
            if image.get("name") in self.empty:
                ET.SubElement(image, "tag", label="empty", source="manual")
        path.mkdir()
        ET.ElementTree(self.root).write(path / "annotations.xml", encoding="utf-8", xml_declaration=True)
        return path / "annotations.xml"

    def _read_label_studio(self) -> dict[str, list]:
        self.tasks = json.loads((self.folder / "tasks.json").read_text("utf-8"))
        boxes: dict[str, list] = {}
        for task in self.tasks:
            (given,) = task.get("annotations") or task.get("predictions") or [{"result": []}]
            crowds = {entry["id"] for entry in given["result"] if entry["type"] == "choices"}
            width, height = SIZES[task["data"]["picture"]]
            boxes[task["data"]["picture"]] = [
                [
                    value["rectanglelabels"][0],
                    [
                        value["x"] * width / 100,
                        value["y"] * height / 100,
                        (value["x"] + value["width"]) * width / 100,
                        (value["y"] + value["height"]) * height / 100,
                    ],
                    {"crowd": entry["id"] in crowds},
                ]
                for entry in given["result"]
                if entry["type"] == "rectanglelabels"
                for value in [entry["value"]]
            ]
        return boxes

    def _save_label_studio(self, path: Path) -> Path:
        for number, task in enumerate(self.tasks, start=1):
            name = task["data"]["picture"]
            task["id"] = number
            task["annotations"] = [
                {
                    "id": 100 + number,
                    "was_cancelled": name not in self.submitted,
                    "ground_truth": False,
                    "updated_at": "2026-11-21T00:00:00Z",
                    "result": [
                        part for at, one in enumerate(self.boxes[name]) for part in self._results(name, at, one)
                    ],
                }
            ]
        path.mkdir()
        (path / "project-1.json").write_text(json.dumps(self.tasks), encoding="utf-8")
        return path / "project-1.json"

    def _results(self, name: str, at: int, one: list) -> list[dict]:
        (width, height), (label, (left, top, right, bottom), *extra) = SIZES[name], one
        place = {
            "x": 100 * left / width,
            "y": 100 * top / height,
            "width": 100 * (right - left) / width,
            "height": 100 * (bottom - top) / height,
            "rotation": 0,
        }
        common = {"id": f"r{at}", "original_width": width, "original_height": height, "to_name": "image"}
        value = place | {"rectanglelabels": [label]}
        results = [common | {"from_name": "label", "type": "rectanglelabels", "origin": "manual", "value": value}]
        if extra and extra[0].get("crowd"):
            crowd = place | {"choices": ["crowd"]}
            results.append(common | {"from_name": "crowd", "type": "choices", "value": crowd})
        return results
