"""Whether pictures show anything."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.camera_condition import PictureWatch


def noisy(seed, size=(48, 64), level=100.0, spread=10.0):
    pixels = np.random.default_rng(seed).normal(level, spread, (*size, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def states(pictures, fps=10.0, watch=None):
    watch = watch or PictureWatch()
    return [watch.see(pixels, 100.0 + number / fps) for number, pixels in enumerate(pictures)]


def test_moving_pictures_are_ok():
    """A false alarm on each camera, and nobody would look any more."""
    assert {c.state for c in states(noisy(n) for n in range(200))} == {"ok"}


def test_the_same_bytes_for_ten_seconds_are_frozen_since_the_first():
    """An encoder that hangs sends its last picture for ever, and detections go on as if all were well."""
    found = states([noisy(1), *[noisy(2)] * 150])
    assert [c.state for c in found[:100]] == ["ok"] * 100
    assert found[-1].state == "frozen" and 100.0 <= found[-1].since_s <= 101.0


@pytest.mark.parametrize("where", [(0, 0, 0), (47, 63, 2), (13, 5, 1)])
def test_one_changed_byte_between_looks_is_a_moving_picture(where):
    """A still scene at night, with a sensor that works, would be called frozen."""
    pictures = []
    for number in range(300):
        pixels = noisy(2).copy()
        pixels[where] = number % 251
        pictures.append(pixels)
    assert {c.state for c in states(pictures)} == {"ok"}


def test_a_frozen_picture_that_moves_again_is_ok():
    """The alarm would stay on."""
    assert states([*[noisy(2)] * 150, *[noisy(n) for n in range(10)]])[-1].state == "ok"


def test_a_black_picture_is_told_after_three_seconds():
    """A cap left on the lens looks like a street without cars."""
    found = states(noisy(n, level=1, spread=1) for n in range(60))
    assert found[20].state == "ok" and found[-1].state == "black" and found[-1].since_s == 100.0


@pytest.mark.parametrize("level, spread", [(8, 12), (30, 2)], ids=["dark with lamps", "grey fog"])
def test_night_and_fog_are_not_black(level, spread):
    """Half of each day would be an alarm."""
    assert {c.state for c in states(noisy(n, level=level, spread=spread) for n in range(100))} == {"ok"}


def test_another_size_than_at_first_is_told_and_ends_with_it():
    """Zones are in pixels of the size they were drawn for."""
    small, large = noisy(1, (24, 32)), noisy(2)
    found = states([large, small, small, noisy(3)])
    assert [c.state for c in found] == ["ok", "wrong size", "wrong size", "ok"]
    assert found[2].since_s == 100.1 and found[2].detail == "pictures are 32x24, expected 64x48"


def test_another_size_than_asked_for_is_told():
    """A USB camera picks the nearest mode it has, without a word."""
    assert states([noisy(1)], watch=PictureWatch((1280, 720)))[0].state == "wrong size"


def test_after_a_gap_the_picture_before_it_does_not_count():
    """A static test picture would be frozen at the moment a camera comes back."""
    watch = PictureWatch()
    states([noisy(1)] * 95, watch=watch)
    watch.forget_picture()
    assert watch.see(noisy(1), 300.0).state == "ok"
