"""Zones and lines over a picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.events import EventSettings
from edgekit.core.zones import Line, Zone
from edgekit.runtime.page.overlay import draw_places


def grey(width=320, height=180):
    return np.full((height, width, 3), 80, np.uint8)


def changed(settings, stream="", scale=1.0, canvas=None):
    canvas = grey() if canvas is None else canvas
    draw_places(canvas, settings, stream, scale)
    return (canvas != 80).any(axis=2)


SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))


def test_a_zone_is_drawn_where_it_is():
    """A zone that lies elsewhere on the picture than in the rules explains nothing."""
    marks = changed(EventSettings(zones=(Zone("gate", SQUARE),)))
    assert marks[90, 160] and marks[45, 160] and marks[134, 239]
    assert not marks[90, 60] and not marks[20, 160] and not marks[160, 160]


def test_places_in_pixels_shrink_with_the_picture():
    """They are pixels of the frame, and large frames are shown small."""
    corners = ((400.0, 200.0), (1200.0, 200.0), (1200.0, 600.0), (400.0, 600.0))
    marks = changed(EventSettings(zones=(Zone("gate", corners),), units="pixels"), scale=0.2)
    assert marks[80, 160] and not marks[80, 70] and not marks[130, 160]


def test_a_line_has_an_arrow_to_its_right_hand_side():
    """Which way counts as `in` is the question that the picture has to answer."""
    upwards = EventSettings(lines=(Line("kerb", (0.5, 0.9), (0.5, 0.1), to_right="in", to_left="out"),))
    marks = changed(upwards)
    assert marks[100, 160]
    assert marks[90, 166:174].any() and marks[80:100, 174:200].sum() > marks[80:100, 120:146].sum()


def test_places_of_another_camera_are_left_out():
    """A zone of the gate over the picture of the yard would mislead."""
    settings = EventSettings(
        zones=(Zone("gate", SQUARE, stream="yard"),), lines=(Line("kerb", (0.1, 0.1), (0.2, 0.2), stream="yard"),)
    )
    assert not changed(settings, "street").any()
    assert changed(settings, "yard").any()


@pytest.mark.parametrize("corner", [-500.0, 0.0, 319.0, 5000.0])
def test_places_beyond_the_picture_do_no_harm(corner):
    """Settings in pixels may be of a larger camera than the one that came in its place."""
    corners = ((corner, corner), (corner + 40, corner), (corner + 40, corner + 30))
    settings = EventSettings(
        zones=(Zone("gate", corners),), lines=(Line("kerb", (corner, 0.0), (0.0, corner + 1)),), units="pixels"
    )
    canvas = grey()
    draw_places(canvas, settings, "", 1.0)
    assert canvas.shape == (180, 320, 3)
