"""Boxes must land where the training tools would have put them, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.letterbox import GEOMETRIES, fit_letterbox, fit_stretch, fit_top_left

INPUTS = ((640, 640), (640, 384), (416, 416), (320, 256), (1280, 736))
RANDOM = np.random.default_rng(7)
FRAMES = [
    (1920, 1080),
    (1280, 720),
    (640, 480),
    (640, 640),
    (1, 1),
    (333, 111),
    (111, 333),
    (4096, 2160),
    (641, 639),
    (100, 1),
] + [tuple(int(side) for side in RANDOM.integers(2, 3000, 2)) for _ in range(300)]


def ultralytics_letterbox(shape, new_shape):
    """LetterBox.__call__ with auto=False, scaleup=True, center=True, kept in its own order and words."""
    r = min(new_shape[0] / shape[0], new_shape[1] / shape[1])
    new_unpad = round(shape[1] * r), round(shape[0] * r)
    dw, dh = new_shape[1] - new_unpad[0], new_shape[0] - new_unpad[1]
    dw /= 2
    dh /= 2
    top, bottom = round(dh - 0.1), round(dh + 0.1)
    left, right = round(dw - 0.1), round(dw + 0.1)
    return new_unpad, top, bottom, left, right


def ultralytics_scale_boxes(img1_shape, boxes, img0_shape):
    """utils/ops.py scale_boxes and clip_boxes, one number at a time."""
    gain = min(img1_shape[0] / img0_shape[0], img1_shape[1] / img0_shape[1])
    pad_x = round((img1_shape[1] - round(img0_shape[1] * gain)) / 2 - 0.1)
    pad_y = round((img1_shape[0] - round(img0_shape[0] * gain)) / 2 - 0.1)
    scaled = []
    for x1, y1, x2, y2 in boxes:
        xs = [min(max((float(x) - pad_x) / gain, 0), img0_shape[1]) for x in (x1, x2)]
        ys = [min(max((float(y) - pad_y) / gain, 0), img0_shape[0]) for y in (y1, y2)]
        scaled.append([xs[0], ys[0], xs[1], ys[1]])
    return np.array(scaled)


@pytest.mark.parametrize("input_size", INPUTS, ids="{0[0]}x{0[1]}".format)
def test_letterbox_places_the_frame_where_ultralytics_does(input_size):
    """An edge one pixel off moves every box and lowers accuracy without any error."""
    for width, height in FRAMES:
        unpad, top, bottom, left, right = ultralytics_letterbox((height, width), (input_size[1], input_size[0]))
        if min(unpad) < 1:
            continue
        fit = fit_letterbox(width, height, *input_size)
        assert (fit.resized_width, fit.resized_height, fit.left, fit.top) == (*unpad, left, top), (width, height)
        assert fit.cols.stop == input_size[0] - right
        assert fit.rows.stop == input_size[1] - bottom


def test_letterboxed_boxes_come_back_as_ultralytics_scales_them():
    """The way back has its own rounding; it must be the same as the way in."""
    random = np.random.default_rng(1)
    for width, height in FRAMES:
        boxes = random.uniform(-20, 700, (4, 4)).astype(np.float32)
        expected = ultralytics_scale_boxes((640, 640), boxes, (height, width))
        found = fit_letterbox(width, height, 640, 640).to_frame(boxes)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_odd_padding_goes_right_and_down():
    """1280 x 718 leaves 281 rows over; 140 above and 141 below, as in training."""
    fit = fit_letterbox(1280, 718, 640, 640)
    assert (fit.top, 640 - fit.rows.stop) == (140, 141)


def test_half_pixels_round_to_even():
    """5 rows x 0.5 = 2.5 gives 2, not 3, as Python rounds in the training tools."""
    assert fit_letterbox(10, 5, 5, 5).resized_height == 2


def test_a_frame_thinner_than_a_pixel_keeps_one():
    """A resize to no pixels fails; a strip of a panorama must not end the service."""
    fit = fit_letterbox(5000, 1, 640, 640)
    assert (fit.resized_width, fit.resized_height) == (640, 1)


def test_yolox_frames_start_top_left_and_are_cut_off_not_rounded():
    """YOLOX trains with int() and padding at right and bottom; centring would shift its boxes by half the bar."""
    for width, height in FRAMES:
        ratio = min(416 / height, 416 / width)
        fit = fit_top_left(width, height, 416, 416)
        assert (fit.left, fit.top) == (0, 0)
        assert (fit.resized_width, fit.resized_height) == (max(1, int(width * ratio)), max(1, int(height * ratio)))
        expected = np.clip(np.array([10.0, 20, 30, 40]) / ratio, 0, [width, height, width, height])
        np.testing.assert_allclose(fit.to_frame(np.array([[10, 20, 30, 40]])), expected[None], rtol=1e-5)


def test_stretched_boxes_scale_by_each_side_on_its_own():
    """RT-DETR sees the frame without bars; one common scale would squeeze its boxes."""
    fit = fit_stretch(1280, 720, 640, 640)
    assert (fit.rows, fit.cols) == (slice(0, 640), slice(0, 640))
    np.testing.assert_allclose(fit.to_frame(np.array([[64.0, 64, 320, 640]])), [[128, 72, 640, 720]], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(GEOMETRIES))
def test_boxes_survive_the_way_in_and_back(name):
    """Evaluation and drawing use opposite directions; they must be inverse to each other."""
    random = np.random.default_rng(3)
    for width, height in FRAMES[:60]:
        fit = GEOMETRIES[name](width, height, 640, 384)
        low = random.uniform(0, 0.5, (5, 2)) * [width, height]
        high = low + random.uniform(0, 0.5, (5, 2)) * [width, height]
        boxes = np.concatenate([low, high], axis=1).astype(np.float32)
        before = boxes.copy()
        limit = 1e-2 * max(1, 1 / fit.scale_x)
        np.testing.assert_allclose(fit.to_frame(fit.to_input(boxes)), before, rtol=1e-4, atol=limit)
        np.testing.assert_array_equal(boxes, before)


def test_boxes_are_clipped_to_the_frame():
    """A box that reaches into the bars must not reach out of the picture that a person sees."""
    found = fit_letterbox(1280, 720, 640, 640).to_frame(np.array([[-50.0, 0, 700, 640]]))
    np.testing.assert_array_equal(found, np.array([[0, 0, 1280, 720]], np.float32))


def test_no_boxes_stay_no_boxes():
    """An empty street is the commonest frame at night."""
    found = fit_letterbox(1280, 720, 640, 640).to_frame(np.zeros((0, 4), np.float32))
    assert (found.shape, found.dtype) == ((0, 4), np.dtype(np.float32))


@pytest.mark.parametrize("name", sorted(GEOMETRIES))
def test_a_size_of_zero_is_our_mistake(name):
    """A source that gave no size must not turn into a division by zero deep in the pipeline."""
    with pytest.raises(ValueError, match="at least 1 px"):
        GEOMETRIES[name](0, 720, 640, 640)
