"""What a detector found, as arrays and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.core.detections import Detections

FOUND = Detections(
    np.array([[1.234, 2, 3, 4], [5, 6, 7, 8]], np.float32),
    np.array([0.91239, 0.5], np.float32),
    np.array([1, 7], np.int32),
)


def test_nothing_found_is_four_empty_columns():
    """Code downstream indexes boxes[:, 2] without asking."""
    nothing = Detections.empty()
    assert (len(nothing), nothing.boxes_xyxy.shape, nothing.scores.shape, nothing.class_ids.shape) == (
        0,
        (0, 4),
        (0,),
        (0,),
    )


def test_records_round_trip_within_their_digits():
    """Predictions travel as JSON lines: 0.01 px and 0.0001 are what a record keeps."""
    back = Detections.from_records(json.loads(json.dumps(FOUND.to_records())))
    np.testing.assert_allclose(back.boxes_xyxy, FOUND.boxes_xyxy, atol=0.005)
    np.testing.assert_allclose(back.scores, FOUND.scores, atol=0.00005)
    assert back.class_ids.tolist() == [1, 7]
    assert (back.boxes_xyxy.dtype, back.scores.dtype, back.class_ids.dtype) == (np.float32, np.float32, np.int32)


def test_no_records_give_nothing_found():
    """An empty list has no shape of its own."""
    assert Detections.from_records([]).boxes_xyxy.shape == (0, 4)


def test_a_label_is_added_only_where_it_is_known():
    """An id outside the labels must not take the last one's name by a negative index, nor crash."""
    odd = Detections(np.zeros((3, 4), np.float32), np.zeros(3, np.float32), np.array([1, 7, -1], np.int32))
    assert [record.get("label") for record in odd.to_records(("car", "person"))] == ["person", None, None]


def test_rows_are_selected_by_mask_and_by_order():
    """NMS returns indices in order of score; a filter returns a mask."""
    assert FOUND.select(np.array([False, True])).class_ids.tolist() == [7]
    assert FOUND.select(np.array([1, 0])).class_ids.tolist() == [7, 1]
    assert len(FOUND.select(np.zeros(0, int))) == 0


def test_other_boxes_keep_scores_and_classes():
    """From engine pixels to frame pixels."""
    moved = FOUND.with_boxes(FOUND.boxes_xyxy + 10)
    assert moved.boxes_xyxy[1].tolist() == [15, 16, 17, 18]
    assert moved.scores is FOUND.scores


@pytest.mark.parametrize(
    ("boxes", "scores", "class_ids"), [((2, 4), 3, 3), ((3, 5), 3, 3), ((3, 4), 3, 2), ((3,), 3, 3)]
)
def test_arrays_of_unequal_length_are_our_own_mistake(boxes, scores, class_ids):
    """zip would cut the longest silently."""
    with pytest.raises(ValueError, match="expected boxes"):
        Detections(np.zeros(boxes, np.float32), np.zeros(scores, np.float32), np.zeros(class_ids, np.int32))
