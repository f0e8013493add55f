"""Suppression by overlaps that the GPU found, against core.nms: the same boxes to the last bit, in the same order."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.layouts import LAYOUTS as ALL_LAYOUTS
from edgekit.core.layouts import DecodeContext, decode
from edgekit.core.nms import Suppression, nms
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.candidates import COMPARED, GpuCandidates, supports
from edgekit.runtime.cuda.memory import DeviceBuffer

ANCHORS = 600
LAYOUTS = ["yolov8", "yolov8-transposed", "yolov5"]


def clusters(random, count, objects):
    """Boxes as a head gives them, centre and size: many around each object."""
    centres, sizes = random.uniform(50, 590, (objects, 2)), random.uniform(20, 200, (objects, 2))
    owner = random.integers(0, objects, count)
    moved = centres[owner] + random.normal(0, 8, (count, 2))
    return np.concatenate([moved, sizes[owner] * random.uniform(0.7, 1.3, (count, 2))], axis=1)


def table_of(random, pictures, classes=1, digits=2):
    """(pictures, ANCHORS, 4 + classes) float32: the boxes (N, 4) of each picture at random anchors, scores that tie."""
    table = np.zeros((len(pictures), ANCHORS, 4 + classes), np.float32)
    for rows, boxes in zip(table, pictures):
        at = random.permutation(ANCHORS)[: len(boxes)]
        rows[at, :4] = boxes
        rows[at, 4 + random.integers(0, classes, len(at))] = np.round(random.uniform(0.5, 1, len(at)), digits)
    return table


def context_of(table, layout="yolov8-transposed", confidence=0.4):
    channels = table.shape[1] if layout == "yolov8" else table.shape[2]
    return DecodeContext(640, 384, channels - (5 if layout == "yolov5" else 4), confidence)


def on_cpu(table, suppression, layout="yolov8-transposed", confidence=0.4):
    """The slow, obvious twin."""
    found = decode(layout, {"output0": table}, context_of(table, layout, confidence))
    return [
        each.select(
            nms(
                each.boxes_xyxy,
                each.scores,
                each.class_ids,
                suppression.iou,
                suppression.max_detections,
                suppression.class_agnostic,
            )
        )
        for each in found
    ]


class Filter:
    """GpuCandidates with memory for one kind of output."""

    def __init__(self, gpu, table, suppression, layout="yolov8-transposed", confidence=0.4, limit=1024):
        context = context_of(table, layout, confidence)
        self.found = GpuCandidates(layout, table.shape, str(table.dtype), context, suppression, gpu.kernels, limit)
        self._stream = gpu.stream
        self._output, self.buffer = DeviceBuffer(table.nbytes), self.found.make_buffer()

    def __call__(self, table, rows=None):
        """Detections of each picture, or None."""
        pictures = len(table) if rows is None else rows
        driver.copy_to_device(self._output.pointer, table.ctypes.data, table.nbytes, self._stream)
        self.found.enqueue(self._output.pointer, self.buffer, pictures, self._stream)
        driver.stream_synchronise(self._stream)
        return [self.found.suppressed(self.buffer, item) for item in range(pictures)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._output.free()
        self.buffer.free()


def on_gpu(gpu, table, suppression, **named):
    with Filter(gpu, table, suppression, **named) as kept:
        return kept(table)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected):
        for name in ("boxes_xyxy", "scores", "class_ids"):
            one, other = getattr(mine, name), getattr(theirs, name)
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def iou_near(one, other, random):
    """A limit at the IoU of two boxes, or the next number above or below it."""
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    iou = width * height / (areas[0] + areas[1] - width * height)
    return float(random.choice([iou, np.nextafter(iou, np.float32(0)), np.nextafter(iou, np.float32(1))]))


@pytest.mark.parametrize("class_agnostic", [False, True], ids=["by class", "over all classes"])
@pytest.mark.parametrize("iou", [0.3, 0.45, 0.7])
@pytest.mark.parametrize("objects, classes", [(1, 1), (8, 2), (16, 3), (60, 10)])
def test_clusters_leave_what_they_leave_on_the_cpu(gpu, objects, classes, iou, class_agnostic):
    """A batch of crowded, busy, quiet and empty pictures; one box more or less would be a wrong count in the field."""
    suppression = Suppression(iou, class_agnostic=class_agnostic)
    for seed in range(3):
        random = np.random.default_rng(seed)
        table = table_of(random, [clusters(random, count, objects) for count in (200, 33, 1, 0)], classes)
        expected = on_cpu(table, suppression)
        assert 0 < len(expected[0]) < 200
        assert_same(on_gpu(gpu, table, suppression), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_and_types_are_suppressed_alike(gpu, layout, dtype):
    """Halves are coarse: many scores are equal, and their order decides which box stays."""
    random = np.random.default_rng(5)
    table = table_of(random, [clusters(random, 150, 9) for _ in range(2)], classes=4)
    if layout == "yolov5":
        table = np.insert(table, 4, 0.9375, axis=2)
    table = np.ascontiguousarray(table.transpose(0, 2, 1) if layout == "yolov8" else table).astype(dtype)
    expected = on_cpu(table, Suppression(0.45), layout)
    assert all(5 < len(each) < 150 for each in expected)
    assert_same(on_gpu(gpu, table, Suppression(0.45), layout=layout), expected)


@pytest.mark.parametrize("iou", [0.0, 0.1, 0.2, 0.25, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.75, 0.8, 1.0])
def test_overlaps_at_exactly_the_limit_fall_on_the_same_side(gpu, iou):
    """Boxes on a grid share simple fractions; a product rounded once less decides otherwise."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        boxes = np.concatenate([random.integers(2, 9, (COMPARED, 2)), random.integers(1, 7, (COMPARED, 2))], axis=1)
        table = table_of(random, [boxes], classes=2)
        assert_same(on_gpu(gpu, table, Suppression(iou)), on_cpu(table, Suppression(iou)))


