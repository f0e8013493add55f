"""Where points lie beside zones and lines, and which settings are refused with which words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.events import Event, EventSettings
from edgekit.core.plane import anchors_of, breadth, crosses, depths, right_of
from edgekit.core.wire import from_wire, to_wire
from edgekit.core.zones import Line, Zone
from edgekit.errors import ConfigError

SQUARE = np.array([(10, 10), (30, 10), (30, 30), (10, 30)], float)
L_SHAPE = np.array([(0, 0), (40, 0), (40, 10), (10, 10), (10, 40), (0, 40)], float)
DOCS = Path(__file__).parents[2] / "docs" / "tracking.md"
AREA = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))


def inside_by_angles(point, corners):
    """The slow, obvious twin: seen from inside, the corners go once around."""
    directions = [math.atan2(y - point[1], x - point[0]) for x, y in corners]
    turns = [(b - a + math.pi) % (2 * math.pi) - math.pi for a, b in zip(directions, directions[1:] + directions[:1])]
    return abs(sum(turns)) > math.pi


@pytest.mark.parametrize(
    ("point", "depth"),
    [
        pytest.param((20, 20), 10, id="the middle"),
        pytest.param((12, 20), 2, id="beside an edge"),
        pytest.param((5, 20), -5, id="outside, beside an edge"),
        pytest.param((7, 6), -5, id="outside, off a corner"),
        pytest.param((20, 10), 0, id="on the edge"),
    ],
)
def test_depth_by_hand(point, depth):
    """Hysteresis is measured by it."""
    assert depths(np.array([point], float), SQUARE).tolist() == pytest.approx([depth], abs=1e-9)


@pytest.mark.parametrize(
    "corners", [SQUARE, SQUARE[::-1], L_SHAPE, L_SHAPE[::-1]], ids=["square", "back", "L", "L back"]
)
def test_inside_is_what_the_slow_twin_says(corners):
    """Also of shapes with a notch, and in either order of the corners."""
    points = np.random.default_rng(4).uniform(-5, 45, (500, 2))
    assert (depths(points, corners) > 0).tolist() == [inside_by_angles(point, corners.tolist()) for point in points]


def test_breadth_is_the_width_of_a_strip():
    """In a strip of 4 px nobody can be 5 px deep; the margin is taken from this."""
    assert breadth(np.array([(0, 0), (1000, 0), (1000, 4), (0, 4)], float)) == pytest.approx(4, rel=0.01)
    assert breadth(SQUARE) == pytest.approx(10)


def test_right_is_right_hand_as_one_looks_along_the_line():
    """A line drawn upwards: what is on the right in the picture is on its right."""
    points = np.array([(5, 5), (-5, 5), (0, 50)], float)
    assert right_of(points, np.array((0, 10.0)), np.array((0, 0.0))).tolist() == [5, -5, 0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [((-5, 5), (5, 5), True), ((-5, 15), (5, 15), False), ((-5, 12), (5, 6), True), ((-5, 10), (5, 10), True)],
    ids=["through the middle", "past the end", "slanting, just inside", "through the end"],
)
def test_a_way_crosses_a_line_between_its_ends_only(before, after, expected):
    """A line is no wall across the whole picture."""
    way = np.array(before, float), np.array(after, float)
    assert crosses(*way, np.array((0, 10.0)), np.array((0, 0.0))) is expected


def test_anchors_by_hand():
    """Feet, middle and head of a box."""
    box = np.array([[10, 20, 30, 60]], np.float32)
    assert [anchors_of(box, name).tolist() for name in ("bottom", "centre", "top")] == [
        [[20, 60]],
        [[20, 40]],
        [[20, 20]],
    ]


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        pytest.param({"points": AREA[:2]}, "points: expected 3 to 64 corners, got 2", id="two corners"),
        pytest.param({"points": ((0, 0), (1, 1), (1, 0), (0, 1))}, "corners 0 and 2 cross", id="an hourglass"),
        pytest.param({"points": ((0, 0), (0.5, 0.5), (1, 1))}, "all corners lie on one line", id="no area"),
        pytest.param({"points": (*AREA[:2], (math.nan, 0))}, "points: expected numbers", id="no number"),
        pytest.param({"name": "Car Park"}, "name: expected lower-case letters", id="a name with a blank"),
        pytest.param({"anchor": "feet"}, "anchor: expected one of bottom, centre, top, got", id="no such anchor"),
        pytest.param({"stay_s": -1}, "stay_s: expected seconds from 0 to 86400, got -1", id="a negative time"),
    ],
)
def test_a_zone_that_cannot_be_meant_is_refused(zone, reason):
    """A zone that silently never counts is the worst of settings."""
    with pytest.raises(ValueError, match=reason):
        Zone(**{"name": "gate", "points": AREA, **zone})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param({"end": (0.1, 0.2)}, "end: expected another point than start, \\(0.1, 0.2\\)", id="a point"),
        pytest.param({"to_left": "right"}, "to_left: expected another name than to_right", id="one name for both"),
        pytest.param({"to_right": ""}, "to_right: expected lower-case letters", id="no name"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(line, reason):
    """The same for lines."""
    with pytest.raises(ValueError, match=reason):
        Line(**{"name": "door", "start": (0.1, 0.2), "end": (0.3, 0.2), **line})


def test_settings_go_over_the_wire_and_back():
    """They travel in settings.json."""
    settings = EventSettings(
        (Zone("yard", AREA, ("car",), 5.0),), (Line("door", (0.1, 0.2), (0.3, 0.2), to_right="in", to_left="out"),)
    )
    assert from_wire(EventSettings, to_wire(settings)) == settings


@pytest.mark.parametrize(
    ("data", "path"),
    [
        pytest.param({"zones": [{"name": "a", "points": [[0, 0], [1, 0], [1, 2]]}]}, "zones[0].points[2]", id="over"),
        pytest.param({"lines": [{"name": "a", "start": [0, 0], "end": [1, -1]}]}, "lines[0].end", id="below 0"),
        pytest.param({"zones": [{"name": "a", "points": [[0, 0], [1, 0]]}]}, "s.zones[0]: points", id="two corners"),
        pytest.param({"zones": [{"name": "a", "points": [[0, 0], [1, "x"]]}]}, "s.zones[0].points[1][1]", id="text"),
        pytest.param({"units": "cm"}, "units: expected one of relative, pixels", id="units"),
        pytest.param({"hysteresis": 2}, "hysteresis: expected a number from 0 to 1, got 2", id="hysteresis"),
        pytest.param({"tracking": {"lost_s": -1}}, "s.tracking: lost_s", id="tracking"),
        pytest.param({"zone": []}, "s.zone: unknown field", id="a typing error"),
        pytest.param(
            {"lines": [{"name": "a", "start": [0, 0], "end": [1, 1]}] * 2},
            "lines[1].name: 'a' is the name of lines[0]",
            id="a name twice",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_path(data, path):
    """Whoever wrote the file must find the place."""
    with pytest.raises(ConfigError) as caught:
        from_wire(EventSettings, data, "s")
    assert path in caught.value.why


def test_pixels_may_lie_anywhere():
    """In pixels nothing is known of the size of the picture."""
    line = Line("a", (100, 0), (100, 900))
    assert EventSettings(lines=(line,), units="pixels").lines == (line,)


def test_unknown_classes_and_cameras_are_named():
    """A zone for "cars" of a detector that says "car" would stay empty for ever."""
    settings = EventSettings(
        (Zone("a", AREA, ("car", "cars")),), (Line("b", (0, 0), (1, 1), stream="north"),)
    )  # fmt: skip
    classes, stream = settings.unknown_names(("car", "bus"), ("south",))
    assert classes == "zones[0].classes: the detector has no class 'cars'; it has car, bus"
    assert stream == "lines[0].stream: no camera is named 'north'; there are south"
    assert settings.unknown_names(("car", "cars"), ("north",)) == ()


def test_the_settings_and_the_event_of_the_page_for_users_are_valid():
    """What people copy from the documentation must be taken."""
    yaml = pytest.importorskip("yaml")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n)+", DOCS.read_text("utf-8"), re.MULTILINE)
    settings = from_wire(EventSettings, yaml.safe_load(next(block for block in blocks if "zones:" in block)))
    event = from_wire(Event, json.loads(next(block for block in blocks if '"kind"' in block)))
    assert [zone.name for zone in settings.zones] == ["yard", "kerb"]
    assert event.place == settings.lines[0].name
