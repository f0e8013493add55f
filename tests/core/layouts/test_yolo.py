"""YOLOv5/v7 and v8-12 heads against the published formulas, one anchor at a time."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.layouts import decode
from edgekit.errors import LayoutError

ANCHORS = 126
CLASSES = [1, 2, 80]


def corners(cx, cy, w, h):
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def head(seed, channels, anchors=ANCHORS):
    """Random rows (2, anchors, channels): boxes in pixels, then scores of which few are high."""
    random = np.random.default_rng(seed)
    rows = random.random((2, anchors, channels)) ** 3
    rows[:, :, :4] = random.uniform(1, 90, (2, anchors, 4))
    return rows.astype(np.float32)


def yolov5_reference(rows, nc, confidence):
    """conf = obj * cls; the best class of each anchor (utils/general.py, non_max_suppression)."""
    found = []
    for row in rows:
        scores = [row[4] * row[5 + k] for k in range(nc)]
        best = max(range(nc), key=lambda k: scores[k])
        if scores[best] >= confidence:
            found.append((corners(*row[:4]), scores[best], best))
    return found


def yolov8_reference(columns, nc, confidence):
    """The best class of each anchor; the scores are final."""
    found = []
    for anchor in range(columns.shape[1]):
        scores = [columns[4 + k, anchor] for k in range(nc)]
        best = max(range(nc), key=lambda k: scores[k])
        if scores[best] >= confidence:
            found.append((corners(*columns[:4, anchor]), scores[best], best))
    return found


@pytest.mark.parametrize("nc", CLASSES)
@pytest.mark.parametrize("layout", ["yolov5", "yolox-decoded"])
def test_rows_with_objectness_decode_as_published(layout, nc, same, context):
    """Dropping the objectness factor, or taking column 4 for class 0, shows many wrong boxes."""
    rows = head(nc, 5 + nc, 3 * ANCHORS)
    expected = [yolov5_reference(picture, nc, 0.5) for picture in rows]
    assert all(expected)
    same(decode(layout, {"output": rows}, context(nc)), expected)


@pytest.mark.parametrize("nc", CLASSES)
def test_columns_without_objectness_decode_as_published(nc, same, context):
    """The commonest layout of all, and the one with the fastest, least obvious code."""
    columns = np.ascontiguousarray(head(nc, 4 + nc).transpose(0, 2, 1))
    expected = [yolov8_reference(picture, nc, 0.5) for picture in columns]
    assert all(expected)
    same(decode("yolov8", {"output0": columns}, context(nc)), expected)


@pytest.mark.parametrize("nc", CLASSES)
def test_the_transposed_form_gives_the_same_objects(nc, same, context):
    """Some exporters transpose for the reader's convenience."""
    rows = head(nc, 4 + nc)
    expected = [yolov8_reference(picture.T, nc, 0.5) for picture in rows]
    same(decode("yolov8-transposed", {"output0": rows}, context(nc)), expected)


@pytest.mark.parametrize("extra", [32, 51], ids=["32 mask coefficients", "17 keypoints"])
@pytest.mark.parametrize("layout, before, axis", [("yolov8", 4, 1), ("yolov8-transposed", 4, 2), ("yolov5", 5, 2)])
def test_values_after_the_classes_are_ignored(layout, before, axis, extra, same, context):
    """A mask coefficient above every score must not become an object of class 81."""
    plain = head(5, before + 2)
    wide = np.concatenate([plain, np.full((2, ANCHORS, extra), 9, np.float32)], axis=2)
    prototypes = np.zeros((2, extra, 16, 24), np.float32)
    first, second = (array if axis == 2 else array.transpose(0, 2, 1) for array in (plain, wide))
    one, other = decode(layout, {"a": first}, context(2)), decode(layout, {"a": second, "b": prototypes}, context(2))
    same(other, [list(zip(found.boxes_xyxy, found.scores, found.class_ids)) for found in one])


@pytest.mark.parametrize("layout", ["yolov8", "yolov8-transposed", "yolov5"])
def test_halves_decode_as_the_same_numbers_in_single_precision(layout, same, context):
    """An FP16 engine may give halves; their maximum is taken over bits, and must still be the maximum."""
    rows = head(11, 85).astype(np.float16)
    rows[0, :5, 4:] = 0
    rows[1, ::2, 10] = -0.0
    table = rows.transpose(0, 2, 1) if layout == "yolov8" else rows
    expected = decode(layout, {"a": np.ascontiguousarray(table, np.float32)}, context(80, confidence=0.45))
    found = decode(layout, {"a": table}, context(80, confidence=0.45))
    assert sum(map(len, found)) > 10
    same(found, [list(zip(one.boxes_xyxy, one.scores, one.class_ids)) for one in expected])


@pytest.mark.parametrize("layout", ["yolov8", "yolov8-transposed"])
def test_several_classes_of_one_anchor_can_be_asked_for(layout, same, context):
    """mAP as Ultralytics measures it counts each class of an anchor; without this our figures would not compare."""
    rows = head(13, 6)
    expected = [
        [(corners(*row[:4]), row[4 + k], k) for row in picture for k in range(2) if row[4 + k] >= 0.3]
        for picture in rows
    ]
    table = rows.transpose(0, 2, 1) if layout == "yolov8" else rows
    same(decode(layout, {"a": table}, context(2, confidence=0.3, multi_label=True)), expected)


@pytest.mark.parametrize("layout", ["yolov8", "yolov8-transposed", "yolov5", "yolo-end2end"])
def test_a_half_just_below_the_confidence_is_dropped(layout, context):
    """The half nearest to 0.45 is 0.44995: compared in halves it would pass, below the limit that was set."""
    rows = np.zeros((1, ANCHORS, 6), np.float16)
    rows[0, :2, 4:] = [[0.45, 1], [0.4504, 1]] if layout in ("yolov5", "yolo-end2end") else [[0.45, 0], [0.4504, 0]]
    table = rows.transpose(0, 2, 1) if layout == "yolov8" else rows
    classes = 1 if layout in ("yolov5", "yolo-end2end") else 2
    found = decode(layout, {"a": table}, context(classes, confidence=0.45))[0]
    np.testing.assert_allclose(found.scores, [0.4504], atol=2e-4)


def test_the_first_of_equal_classes_is_taken(context):
    """Ties must not depend on the order in which a vector unit looks at them."""
    columns = np.zeros((1, 84, ANCHORS), np.float32)
    columns[0, [10, 20], 3] = 0.75
    assert decode("yolov8", {"a": columns}, context(80))[0].class_ids.tolist() == [6]


@pytest.mark.parametrize("layout", ["yolov5", "yolov8", "yolov8-transposed", "yolox", "yolox-decoded"])
def test_more_classes_than_the_head_has_are_refused(layout, context):
    """80 labels on a head for 2: reading past the classes would take keypoints or nothing for scores."""
    with pytest.raises(LayoutError, match=r"got a \(1, 126, 7\) float32"):
        decode(layout, {"a": np.zeros((1, ANCHORS, 7), np.float32)}, context(200))
