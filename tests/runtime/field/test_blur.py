"""What is left of a person or a number plate in a picture that is kept."""

from __future__ import annotations

import math
import random
import string
from collections import Counter

import cv2
import numpy as np
import pytest

from edgekit.runtime.field.blur import blurred

BOX = (60.0, 40.0, 180.0, 100.0)


def street(seed=1):
    return np.random.default_rng(seed).integers(0, 256, (120, 240, 3), dtype=np.uint8)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def plate(text):
    """Dark letters on a white plate that fills a box, in grey."""
    picture = np.full((120, 240, 3), 90, np.uint8)
    left, top, right, bottom = (int(value) for value in BOX)
    picture[top:bottom, left:right] = 250
    cv2.putText(picture, text, (left + 6, bottom - 18), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (20, 20, 20), 3)
    return picture


def test_a_box_with_its_margin_becomes_a_few_blocks():
    """A face would still be one."""
    picture = street()
    result = blurred(picture, boxes(BOX))
    hidden = result[34:106, 48:192]
    colours = np.unique(hidden.reshape(-1, 3), axis=0)
    assert len(colours) <= 8
    for row in range(0, 72, 36):
        for column in range(0, 144, 36):
            block = hidden[row : row + 36, column : column + 36].reshape(-1, 3)
            assert (block == block[0]).all()


def test_the_rest_of_the_picture_stays_as_it_is():
    """A calibration set of mosaics would be worse than none."""
    picture = street()
    result = blurred(picture, boxes(BOX))
    rest = np.ones((120, 240), bool)
    rest[34:106, 48:192] = False
    assert np.array_equal(result[rest], picture[rest])


def test_the_frame_of_the_pipeline_is_not_touched():
    """Others look at the same memory: a person would flicker on the page and in clips."""
    picture = street()
    before = picture.copy()
    picture.flags.writeable = False
    blurred(picture, boxes(BOX))
    assert np.array_equal(picture, before)
    assert blurred(picture, boxes()) is picture


def test_a_number_plate_cannot_be_found_by_trying_all_numbers():
    """Whoever draws every number and compares the blocks would find the one."""
    chance = random.Random(1)
    numbers = {
        "".join(chance.choices(string.ascii_uppercase, k=3) + chance.choices(string.digits, k=3)) for _ in range(300)
    }
    mosaics = Counter(blurred(plate(number), boxes(BOX)).tobytes() for number in numbers)
    shares = [times / len(numbers) for times in mosaics.values()]
    assert -sum(share * math.log2(share) for share in shares) < 2.0  # bits, of the 24 that such a number has


def test_nothing_of_the_detail_is_left_for_sharpening():
    """A mosaic that averages too little is a small picture of what it hides."""
    chance = np.random.default_rng(4)
    hidden = (chance.integers(0, 2, (60, 120)) * 255).astype(np.uint8)
    picture = np.full((120, 240, 3), 127, np.uint8)
    picture[40:100, 60:180] = hidden[..., None]
    result = blurred(picture, boxes(BOX))[40:100, 60:180, 0].astype(float)
    likeness = np.corrcoef(result.ravel(), hidden.ravel())[0, 1] if result.std() else 0.0
    assert abs(likeness) < 0.05


@pytest.mark.parametrize(
    "box", [(-50, -20, 30, 40), (200, 90, 400, 300), (-10, -10, 500, 500), (5, 5, 6, 6), (238.6, 0, 239.9, 119.5)]
)
def test_a_box_at_the_border_is_hidden_as_far_as_it_shows(box):
    """People who walk out of the picture would be kept."""
    picture = street()
    result = blurred(picture, boxes(box))
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(240, int(np.ceil(box[2]))), min(120, int(np.ceil(box[3])))
    hidden = result[top:bottom, left:right]
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 36
    assert not np.array_equal(hidden, picture[top:bottom, left:right])


def test_a_box_beside_the_picture_hides_nothing():
    """It would end the worker."""
    picture = street()
    assert blurred(picture, boxes((300, 10, 400, 60))) is picture


def test_a_box_that_is_no_numbers_is_no_reason_to_show_a_person():
    """Where it cannot be hidden the frame must not be written."""
    with pytest.raises(ValueError):
        blurred(street(), boxes((float("nan"), 1, 20, 20)))


def test_overlapping_people_are_all_hidden():
    """The second would be cut out of the first's blocks."""
    picture = street()
    result = blurred(picture, boxes((20, 20, 60, 100), (50, 20, 90, 100)))
    assert len(np.unique(result[20:100, 20:90].reshape(-1, 3), axis=0)) <= 40
