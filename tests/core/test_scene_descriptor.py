"""Descriptors measure what their names say, on pictures that are made to have it."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.scene_descriptor import describe, descriptor_vector, small_size, with_objects
from edgekit.scenes import render_scene, split_seed


def small(frame):
    return cv2.resize(frame, small_size(frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_AREA)


def scene(condition="day", number=0):
    return render_scene(split_seed("calib", 50_000 + number), condition, 640, 360).frame


def found(*boxes):
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(rows, np.ones(len(rows), np.float32), np.arange(len(rows), dtype=np.int32)[::-1] % 3)


def test_a_flat_grey_picture_has_nothing_but_light():
    """Zero is where every measure of structure begins; a division by zero would spoil a whole set."""
    described = describe(np.full((90, 160, 3), 80, np.uint8))
    assert (described.light, described.contrast, described.warmth, described.haze) == (80, 0, 1, 80)
    assert (described.sharpness, described.noise, described.glare, described.glare_blob, described.edges) == (0,) * 5
    assert (described.objects, described.class_ids) == (-1, ())


def test_black_and_white_pictures_give_finite_numbers():
    for level in (0, 255):
        described = describe(np.full((90, 160, 3), level, np.uint8))
        assert np.isfinite(descriptor_vector(described)).all()
    assert (described.glare, described.glare_blob) == (1, 1)


def test_light_and_warmth_follow_the_colours():
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:] = (50, 100, 150)  # blue, green, red
    described = describe(picture)
    assert described.light == pytest.approx(0.114 * 50 + 0.587 * 100 + 0.299 * 150, abs=0.01)
    assert described.warmth == pytest.approx(151 / 51, abs=0.001)
    assert describe(picture[:, :, ::-1]).warmth < 1


@pytest.mark.parametrize("deviation", [3.0, 6.0, 12.0])
def test_noise_is_the_standard_deviation_of_added_grain(deviation):
    """The threshold is in grey levels; an estimate off by a factor would move it."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(60, 180, 160)[None, :, None] + np.zeros((90, 160, 3))
    grain = rng.normal(0, deviation, (90, 160))[:, :, None]
    described = describe(np.clip(ramp + grain, 0, 255).astype(np.uint8))
    assert described.noise == pytest.approx(deviation, rel=0.25)


def test_blur_lowers_sharpness_whatever_its_direction():
    frame = scene()
    sharp = describe(small(frame)).sharpness
    for size in ((25, 1), (1, 25), (17, 17)):
        assert describe(small(cv2.blur(frame, size))).sharpness < 0.85 * sharp


def test_fog_raises_haze_and_lowers_edges():
    clear, fog = describe(small(scene("day", 3))), describe(small(scene("fog", 3)))
    assert fog.haze > 2 * clear.haze
    assert fog.edges < 0.5 * clear.edges


def test_the_largest_saturated_patch_is_told_from_scattered_lamps():
    """A low sun is one patch; the lamps of a night street are many small ones."""
    sun, lamps = np.full((90, 160, 3), 40, np.uint8), np.full((90, 160, 3), 40, np.uint8)
    cv2.circle(sun, (50, 30), 8, (255, 255, 255), -1)
    lamps[4::15, 4::16] = 255
    of_sun, of_lamps = describe(sun), describe(lamps)
    assert of_sun.glare_blob == of_sun.glare > 0.01
    assert of_lamps.glare > 0.003
    assert of_lamps.glare_blob == pytest.approx(1 / (90 * 160), abs=1e-5)


def test_a_crooked_patch_is_one_patch():
    """Labels have to travel around corners."""
    picture = np.zeros((90, 160, 3), np.uint8)
    points = np.array([[10, 10], [150, 10], [150, 80], [20, 80], [20, 30], [120, 30]], np.int32)
    cv2.polylines(picture, [points], False, (255, 255, 255), 2)
    described = describe(picture)
    assert described.glare_blob == described.glare > 0


def test_objects_come_from_a_detector_in_network_pixels():
    described = with_objects(describe(small(scene())), found((0, 0, 30, 10), (0, 0, 40, 40), (5, 5, 6, 31.9)), 0.5)
    assert described.objects == 3
    assert described.tiny_objects == pytest.approx(2 / 3, abs=1e-4)
    assert described.class_ids == (0, 1, 2)
    empty = with_objects(described, Detections.empty(), 0.5)
    assert (empty.objects, empty.tiny_objects, empty.class_ids) == (0, 0, ())


def test_the_same_scene_at_another_resolution_is_described_alike():
    """A camera replaced by a finer one must not look like another place."""
    frame = scene()
    fine = cv2.resize(frame, (1920, 1080), interpolation=cv2.INTER_LINEAR)
    one, other = descriptor_vector(describe(small(frame))), descriptor_vector(describe(small(fine)))
    assert np.abs(one - other).max() < 0.6


@pytest.mark.parametrize("shape", [(90, 160), (90, 160, 4), (4, 160, 3)])
def test_another_array_is_our_own_mistake(shape):
    with pytest.raises(ValueError, match="expected"):
        describe(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(8, 8), (9, 160), (284, 160), (213, 160)])
def test_small_and_upright_pictures_are_described_too(shape):
    rng = np.random.default_rng(0)
    described = describe(rng.integers(0, 255, (*shape, 3)).astype(np.uint8))
    assert np.isfinite(descriptor_vector(described)).all()


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (160, 90)), ((100, 50), (100, 50)), ((4000, 3), (160, 1))]
)
def test_the_small_copy_keeps_the_shape(size, expected):
    assert small_size(*size) == expected


def test_a_descriptor_is_cheap_enough_for_every_frame():
    """A device is to afford it beside its work: about a millisecond on a PC's core, ten times that is a mistake."""
    picture = small(scene())
    describe(picture)
    times_s = []
    for _ in range(5):
        started = time.perf_counter()
        describe(picture)
        times_s.append(time.perf_counter() - started)
    assert min(times_s) < 0.02
