"""Labels as people keep them: YOLO folders and COCO files, right ones read right, wrong ones named by file and line."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edgekit.control.evaluation.truth import (
    PictureTruth,
    load_coco_truth,
    load_yolo_truth,
    make_truth,
    objects_from_boxes,
    truth_from_json,
    truth_to_json,
)
from edgekit.errors import ConfigError, NotFoundError

LABELS = ("car", "person")


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / "images" / name for name in ("a.png", "b.jpg")]
    paths[0].parent.mkdir()
    for path in paths:
        cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))
    return paths


def labels_folder(tmp_path, **files: str):
    folder = tmp_path / "labels"
    folder.mkdir()
    for stem, content in files.items():
        (folder / f"{stem}.txt").write_text(content, encoding="utf-8")
    return folder


def test_yolo_fractions_become_pixels_of_the_picture(tmp_path, pictures):
    """Centre and size in fractions, or corners in pixels: mixing them up halves every box."""
    folder = labels_folder(tmp_path, a="0 0.5 0.5 0.5 0.2\n\n1 0.1 0.1 0.1 0.1\n")
    truth = load_yolo_truth(folder, pictures, LABELS, conditions={"a.png": "night"})
    assert list(truth.pictures) == ["a.png", "b.jpg"]
    real = truth.pictures["a.png"]
    assert (real.width_px, real.height_px, real.condition) == (200, 100, "night")
    np.testing.assert_allclose(real.objects.boxes_xyxy, [[50, 40, 150, 60], [10, 5, 30, 15]], atol=1e-4)
    assert real.objects.class_ids.tolist() == [0, 1]


def test_a_picture_without_a_label_file_holds_no_object(tmp_path, pictures):
    """Background pictures are kept: they are what false alarms are counted on."""
    truth = load_yolo_truth(labels_folder(tmp_path, a="0 0.5 0.5 0.5 0.5"), pictures, LABELS)
    assert len(truth.pictures["b.jpg"].objects) == 0


def test_a_picture_turned_by_its_exif_tag_is_measured_upright(tmp_path):
    """The runtime reads it upright, so boxes scaled by the stored size would all be wrong."""
    from PIL import Image

    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(path, exif=exif)
    truth = load_yolo_truth(labels_folder(tmp_path, phone="0 0.5 0.5 1 1"), [path], LABELS)
    height, width = cv2.imread(str(path)).shape[:2]
    assert (
        (truth.pictures["phone.jpg"].width_px, truth.pictures["phone.jpg"].height_px) == (width, height) == (100, 200)
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("0 0.5 0.5 0.5", "expected 5 fields", id="a-field-is-missing"),
        pytest.param("0 0.5 0.5 0.5 0.5 0.5", "expected 5 fields", id="a-polygon-or-a-score"),
        pytest.param("car 0.5 0.5 0.5 0.5", "expected numbers", id="a-name-for-a-class"),
        pytest.param("2 0.5 0.5 0.5 0.5", "class from 0 to 1", id="an-unknown-class"),
        pytest.param("0.5 0.5 0.5 0.5 0.5", "class from 0 to 1", id="half-a-class"),
        pytest.param("0 100 50 20 20", "fractions", id="pixels-for-fractions"),
        pytest.param("0 nan 0.5 0.5 0.5", "finite", id="nan"),
    ],
)
def test_a_wrong_yolo_line_is_named_by_file_and_number(tmp_path, pictures, line, message):
    """Among 5,000 label files nobody finds the wrong line without its place."""
    folder = labels_folder(tmp_path, a="0 0.5 0.5 0.5 0.5\n" + line)
    with pytest.raises(ConfigError) as caught:
        load_yolo_truth(folder, pictures, LABELS)
    assert message in caught.value.problems[0]
    assert "a.txt:2:" in caught.value.problems[0]


def test_all_wrong_lines_are_reported_at_once_up_to_a_limit(tmp_path, pictures):
    """One error per run would take a day; a million lines would fill the terminal."""
    with pytest.raises(ConfigError) as caught:
        load_yolo_truth(labels_folder(tmp_path, a="x\n" * 30), pictures, LABELS)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 10 more"


def test_a_folder_without_any_label_is_not_taken_for_empty_pictures(tmp_path, pictures):
    """A mistyped folder would otherwise say that nothing is to be found anywhere."""
    with pytest.raises(NotFoundError, match="no label file"):
        load_yolo_truth(labels_folder(tmp_path), pictures, LABELS)


def test_a_file_that_is_no_picture_is_named(tmp_path, pictures):
    """A truncated download is common."""
    pictures[0].write_bytes(b"not a picture")
    with pytest.raises(ConfigError, match=r"a\.png cannot be read"):
        load_yolo_truth(labels_folder(tmp_path, a=""), pictures, LABELS)


def coco(tmp_path, **changes):
    document = {
        "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100, "condition": "fog"}],
        "categories": [{"id": 3, "name": "person"}, {"id": 90, "name": "never used"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 50, 50], "iscrowd": 1},
        ],
        **changes,
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_coco_categories_are_matched_by_name_and_boxes_become_corners(tmp_path):
    """COCO's ids are sparse (1 to 90 for 80 classes): matching by number shifts every class."""
    truth = load_coco_truth(coco(tmp_path), LABELS)
    real = truth.pictures["a.png"]
    assert (truth.dataset, real.condition) == ("instances", "fog")
    assert real.objects.boxes_xyxy.tolist() == [[10, 20, 40, 60]]
    assert real.objects.class_ids.tolist() == [1]
    assert real.crowd.boxes_xyxy.tolist() == [[0, 0, 50, 50]]


