"""The GPU's filter of raw YOLO outputs against core.layouts, to the last bit and in the same order."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from edgekit.core.layouts import DecodeContext, decode
from edgekit.core.nms import Suppression
from edgekit.errors import LayoutError
from edgekit.runtime.cuda import candidates, driver
from edgekit.runtime.cuda.candidates import GpuCandidates
from edgekit.runtime.cuda.letterbox import LetterboxJob
from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray

LAYOUTS = ["yolov8", "yolov8-transposed", "yolov5"]
DTYPES = ["float32", "float16"]
ANCHORS = 1000
SUPPRESSION = Suppression(0.45)


def make_output(layout, dtype, classes, *, seed=0, pictures=3, extra=0):
    """Boxes in pixels, then scores of which few are high."""
    random = np.random.default_rng(seed)
    first = 5 if layout == "yolov5" else 4
    rows = random.random((pictures, ANCHORS, first + classes + extra)) ** (
        2 if layout == "yolov5" else 8 * classes**0.5
    )
    rows[:, :, :4] = random.uniform(1, 90, (pictures, ANCHORS, 4))
    return as_layout(layout, rows.astype(dtype))


def as_layout(layout, rows):
    return np.ascontiguousarray(rows.transpose(0, 2, 1) if layout == "yolov8" else rows)


def context(classes, confidence=0.5):
    return DecodeContext(96, 64, classes, confidence)


def on_gpu(gpu, layout, output, context, *, limit=1024, rows=None):
    """Detections of each picture, or None."""
    found = GpuCandidates(layout, output.shape, str(output.dtype), context, SUPPRESSION, gpu.kernels, limit)
    on_device, buffer = DeviceBuffer(output.nbytes), found.make_buffer()
    pictures = len(output) if rows is None else rows
    try:
        driver.copy_to_device(on_device.pointer, output.ctypes.data, output.nbytes, gpu.stream)
        found.enqueue(on_device.pointer, buffer, pictures, gpu.stream)
        driver.stream_synchronise(gpu.stream)
        return [found.to_detections(buffer, item) for item in range(pictures)]
    finally:
        on_device.free()
        buffer.free()


def assert_same(found, expected):
    assert len(expected) == len(found)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(other.boxes_xyxy, one.boxes_xyxy)
        np.testing.assert_array_equal(other.scores, one.scores)
        np.testing.assert_array_equal(other.class_ids, one.class_ids)
        assert (one.boxes_xyxy.dtype, one.scores.dtype, one.class_ids.dtype) == (np.float32, np.float32, np.int32)


@pytest.mark.parametrize("classes", [1, 7, 80])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_candidates_equal_those_of_the_cpu_in_value_and_order(gpu, layout, dtype, classes):
    """Suppression depends on the order of equals: another one would give other boxes on the GPU than in tests."""
    output = make_output(layout, dtype, classes, seed=classes)
    expected = decode(layout, {"output0": output}, context(classes))
    assert all(5 < len(picture) < ANCHORS for picture in expected)
    assert_same(on_gpu(gpu, layout, output, context(classes)), expected)


@pytest.mark.parametrize("confidence", [0.001, 0.3, 0.45, 0.4999, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_close_to_the_confidence_fall_on_the_same_side(gpu, layout, dtype, confidence):
    """The nearest half to 0.45 is below it: the CPU drops it, and so must the GPU."""
    classes = 3
    rows = np.zeros((1, ANCHORS, (5 if layout == "yolov5" else 4) + classes))
    rows[0, :, :4] = 20
    steps = np.linspace(-0.002, 0.002, ANCHORS)
    rows[0, :, -2] = np.clip(confidence + steps, 0, 1)
    if layout == "yolov5":
        rows[0, :, 4] = np.clip(confidence - steps, 0, 1)
        rows[0, :, -2] = 1.25  # not a score, but objectness alone must not decide then
    output = as_layout(layout, rows.astype(dtype))
    assert_same(
        on_gpu(gpu, layout, output, context(classes, confidence)),
        decode(layout, {"a": output}, context(classes, confidence)),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_and_scores_that_overflowed_are_no_candidates(gpu, layout, dtype):
    """FP16 engines give NaN and infinity for single anchors; one of them in suppression spoils the picture."""
    classes = 4
    rows = make_output(layout, "float32", classes, seed=3).astype(dtype)
    rows = np.ascontiguousarray(rows.transpose(0, 2, 1)) if layout == "yolov8" else rows
    random = np.random.default_rng(4)
    for value in (np.nan, np.inf, -np.inf, -0.0, -1.0):
        for channel in range(rows.shape[2]):
            rows[:, random.integers(0, ANCHORS, 40), channel] = value
    output = as_layout(layout, rows)
    with np.errstate(all="ignore"):
        expected = decode(layout, {"a": output}, context(classes))
    assert all(len(picture) for picture in expected)
    assert_same(on_gpu(gpu, layout, output, context(classes)), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_first_of_equal_classes_is_taken(gpu, layout):
    """Halves are coarse, so ties are common."""
    rows = np.full((1, ANCHORS, 85 if layout == "yolov5" else 84), 0.75, np.float16)
    if layout == "yolov5":
        rows[0, :, 4] = 1
    rows[0, ::2, -50:] = 0.875
    output = as_layout(layout, rows)
    found = on_gpu(gpu, layout, output, context(80))
    assert {0, 30} == set(found[0].class_ids.tolist())
    assert_same(found, decode(layout, {"a": output}, context(80)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_after_the_classes_are_ignored(gpu, layout):
    """Mask coefficients and keypoints follow the classes of -seg and -pose models."""
    output = make_output(layout, "float16", 3, extra=32)
    assert_same(on_gpu(gpu, layout, output, context(3)), decode(layout, {"a": output}, context(3)))


def test_more_candidates_than_the_limit_are_told_never_cut(gpu):
    """A crowd must not lose its last heads without a word: the caller fetches the whole output then."""
    rows = np.zeros((3, ANCHORS, 6), np.float32)
    rows[:, :, :4] = 20
    rows[0, :64, 4] = rows[1, :65, 4] = 0.9
    found = on_gpu(gpu, "yolov8-transposed", rows, context(2), limit=64)
    assert [None if picture is None else len(picture) for picture in found] == [64, None, 0]


def test_what_overflowed_takes_no_room(gpu):
    """A few broken anchors must not send every frame the long way."""
    rows = np.zeros((1, ANCHORS, 6), np.float32)
    rows[:, :, :4] = 20
    rows[0, :80, 4] = 0.9
    rows[0, :4, 4] = np.inf
    for channel in range(4):
        rows[0, 4 + 3 * channel : 7 + 3 * channel, channel] = (np.inf, -np.inf, np.nan)
    found = on_gpu(gpu, "yolov8-transposed", rows, context(2), limit=64)
    assert [len(picture) for picture in found] == [64]


def test_nothing_is_written_beyond_the_limit(gpu):
    """The next picture's candidates lie there, and behind the last picture's the memory of others."""
    rows = np.full((2, ANCHORS, 6), 0.9, np.float32)
    found = GpuCandidates("yolov8-transposed", rows.shape, "float32", context(2), SUPPRESSION, gpu.kernels, 64)
    on_device, buffer, seen = DeviceBuffer(rows.nbytes), found.make_buffer(), PinnedArray((64,), candidates.ROW)
    nbytes = buffer.header_bytes + 2 * buffer.picture_bytes
    driver.fill_words(buffer.pointer, 0, nbytes // 4, gpu.stream)
    driver.copy_to_device(on_device.pointer, rows.ctypes.data, rows.nbytes, gpu.stream)
    found.enqueue(on_device.pointer, buffer, 1, gpu.stream)
    second = buffer.pointer + buffer.header_bytes + buffer.picture_bytes
    driver.copy_to_host(seen.pointer, second, buffer.picture_bytes, gpu.stream)
    driver.stream_synchronise(gpu.stream)
    assert buffer.counts.tolist() == [ANCHORS, 0]
    assert not seen.array.view(np.uint8).any()
    for memory in (on_device, buffer, seen):
        memory.free()


def test_a_short_batch_leaves_the_rest_alone(gpu):
    """What an earlier batch left in the other rows of the output is not this batch's."""
    output = make_output("yolov8", "float32", 5)
    assert_same(on_gpu(gpu, "yolov8", output, context(5), rows=2), decode("yolov8", {"a": output[:2]}, context(5)))


