"""The engine's input equals the textbook formula, for every geometry, colour order and normalisation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgekit.core.detector import InputSpec
from edgekit.core.letterbox import GEOMETRIES
from edgekit.runtime.preprocess import Preprocess

SPECS = {
    "yolo": InputSpec("images"),
    "yolox": InputSpec("images", geometry="top-left", colour="bgr", scale=1.0),
    "rf-detr": InputSpec("input", geometry="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "normalised letterbox": InputSpec("input", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), border=0),
}
FRAMES = [(1080, 1920), (640, 640), (96, 64), (33, 97), (500, 31), (1, 1)]


def make_frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def reference(frame: np.ndarray, spec: InputSpec, height: int, width: int) -> np.ndarray:
    fit = GEOMETRIES[spec.geometry](frame.shape[1], frame.shape[0], width, height)
    canvas = np.full((height, width, 3), spec.border, np.float64)
    canvas[fit.rows, fit.cols] = cv2.resize(
        frame, (fit.resized_width, fit.resized_height), interpolation=cv2.INTER_LINEAR
    )
    if spec.colour == "rgb":
        canvas = canvas[:, :, ::-1]
    return ((canvas * spec.scale - spec.mean) / spec.std).transpose(2, 0, 1)


@pytest.mark.parametrize("size", FRAMES, ids=str)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_tensor_equals_the_formula(spec: InputSpec, size) -> None:
    """A shifted pixel or swapped channel would cost accuracy without any error."""
    frame = make_frame(*size)
    preprocess = Preprocess(spec, 96, 160)
    fit = preprocess(frame)
    expected = reference(frame, spec, 96, 160)
    np.testing.assert_allclose(preprocess.tensor[0], expected, rtol=1e-6, atol=1e-6)
    assert GEOMETRIES[spec.geometry](size[1], size[0], 160, 96) == fit


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_whole_multiples_of_the_input_take_the_same_pixels(factor: int) -> None:
    """The shortcut for odd factors (1080p to 640 wide) must be the linear resize to the last bit."""
    spec, frame = InputSpec("images"), make_frame(160 * factor, 96 * factor)
    preprocess = Preprocess(spec, 96, 160)
    preprocess(frame)
    np.testing.assert_allclose(preprocess.tensor[0], reference(frame, spec, 96, 160), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_given_buffer_is_written_in_full(spec: InputSpec) -> None:
    """A pooled tensor must not show the border of the frame that used it before."""
    batch = np.full((2, 3, 96, 160), np.nan, np.float32)
    preprocess = Preprocess(spec, 96, 160)
    for index, size in enumerate([(80, 200), (200, 80)]):
        frame = make_frame(*size, seed=index)
        preprocess(frame, batch[index])
        np.testing.assert_allclose(batch[index], reference(frame, spec, 96, 160), rtol=1e-6, atol=1e-6)


def test_frames_of_changing_size_leave_no_traces() -> None:
    """A second camera size must not leave pixels of the first in the border."""
    preprocess = Preprocess(SPECS["yolo"], 96, 160)
    for size in [(80, 200), (200, 80), (80, 200), (96, 160)]:
        frame = make_frame(*size)
        preprocess(frame)
        np.testing.assert_allclose(preprocess.tensor[0], reference(frame, SPECS["yolo"], 96, 160), atol=1e-6)


def test_frame_that_is_a_view_of_a_larger_picture_works() -> None:
    """Cropped cameras hand over views whose rows are not adjacent in memory."""
    frame = make_frame(120, 200)[10:100, 20:180]
    preprocess = Preprocess(SPECS["yolo"], 96, 160)
    preprocess(frame)
    np.testing.assert_allclose(preprocess.tensor[0], reference(frame, SPECS["yolo"], 96, 160), atol=1e-6)


def test_frame_is_left_unchanged() -> None:
    """Sinks draw on the frame after preprocessing has seen it."""
    frame = make_frame(96, 160)
    before = frame.copy()
    Preprocess(SPECS["yolo"], 96, 160)(frame)
    np.testing.assert_array_equal(before, frame)


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_other_arrays_than_bgr_frames_are_refused(frame: np.ndarray) -> None:
    """A grey or float picture would otherwise give plausible nonsense."""
    with pytest.raises(ValueError, match="expected a frame"):
        Preprocess(SPECS["yolo"], 96, 160)(frame)


def test_buffer_of_another_shape_is_refused() -> None:
    """Numpy would broadcast into it silently."""
    with pytest.raises(ValueError, match="expected out"):
        Preprocess(SPECS["yolo"], 96, 160)(make_frame(8, 8), np.zeros((3, 96, 161), np.float32))