def test_pairs_within_a_rounding_of_the_limit_fall_on_the_same_side(gpu):
    """Sums and products taken in another order, or two at once, differ in the last bit, and so then does the answer."""
    random = np.random.default_rng(9)
    answers = set()
    for _ in range(300):
        table = np.zeros((1, 2, 5), np.float32)
        table[0, :, :4] = random.uniform(40, 60, (2, 4))
        table[0, :, 4] = 0.75, 0.5
        (candidates,) = decode("yolov8-transposed", {"a": table}, context_of(table))
        suppression = Suppression(iou_near(*candidates.boxes_xyxy, random))
        expected = on_cpu(table, suppression)
        assert_same(on_gpu(gpu, table, suppression), expected)
        answers.add(len(expected[0]))
    assert answers == {1, 2}


def test_boxes_that_overflow_or_have_no_area_are_compared_as_on_the_cpu(gpu):
    """Collapsed and exploding heads: areas of 0, below 0, infinite, 0 times infinity; NaN and infinity are no boxes."""
    random = np.random.default_rng(1)
    values = [0, -0.0, 1, -3, 8, 1e-30, 1e20, -1e20, 1e38, 3e38, np.nan, np.inf, -np.inf]
    for _ in range(6):
        boxes = random.choice(values, (COMPARED, 4), p=[0.12, 0.05, *[0.1] * 7, 0.07, *[0.02] * 3])
        table = table_of(random, [boxes], classes=2, digits=1)
        with np.errstate(all="ignore"):
            expected = on_cpu(table, Suppression(0.45))
        assert 20 < len(expected[0]) < COMPARED
        assert_same(on_gpu(gpu, table, Suppression(0.45)), expected)