def test_detections_outlive_the_buffer_they_came_from(gpu):
    """The next batch writes into the same memory while these are still drawn."""
    output = make_output("yolov5", "float32", 5)
    found = GpuCandidates("yolov5", output.shape, "float32", context(5), SUPPRESSION, gpu.kernels)
    on_device, buffer = DeviceBuffer(output.nbytes), found.make_buffer()
    driver.copy_to_device(on_device.pointer, output.ctypes.data, output.nbytes, gpu.stream)
    found.enqueue(on_device.pointer, buffer, 3, gpu.stream)
    driver.stream_synchronise(gpu.stream)
    detections = [found.to_detections(buffer, item) for item in range(3)]
    buffer.rows.view(np.uint8)[:] = 255
    buffer.free()
    on_device.free()
    assert_same(detections, decode("yolov5", {"a": output}, context(5)))


def test_what_the_kernel_cannot_read_is_refused(gpu):
    """Reading past the channels would take keypoints, or nothing, for scores."""
    assert not candidates.supports("rtdetr", "float32")
    assert not candidates.supports("yolov8", "int8")
    with pytest.raises(LayoutError, match="expected 84 channels"):
        GpuCandidates("yolov8", (1, 83, 8400), "float32", context(80), SUPPRESSION, gpu.kernels)
    with pytest.raises(ValueError, match="multi_label True"):
        several = DecodeContext(96, 64, 80, multi_label=True)
        GpuCandidates("yolov8", (1, 84, 8400), "float32", several, SUPPRESSION, gpu.kernels)


def test_structures_have_the_size_the_kernels_expect(stand_in):
    """Python and CUDA lay the same bytes out; one field more on one side moves all the rest."""
    assert ctypes.sizeof(LetterboxJob) == stand_in.stand_in_letterbox_bytes()
    assert ctypes.sizeof(candidates.DecodeJob) == stand_in.stand_in_decode_bytes()
    assert ctypes.sizeof(candidates.CompareJob) == stand_in.stand_in_compare_bytes()
    assert candidates.ROW.itemsize == stand_in.stand_in_candidate_bytes()
