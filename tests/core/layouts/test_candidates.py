"""What must hold for every layout: odd numbers, halves, nothing at all."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from edgekit.core.layouts import LAYOUTS, decode, find_layout
from edgekit.core.letterbox import GEOMETRIES
from edgekit.errors import LayoutError

NC, ANCHORS, QUERIES = 2, 126, 20

# Name, shape of each float output; None stands for an output of whole numbers, made by `outputs_of`.
SHAPES = {
    "yolov5": {"output": (2, 3 * ANCHORS, 5 + NC)},
    "yolov8": {"output0": (2, 4 + NC, ANCHORS)},
    "yolov8-transposed": {"output0": (2, ANCHORS, 4 + NC)},
    "yolo-end2end": {"output0": (2, QUERIES, 6)},
    "yolox": {"output": (2, ANCHORS, 5 + NC)},
    "yolox-decoded": {"output": (2, ANCHORS, 5 + NC)},
    "rtdetr": {"labels": None, "boxes": (2, QUERIES, 4), "scores": (2, QUERIES)},
    "rtdetr-ultralytics": {"output0": (2, QUERIES, 4 + NC)},
    "rtdetr-paddle": {"rows": (QUERIES, 6), "count": None},
    "rfdetr": {"dets": (2, QUERIES, 4), "labels": (2, QUERIES, NC + 1)},
    "deepstream-yolo": {"output": (2, ANCHORS, 6)},
    "efficientnms": {"num": None, "boxes": (2, QUERIES, 4), "scores": (2, QUERIES), "classes": None},
    "onnx-nms-xyxy": {"selected_indices": None, "boxes": (2, QUERIES, 4), "scores": (2, NC, QUERIES)},
    "onnx-nms-yxyx": {"selected_indices": None, "boxes": (2, QUERIES, 4), "scores": (2, NC, QUERIES)},
    "onnx-nms-cxcywh": {"selected_indices": None, "boxes": (2, QUERIES, 4), "scores": (2, NC, QUERIES)},
}
WHOLE = {
    "labels": np.ones((2, QUERIES), np.int64),
    "count": np.array([QUERIES // 2, QUERIES // 2], np.int32),
    "num": np.full((2, 1), QUERIES, np.int32),
    "classes": np.ones((2, QUERIES), np.int32),
    "selected_indices": np.array([[b, 1, k] for b in range(2) for k in range(QUERIES)], np.int64),
}


def outputs_of(layout, fill, dtype=np.float32):
    """Outputs of the right shapes; `fill(shape)` gives the numbers."""
    return {
        name: WHOLE[name] if shape is None else np.asarray(fill(shape)).astype(dtype)
        for name, shape in SHAPES[layout].items()
    }


def test_every_layout_is_covered_here():
    """A layout that is added without these checks would be the one that fails in the field."""
    assert SHAPES.keys() == LAYOUTS.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["singles", "halves"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_an_empty_picture_gives_empty_arrays(layout, dtype, context):
    """Callers index and scale without asking; None or (0,) would fail at night only."""
    low = -20 if layout == "rfdetr" else 0
    for found in decode(layout, outputs_of(layout, lambda shape: np.full(shape, low), dtype), context(NC)):
        assert (found.boxes_xyxy.shape, found.scores.shape, found.class_ids.shape) == ((0, 4), (0,), (0,))
        assert (found.boxes_xyxy.dtype, found.class_ids.dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["singles", "halves"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_numbers_that_overflowed_are_dropped_quietly(layout, bad, dtype, context):
    """An FP16 engine overflows for single boxes; the service must neither fail, nor warn per frame, nor show them."""
    random = np.random.default_rng(5)

    def broken(shape):
        values = random.random(shape)
        values[random.random(shape) < 0.05] = bad
        return values

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decode(layout, outputs_of(layout, broken, dtype), context(NC, confidence=0.3))
    assert sum(map(len, found)) > 0
    for one in found:
        assert np.isfinite(one.boxes_xyxy).all()
        assert (one.scores >= 0.3).all()
        assert (one.class_ids >= 0).all()


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_picture_of_nothing_but_nan_gives_no_objects(layout, context):
    """The worst engine answers NaN everywhere; that is an empty picture, for verification to find."""
    found = decode(layout, outputs_of(layout, lambda shape: np.full(shape, np.nan)), context(NC))
    assert [len(one) for one in found] == [0, 0]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_halves_give_the_objects_of_the_same_numbers_in_single_precision(layout, context):
    """Converted late, but no step may be left in half precision, whose steps at 640 px are half a pixel."""
    numbers = np.random.default_rng(9)
    halves = outputs_of(layout, numbers.random, np.float16)
    singles = {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in halves.items()}
    for one, other in zip(decode(layout, halves, context(NC)), decode(layout, singles, context(NC))):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.class_ids, other.class_ids)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_the_surest_candidates_remain_when_there_are_too_many(layout, context):
    """A confidence of 0 must not hand an unbounded number to suppression."""
    numbers = np.random.default_rng(9)
    outputs = outputs_of(layout, numbers.random)
    whole = decode(layout, outputs, context(NC, confidence=0.01))
    few = decode(layout, outputs, context(NC, confidence=0.01, max_candidates=3))
    for one, other in zip(whole, few):
        assert sorted(one.scores)[-3:] == sorted(other.scores)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_inputs_are_not_written_to(layout, context):
    """Outputs may be a buffer of the engine that the next stage still reads."""
    outputs = outputs_of(layout, np.random.default_rng(2).random)
    for array in outputs.values():
        array.flags.writeable = False
    try:
        decode(layout, outputs, context(NC))
    finally:
        for array in WHOLE.values():
            array.flags.writeable = True


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_missing_output_is_named(layout, context):
    """`layout:` set wrongly is common; the answer must show what the model gives."""
    with pytest.raises(LayoutError, match=r"got something \(1, 2\) float32"):
        decode(layout, {"something": np.zeros((1, 2), np.float32)}, context(NC))


def test_an_unknown_layout_is_refused_with_the_nearest_name():
    """Typing errors happen in YAML."""
    with pytest.raises(LayoutError) as caught:
        find_layout("yolo8")
    assert "yolov8" in caught.value.hint
    assert all(name in caught.value.why for name in LAYOUTS)


def test_every_layout_says_how_it_is_fed():
    """The wrong colours or scale cost accuracy and nothing says so."""
    assert all(layout.input.geometry in GEOMETRIES for layout in LAYOUTS.values())
    yolox, rfdetr = LAYOUTS["yolox"].input, LAYOUTS["rfdetr"].input
    assert (yolox.geometry, yolox.colour, yolox.scale) == ("top-left", "bgr", 1.0)
    assert (rfdetr.geometry, rfdetr.mean) == ("stretch", (0.485, 0.456, 0.406))
    assert "orig_target_sizes" in LAYOUTS["rtdetr"].side_inputs(1, 640, 640)