BOX = {"image_id": 7, "category_id": 3, "bbox": [0, 0, 1, 1]}
IMAGE = {"id": 7, "file_name": "a.png", "width": 200, "height": 100}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"annotations": [{**BOX, "image_id": 8}]}, "annotations[0]: image_id: no image 8", id="no-image"),
        pytest.param({"annotations": [{**BOX, "category_id": 4}]}, "category_id: no category 4", id="no-category"),
        pytest.param({"annotations": [{**BOX, "category_id": 90}]}, "'never used' is not among", id="unknown-label"),
        pytest.param({"annotations": [{**BOX, "bbox": [0, 0, -1, 1]}]}, "bbox: expected", id="negative-width"),
        pytest.param({"annotations": [{**BOX, "bbox": [0, 0, 1]}]}, "annotations[0]", id="three-numbers"),
        pytest.param({"annotations": [{"image_id": 7}]}, "'category_id' is missing", id="missing-field"),
        pytest.param({"images": [{**IMAGE, "width": 0}]}, "image 7: width, height", id="no-width"),
        pytest.param({"images": [{"id": 7, "file_name": "a.png"}]}, "'width' is missing", id="no-size"),
        pytest.param({"images": [IMAGE, {**IMAGE, "id": 8}]}, "twice", id="one-name-for-two-pictures"),
        pytest.param({"images": None}, "is not a COCO file", id="no-images"),
    ],
)
def test_a_wrong_coco_entry_is_named(tmp_path, changes, message):
    """Every refusal says which entry of which file."""
    with pytest.raises(ConfigError) as caught:
        load_coco_truth(coco(tmp_path, **changes), LABELS)
    assert message in str(caught.value)
    assert "instances.json" in str(caught.value)


def test_broken_json_is_named_by_line(tmp_path):
    """The place of a lost comma."""
    path = tmp_path / "labels.json"
    path.write_text('{\n"images": [}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.json:2: not JSON"):
        load_coco_truth(path, LABELS)


def test_truth_survives_being_stored(tmp_path):
    """Rendered sets keep their truth in a file; a second run must find the same digest."""
    picture = PictureTruth(
        64, 48, objects_from_boxes([[1.25, 2, 3, 4]], [1]), "night", objects_from_boxes([[0, 0, 9, 9]], [0])
    )
    truth = make_truth("made-up", {"b.png": picture, "a.png": PictureTruth(64, 48, objects_from_boxes([], []))})
    stored = truth_from_json(json.loads(json.dumps(truth_to_json(truth))))
    assert stored.sha256 == truth.sha256
    assert list(stored.pictures) == ["a.png", "b.png"]
    assert stored.pictures["b.png"].objects.boxes_xyxy.tolist() == [[1.25, 2, 3, 4]]


@pytest.mark.parametrize("data", [[], {}, {"dataset": "x", "pictures": {"a": {}}}, {"dataset": "x", "pictures": []}])
def test_a_stored_truth_that_is_something_else_is_refused(data):
    """A cache file of another version must not end in a traceback."""
    with pytest.raises(ConfigError, match="not a truth file"):
        truth_from_json(data)


@pytest.mark.parametrize("change", ["box", "condition", "size", "name"])
def test_the_digest_changes_with_what_accuracy_depends_on(change):
    """Two figures with one digest are compared: they must come from one truth."""

    def build(box=(0, 0, 5, 5), condition="day", width=64, name="a.png"):
        return make_truth("m", {name: PictureTruth(width, 48, objects_from_boxes([box], [0]), condition)}).sha256

    changes = {
        "box": {"box": (0, 0, 5, 6)},
        "condition": {"condition": "fog"},
        "size": {"width": 65},
        "name": {"name": "b"},
    }
    assert build() != build(**changes[change])
