"""The fast suppression against a slow, obvious one."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core import nms as nms_module
from edgekit.core.nms import keep_from_bits, nms


def iou_of(first, second):
    """torchvision's arithmetic for one pair, in float32."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    shared = max(right - left, np.float32(0)) * max(bottom - top, np.float32(0))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    union = areas[0] + areas[1] - shared
    return shared / union if union > 0 else 0.0


def nms_reference(boxes, scores, class_ids, iou, max_detections, class_agnostic):
    """Best first; a box goes if a kept one of its class covers too much of it."""
    kept = []
    for row in sorted(range(len(scores)), key=lambda row: -scores[row]):
        rivals = [other for other in kept if class_agnostic or class_ids[other] == class_ids[row]]
        if all(iou_of(boxes[row], boxes[other]) <= iou for other in rivals):
            kept.append(row)
    return kept[:max_detections]


def clusters(seed, count, objects, classes):
    """Candidates as a head gives them: many around each object, some with equal scores."""
    random = np.random.default_rng(seed)
    centres, sizes = random.uniform(50, 590, (objects, 2)), random.uniform(20, 200, (objects, 2))
    owner = random.integers(0, objects, count)
    middle = centres[owner] + random.normal(0, 8, (count, 2))
    half = sizes[owner] * random.uniform(0.7, 1.3, (count, 2)) / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    scores = np.round(random.random(count), 2).astype(np.float32)
    return boxes, scores, random.integers(0, classes, count).astype(np.int32)


@pytest.mark.parametrize("class_agnostic", [False, True], ids=["by class", "over all classes"])
@pytest.mark.parametrize("iou", [0.3, 0.45, 0.7])
@pytest.mark.parametrize("count, objects, classes", [(1, 1, 1), (30, 4, 2), (127, 8, 1), (129, 60, 80), (420, 25, 3)])
def test_the_fast_way_keeps_what_the_slow_way_keeps(count, objects, classes, iou, class_agnostic):
    """Blocks, bit sets and early ends are for speed; one box more or less would be a wrong count in the field."""
    for seed in range(3):
        boxes, scores, class_ids = clusters(seed, count, objects, classes)
        expected = nms_reference(boxes, scores, class_ids, iou, 300, class_agnostic)
        assert nms(boxes, scores, class_ids, iou, 300, class_agnostic).tolist() == expected


def test_equal_scores_keep_their_order():
    """A tie that falls differently from run to run would make two benchmarks of one engine differ."""
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [100, 0, 110, 10]], np.float32)
    assert nms(boxes, np.full(3, 0.5, np.float32), np.zeros(3, np.int32), 0.5).tolist() == [0, 2]


def test_a_box_at_exactly_the_limit_stays():
    """torchvision suppresses above the limit, not at it: these two share 1 of 2 square pixels."""
    boxes = np.array([[0, 0, 2, 1], [0, 0, 1, 1]], np.float32)
    scores, class_ids = np.array([0.9, 0.8], np.float32), np.zeros(2, np.int32)
    assert nms(boxes, scores, class_ids, 0.5).tolist() == [0, 1]
    assert nms(boxes, scores, class_ids, 0.499).tolist() == [0]


def test_the_same_box_in_two_classes_is_two_objects_unless_told_otherwise():
    """A rider on a bicycle: both stay by class, one stays over all classes."""
    boxes = np.tile(np.array([[10, 10, 50, 50]], np.float32), (2, 1))
    scores, class_ids = np.array([0.8, 0.9], np.float32), np.array([0, 79], np.int32)
    assert nms(boxes, scores, class_ids, 0.45).tolist() == [1, 0]
    assert nms(boxes, scores, class_ids, 0.45, class_agnostic=True).tolist() == [1]


def test_a_suppressed_box_suppresses_nothing():
    """A chain of three neighbours: the middle one goes, so the last one stays."""
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert nms(boxes, scores, np.zeros(3, np.int32), 0.4).tolist() == [0, 2]


def test_only_the_surest_are_kept_when_there_are_too_many():
    """max_detections cuts the tail, never the head."""
    boxes = np.array([[20 * row, 0, 20 * row + 10, 10] for row in range(500)], np.float32)
    scores = np.linspace(0, 1, 500, dtype=np.float32)
    assert nms(boxes, scores, np.zeros(500, np.int32), 0.45, 7).tolist() == [499, 498, 497, 496, 495, 494, 493]


def test_candidates_beyond_the_limit_are_not_looked_at(monkeypatch):
    """A confidence of 0.001 in a crowd gives tens of thousands; time must stay bounded."""
    monkeypatch.setattr(nms_module, "MAX_CANDIDATES", 2)
    boxes = np.array([[20 * row, 0, 20 * row + 10, 10] for row in range(5)], np.float32)
    scores = np.array([0.1, 0.5, 0.3, 0.9, 0.2], np.float32)
    assert nms(boxes, scores, np.zeros(5, np.int32), 0.45).tolist() == [3, 1]


def test_bits_of_overlaps_alone_say_what_stays():
    """The GPU hands over bits and no boxes: rows wider than the count, a row that does not overlap itself, a chain."""
    overlaps = bytes([0b0010, 0, 0b0101, 0, 0b1010, 0, 0b0100, 0])
    assert keep_from_bits(overlaps, 4, 300) == [0, 2]
    assert keep_from_bits(overlaps, 4, 1) == [0]
    assert keep_from_bits(overlaps[:2], 1, 300) == [0]
    assert keep_from_bits(b"", 0, 300) == []


def test_nothing_in_nothing_out():
    """Most frames at night."""
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), 0.45).shape == (0,)


def test_boxes_without_area_neither_fail_nor_suppress():
    """0 / 0 is not an overlap; a head that collapsed must not raise a warning per frame."""
    boxes = np.zeros((3, 4), np.float32)
    assert nms(boxes, np.array([0.3, 0.2, 0.1], np.float32), np.zeros(3, np.int32), 0.45).tolist() == [0, 1, 2]
