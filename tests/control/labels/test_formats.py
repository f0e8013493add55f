"""What is in an export is what its tools read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
import yaml
from faster_coco_eval import COCO

from edgekit.control.labels.exporting import ExportWanted, export_labels
from edgekit.control.labels.files import open_labels
from edgekit.control.labels.yolo import label_texts
from tests.made_up_labels import BOXES, labelled_project
from tests.made_up_sets import quiet

NIGHT, YARD, TURNED, NOTHING = BOXES


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The folder that holds an export of each form, named like it."""
    project = labelled_project(tmp_path_factory.mktemp("project"))
    for form in ("coco", "yolo", "cvat", "label-studio"):
        export_labels(project, "yard", ExportWanted(form, project.root / form), quiet)
    return project.root


def test_coco_is_read_by_the_library_that_measures_with_it(exports):
    """Ids from 1, as its tools count on; pictures are named as in images/."""
    coco = COCO(str(exports / "coco/annotations.json"))
    assert {image["file_name"] for image in coco.imgs.values()} == set(BOXES)
    assert all((exports / "coco/images" / image["file_name"]).is_file() for image in coco.imgs.values())
    assert [coco.cats[number]["name"] for number in sorted(coco.cats)] == ["car", "person"]
    (turned,) = (image for image in coco.imgs.values() if image["file_name"] == TURNED)
    (box,) = coco.loadAnns(coco.getAnnIds(imgIds=[turned["id"]]))
    assert (turned["width"], turned["height"], box["bbox"]) == (180, 320, [40.0, 100.0, 80.0, 210.0])


def test_yolo_has_a_file_for_each_labelled_picture_and_names_its_classes(exports):
    """Ultralytics finds labels/x.txt for images/x.jpg, and the folder from where data.yaml lies."""
    data = yaml.safe_load((exports / "yolo/data.yaml").read_text())
    assert data == {"train": "images", "val": "images", "names": {0: "car", 1: "person"}}
    assert {path.name for path in (exports / "yolo/labels").iterdir()} == {
        "Hof süd 1.txt",
        "night__0001.txt",
        "nothing.txt",
        "turned.txt",
    }
    numbers = (exports / "yolo/labels/turned.txt").read_text().split()
    assert list(map(float, numbers)) == pytest.approx([1, 80 / 180, 205 / 320, 80 / 180, 210 / 320])
    assert (exports / "yolo/labels/nothing.txt").read_text() == ""


def test_cvat_finds_what_its_importer_asks_for(exports):
    """occluded, label and the four edges of a box; id and name of a picture; labels and attributes of the task."""
    root = ET.parse(exports / "cvat/annotations.xml").getroot()
    assert (root.tag, root.findtext("version")) == ("annotations", "1.1")
    images = {image.get("name"): image for image in root.findall("image")}
    assert [image.get("id") for image in root.findall("image")] == ["0", "1", "2", "3"]
    (box,) = images[TURNED].findall("box")
    assert {key: box.get(key) for key in ("label", "occluded", "xtl", "ytl", "xbr", "ybr", "source")} == {
        "label": "person",
        "occluded": "0",
        "xtl": "40.00",
        "ytl": "100.00",
        "xbr": "120.00",
        "ybr": "310.00",
        "source": "manual",
    }
    assert [tag.get("label") for tag in images[NOTHING].findall("tag")] == ["empty"]
    labels = json.loads((exports / "cvat/cvat_labels.json").read_text())
    assert [(label["name"], label["type"]) for label in labels] == [
        ("car", "rectangle"),
        ("person", "rectangle"),
        ("empty", "tag"),
    ]
    (crowd,) = (entry for box in images[YARD].findall("box") for entry in box.findall("attribute"))
    assert crowd.get("name") in {attribute["name"] for attribute in labels[1]["attributes"]}


def test_label_studio_gets_addresses_that_it_can_serve_and_percent(exports):
    """The address is quoted; its path begins below the document root that the README names."""
    tasks = {
        task["data"]["picture"]: task for task in json.loads((exports / "label-studio/tasks.json").read_text("utf-8"))
    }
    assert tasks[YARD]["data"]["image"] == "/data/local-files/?d=label-studio/images/Hof%20s%C3%BCd%201.jpg"
    assert f"LOCAL_FILES_DOCUMENT_ROOT={exports} " in (exports / "label-studio/README.txt").read_text("utf-8")
    (result,) = tasks[TURNED]["annotations"][0]["result"]
    assert (result["original_width"], result["original_height"]) == (180, 320)
    assert {key: round(result["value"][key], 3) for key in ("x", "y", "width", "height")} == {
        "x": 22.222,
        "y": 31.25,
        "width": 44.444,
        "height": 65.625,
    }
    assert tasks[NOTHING]["annotations"] == [{"result": []}]
    config = ET.parse(exports / "label-studio/labeling_config.xml").getroot()
    assert [label.get("value") for label in config.iter("Label")] == ["car", "person"]
    names = {element.get("name") for element in config.iter() if element.get("name")}
    used = {
        part[key]
        for task in tasks.values()
        for part in task["annotations"][0]["result"]
        for key in ("from_name", "to_name")
    }
    assert used == names


def test_a_picture_called_train_has_labels_too(tmp_path):
    """train.txt is a list of pictures beside labels, and labels of train.jpg among them."""
    for name in ("train.txt", "classes.txt", "labels/train.txt", "labels/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert label_texts(open_labels(tmp_path)) == ("labels/a.txt", "labels/train.txt")