def test_scores_of_zero_are_equal_whatever_their_sign(gpu):
    """With a confidence of 0 every anchor is a candidate; -0.0 must not come after 0.0."""
    random = np.random.default_rng(2)
    table = np.zeros((1, 120, 5), np.float32)
    table[0, :, :4] = clusters(random, 120, 5)
    table[0, :, 4] = random.choice([0.0, -0.0, 0.25], 120)
    expected = on_cpu(table, Suppression(0.45), confidence=0.0)
    assert_same(on_gpu(gpu, table, Suppression(0.45), confidence=0.0), expected)


@pytest.mark.parametrize("max_detections", [1, 7, 40])
def test_no_more_than_asked_for_are_kept(gpu, max_detections):
    """The tail is cut, never the head."""
    random = np.random.default_rng(3)
    table = table_of(random, [clusters(random, 250, 60)])
    suppression = Suppression(0.45, max_detections)
    expected = on_cpu(table, suppression)
    assert len(expected[0]) == max_detections
    assert_same(on_gpu(gpu, table, suppression), expected)


@pytest.mark.parametrize("limit", [1024, COMPARED, 60])
def test_more_candidates_than_are_compared_are_told_never_cut(gpu, limit):
    """Of a crowd the GPU knows the overlaps of some alone: the caller must suppress all of it himself."""
    most = min(limit, COMPARED)
    random = np.random.default_rng(4)
    pictures = [clusters(random, count, 30) for count in (most - 1, most, most + 1, 0)]
    table = table_of(random, pictures, classes=2)
    found = on_gpu(gpu, table, Suppression(0.45), limit=limit)
    assert found.pop(2) is None
    expected = on_cpu(table, Suppression(0.45))
    assert_same(found, [expected[0], expected[1], expected[3]])


def test_a_crowd_beyond_what_is_compared_still_comes_whole(gpu):
    """The ordinary suppression takes over, from the same buffer."""
    random = np.random.default_rng(6)
    table = table_of(random, [clusters(random, COMPARED + 1, 30)])
    with Filter(gpu, table, Suppression(0.45)) as kept:
        assert kept(table) == [None]
        candidates = kept.found.to_detections(kept.buffer, 0)
    assert_same([candidates], decode("yolov8-transposed", {"a": table}, context_of(table)))


def test_nothing_of_an_earlier_batch_is_left(gpu):
    """Bits and ranks of a crowd must not drop boxes of the quiet picture that comes after it, nor of a short batch."""
    random = np.random.default_rng(7)
    crowds = table_of(random, [clusters(random, count, 3) for count in (256, 300, 200)])
    quiet = table_of(random, [clusters(random, count, 20) for count in (40, 31, 65)])
    expected = on_cpu(quiet, Suppression(0.45))
    with Filter(gpu, crowds, Suppression(0.45)) as kept:
        kept(crowds)
        assert_same(kept(quiet), expected)
        kept(crowds)
        assert_same(kept(quiet, rows=2), expected[:2])


def test_kept_detections_outlive_the_buffer_they_came_from(gpu):
    """The next batch writes into the same memory while these are still drawn."""
    random = np.random.default_rng(8)
    table = table_of(random, [clusters(random, 50, 9)])
    with Filter(gpu, table, Suppression(0.45)) as kept:
        found = kept(table)
        kept.buffer.rows.view(np.uint8)[:] = 255
    assert_same(found, on_cpu(table, Suppression(0.45)))


def test_only_layouts_that_need_suppression_are_filtered_here():
    """Boxes of heads that give each object once must not drop each other."""
    filtered = [layout for name, layout in ALL_LAYOUTS.items() if supports(name, "float32")]
    assert sorted(layout.name for layout in filtered) == sorted(LAYOUTS)
    assert all(layout.needs_nms for layout in filtered)


def test_a_picture_with_nothing_in_it_gives_nothing(gpu):
    """Most frames at night."""
    table = np.zeros((2, ANCHORS, 6), np.float32)
    assert_same(on_gpu(gpu, table, Suppression(0.45)), [Detections.empty()] * 2)
