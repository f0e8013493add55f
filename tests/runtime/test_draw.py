"""Annotated pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.runtime.draw import annotate, class_colour


def boxes(*rows, class_ids=None):
    count = len(rows)
    ids = np.arange(count) if class_ids is None else np.array(class_ids)
    return Detections(np.array(rows, np.float32).reshape(-1, 4), np.full(count, 0.5, np.float32), ids.astype(np.int32))


def test_the_frame_itself_is_left_alone():
    """Sources hand out the same array again: boxes would pile up."""
    pixels = np.full((90, 160, 3), 80, np.uint8)
    drawn = annotate(pixels, boxes([20, 30, 60, 70]), ("car",))
    assert (pixels == 80).all()
    assert (drawn != 80).any()


def test_nothing_found_draws_nothing():
    """An empty picture would crash the sink."""
    pixels = np.full((90, 160, 3), 80, np.uint8)
    np.testing.assert_array_equal(pixels, annotate(pixels, Detections.empty(), ()))


@pytest.mark.parametrize(("width", "height"), [(320, 180), (1280, 720), (3840, 2160)])
def test_the_box_is_where_the_object_is_with_a_line_that_can_be_seen(width, height):
    """Lines of one pixel vanish on 4K; thick ones hide a small picture."""
    pixels = np.full((height, width, 3), 80, np.uint8)
    left, top, right, bottom = width // 4, height // 2, width // 2, height * 3 // 4
    drawn = annotate(pixels, boxes([left, top, right, bottom]), ("car",))
    changed = (drawn != pixels).any(axis=2)
    column = changed[(top + bottom) // 2]
    line_px = int(column[left - width // 50 : left + width // 50].sum())
    assert 1 <= line_px <= max(1, width // 200)
    assert not changed[(top + bottom) // 2, (left + right) // 2]
    label_rows = np.flatnonzero(changed[: top - 2 * line_px].any(axis=1))
    assert height / 65 < len(label_rows) < height / 12


@pytest.mark.parametrize(
    "box",
    [[0, 0, 20, 20], [150, 0, 160, 90], [0, 80, 160, 90], [-50, -50, 500, 500], [159, 89, 160, 90], [40, 40, 40, 40]],
)
def test_labels_stay_inside_the_picture(box):
    """A label outside is not readable; the end of a long one neither."""
    pixels = np.full((90, 160, 3), 80, np.uint8)
    filled = (annotate(pixels, boxes(box), ("car",)) == np.array(class_colour(0), np.uint8)).all(axis=2)
    assert filled.sum() > 100
    rows, columns = np.nonzero(filled)
    assert columns.max() - columns.min() >= 20
    assert rows.max() - rows.min() >= 8


def test_colours_are_stable_and_tell_classes_apart():
    """Two classes in one colour cannot be told on the picture."""
    colours = np.array([class_colour(class_id) for class_id in range(12)], float)
    assert class_colour(3) == class_colour(3)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2) + np.eye(12) * 1e3
    assert distances.min() > 40


def test_a_class_without_a_label_shows_its_number():
    """A labels file that is too short would end the run."""
    pixels = np.full((90, 160, 3), 80, np.uint8)
    assert (annotate(pixels, boxes([20, 30, 60, 70], class_ids=[7]), ("car",)) != pixels).any()


def label_width(drawn):
    columns = np.flatnonzero((drawn == np.array(class_colour(0), np.uint8)).all(axis=2)[:58].any(axis=0))
    return columns.max() - columns.min()


def test_the_number_of_an_object_is_in_its_label():
    """Events speak of "car 17"; the picture has to say which one that is."""
    pixels, found = np.full((720, 1280, 3), 80, np.uint8), boxes([60, 60, 80, 90])
    plain = label_width(annotate(pixels, found, ("car",)))
    assert label_width(annotate(pixels, found, ("car",), np.array([0]))) == plain, "of no object yet"
    assert label_width(annotate(pixels, found, ("car",), np.array([17]))) > plain + 8
    assert label_width(annotate(pixels, found, ("car",), text_scale=2.0)) > plain * 1.5
