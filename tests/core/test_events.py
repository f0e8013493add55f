"""From tracks to events: who enters, leaves, stays and crosses, told once each."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.event_rules import EventRules, StreamWatch
from edgekit.core.events import Event, EventSettings, LineCount, ZoneCount
from edgekit.core.tracking import Tracks
from edgekit.core.wire import from_wire
from edgekit.core.zones import Line, Zone

LABELS = ("car", "person")
SIZE = (1000, 500)
FPS = 10.0
# From x = 400 to 600 over the whole height of the picture.
YARD = Zone("yard", ((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)))
# Upwards in the middle: to the right is to the right.
DOOR = Line("door", (0.5, 1.0), (0.5, 0.0), to_right="in", to_left="out")


def tracks(places, class_id=0, size=40.0, seen=True, ended=()):
    """Tracks whose bottom centres are at {number: (x, y)}."""
    ids = np.array(sorted(places), np.int64)
    points = np.array([places[number] for number in sorted(places)], np.float32).reshape(-1, 2)
    half = size / 2
    boxes = np.concatenate([points, points], axis=1) + np.array([-half, -size, half, 0], np.float32)
    count = len(ids)
    return Tracks(
        ids,
        boxes,
        np.full(count, 0.8, np.float32),
        np.full(count, class_id, np.int32),
        np.ones(count),
        np.zeros(count),
        np.zeros(count, bool),
        np.arange(count) if seen else np.full(count, -1),
        tuple(ended),
    )


def walk(rules, xs, y=250.0, start=0, **more):
    """Events of one object that is at x = xs[0], xs[1] ..., one frame each; None: it has ended."""
    events = []
    for index, x in enumerate(xs, start):
        now = tracks({} if x is None else {1: (x, y)}, **more)
        events += rules.update(now, SIZE, index / FPS, 1e9 + index / FPS)
    return events


def told(events):
    return [(event.kind, event.place, event.direction) for event in events]


def test_entering_and_leaving_is_told_once_each():
    """The basic promise, with all that an event says."""
    enter, leave = walk(EventRules(EventSettings((YARD,)), LABELS, "north"), range(300, 700, 10))
    assert enter == Event(
        "enter", "yard", "north", 1, "car", 0.8, (390, 210, 430, 250), 1.1, 1e9 + 1.1, dwell_s=0.0
    )  # fmt: skip
    assert (leave.kind, leave.time_s, leave.dwell_s, leave.out_of_sight) == ("leave", 3.1, 2.0, False)


def test_a_box_that_trembles_on_an_edge_enters_once():
    """4 px of jitter on a box of 40 px, on the edge for a minute: a counter without hysteresis counts hundreds."""
    rng = np.random.default_rng(5)
    xs = [300, *(400 + rng.uniform(-3.9, 3.9, 600)), *range(410, 700, 10)]
    assert [event.kind for event in walk(EventRules(EventSettings((YARD,)), LABELS), xs)] == ["enter", "leave"]
    many = walk(EventRules(EventSettings((YARD,), hysteresis=0.0), LABELS), xs)
    assert len(many) > 20


def test_a_box_that_trembles_on_a_line_crosses_once():
    """The same for a line, and back."""
    rng = np.random.default_rng(6)
    noise = (500 + rng.uniform(-3.9, 3.9, 300)).tolist()
    rules = EventRules(EventSettings(lines=(DOOR,)), LABELS)
    assert told(walk(rules, [450, *noise, 550])) == [("cross", "door", "in")]
    assert told(walk(rules, [550, *noise, 450], start=400)) == [("cross", "door", "out")]
    assert told(walk(rules, [450, *noise, 450], start=800)) == []


def test_staying_is_told_once_a_visit():
    """Nobody wants an event a frame about a parked car."""
    rules = EventRules(EventSettings((Zone("yard", YARD.points, stay_s=2.0),)), LABELS)
    events = walk(rules, [300, *[500] * 40, 700, 300, *[500] * 40])
    assert [(event.kind, event.dwell_s) for event in events] == [
        ("enter", 0.0), ("stay", 2.0), ("leave", 4.0), ("enter", 0.0), ("stay", 2.0),
    ]  # fmt: skip


def test_who_is_not_seen_for_a_moment_does_not_leave():
    """Behind a pole the box is a guess, which must not open and close visits."""
    rules = EventRules(EventSettings((YARD,)), LABELS)
    walk(rules, [300, 500])
    assert walk(rules, [700] * 5, start=2, seen=False) == []
    assert walk(rules, [500], start=7) == []


def test_who_is_lost_inside_leaves_out_of_sight():
    """The number present would grow for ever; the stay is as long as it was seen."""
    rules = EventRules(EventSettings((YARD,)), LABELS)
    walk(rules, [300, 500, 500, 500])
    walk(rules, [500] * 20, start=4, seen=False)
    (left,) = walk(rules, [None], start=24)
    assert (left.kind, left.out_of_sight, left.dwell_s, left.time_s) == ("leave", True, 0.2, 2.4)
    assert rules.counts().zones == (ZoneCount("yard", "", "car", entered=1, left=1),)


def test_who_appears_inside_enters_out_of_sight():
    """From a house in the zone someone comes who never passed its edge."""
    (enter,) = walk(EventRules(EventSettings((YARD,)), LABELS), [500, 505, 510])
    assert (enter.kind, enter.out_of_sight) == ("enter", True)


def test_rules_ask_for_classes():
    """A zone for people says nothing of cars; a car that turns out to be a person enters then."""
    rules = EventRules(EventSettings((Zone("yard", YARD.points, ("person",)),), (DOOR,)), LABELS)
    assert told(walk(rules, [450, 480, 550])) == [("cross", "door", "in")]
    assert told(walk(rules, [550], start=3, class_id=1)) == [("enter", "yard", "")]
    # It leaves as what it entered, or the counters of a class would not fit each other.
    (left,) = walk(rules, [700], start=4, class_id=0)
    assert (left.kind, left.class_name) == ("leave", "person")


def test_a_line_counts_between_its_ends_only():
    """Who walks around the gate has not gone through it."""
    gate = Line("gate", (0.5, 1.0), (0.5, 0.6))
    assert told(walk(EventRules(EventSettings(lines=(gate,)), LABELS), [450, 550], y=250)) == []
    assert told(walk(EventRules(EventSettings(lines=(gate,)), LABELS), [450, 550], y=350)) == [
        ("cross", "gate", "right")
    ]


@pytest.mark.parametrize("seed", range(20))
def test_crossings_of_straight_ways_are_as_many_as_they_are(seed):
    """Random lines and straight ways, at random paces: the truth is where two straight lines meet."""
    rng = np.random.default_rng(seed)
    line = Line("any", tuple(rng.uniform(0, 1, 2)), tuple(rng.uniform(0, 1, 2)))
    ways = rng.uniform(-200, 1200, (30, 2, 2))
    rules = EventRules(EventSettings(lines=(line,), hysteresis=0.0), LABELS)
    found = []
    for index, share in enumerate(np.sort(np.append(rng.uniform(0, 1, 25), [0, 1]))):
        places = {number: tuple(way[0] + share * (way[1] - way[0])) for number, way in enumerate(ways, 1)}
        found += [(event.track_id, event.direction) for event in rules.update(tracks(places), SIZE, index, index)]
    expected = [(number, side) for number, way in enumerate(ways, 1) for side in meets(way, line)]
    assert sorted(found) == sorted(expected)


def meets(way, line):
    """By solving for where they meet; [] if they do not, else the hand one ends up on."""
    start, end = np.array(line.start) * SIZE, np.array(line.end) * SIZE
    try:
        at, along = np.linalg.solve(np.stack([way[1] - way[0], start - end], axis=1), start - way[0])
    except np.linalg.LinAlgError:
        return []
    turned = (end - start)[0] * (way[1] - start)[1] - (end - start)[1] * (way[1] - start)[0]
    return ["right" if turned > 0 else "left"] if 0 <= at <= 1 and 0 <= along <= 1 else []


def test_a_narrow_zone_can_be_entered():
    """A kerb of 4 px, and boxes of 100 px whose margin alone would be 10."""
    kerb = Zone("kerb", ((0.4, 0.0), (0.404, 0.0), (0.404, 1.0), (0.4, 1.0)))
    events = walk(EventRules(EventSettings((kerb,)), LABELS), [380, 402, 420], size=100.0)
    assert [event.kind for event in events] == ["enter", "leave"]


def test_zones_follow_the_size_of_the_picture_and_pixels_do_not():
    """A camera that is set to half the size keeps its zones, if they are given as shares."""
    pixels = Zone("yard", ((400, 0), (600, 0), (600, 500), (400, 500)))
    half = tracks({1: (250, 100)})
    assert EventRules(EventSettings((YARD,)), LABELS).update(half, (500, 250), 0, 0)
    assert not EventRules(EventSettings((pixels,), units="pixels"), LABELS).update(half, (500, 250), 0, 0)


def test_counters_say_who_is_there_and_who_went_where():
    """What the metrics and the page show."""
    rules = EventRules(EventSettings((YARD,), (DOOR,)), LABELS, "north")
    for index, x in enumerate((300, 450, 550)):
        rules.update(tracks({1: (x, 100), 2: (x, 300)}), SIZE, index, index)
    rules.update(tracks({1: (550, 100), 2: (700, 300)}), SIZE, 3, 3)
    assert rules.counts().zones == (ZoneCount("yard", "north", "car", entered=2, left=1, present=1),)
    assert rules.counts().lines == (LineCount("door", "north", "car", "in", 2),)


def test_new_settings_keep_the_counters_and_visits_of_what_stayed():
    """Someone draws a second zone while a car is parked in the first: it must not enter again, nor its time restart."""
    rules = EventRules(EventSettings((YARD,), (DOOR,)), LABELS)
    walk(rules, [300, 450, 550])
    other = Zone("street", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    rules.reload(EventSettings((other, YARD)))
    assert told(walk(rules, [550], start=3)) == [("enter", "street", "")]
    (_, left) = walk(rules, [300], start=13)
    assert (left.place, left.kind, left.dwell_s) == ("yard", "leave", 1.2)
    assert [(zone.zone, zone.entered) for zone in rules.counts().zones] == [("street", 1), ("yard", 1)]
    assert rules.counts().lines == ()


def test_a_zone_that_was_moved_lets_out_who_is_no_longer_in_it():
    """Its counters go on; the visit ends as the zone went away from under it."""
    rules = EventRules(EventSettings((YARD,)), LABELS)
    walk(rules, [300, 500])
    rules.reload(EventSettings((Zone("yard", ((0.8, 0.0), (0.9, 0.0), (0.9, 1.0))),)))
    assert told(walk(rules, [500], start=2)) == [("leave", "yard", "")]
    assert rules.counts().zones[0].entered == 1


def test_a_line_that_was_moved_over_an_object_was_not_crossed_by_it():
    """The line moved, not the car."""
    rules = EventRules(EventSettings(lines=(DOOR,)), LABELS)
    walk(rules, [300, 310, 320])
    rules.reload(EventSettings(lines=(Line("door", (0.1, 1.0), (0.1, 0.0)),)))
    assert walk(rules, [330, 340], start=3) == []


def test_memory_of_a_rule_is_that_of_the_objects_there_are():
    """Months of passers-by."""
    rules = EventRules(EventSettings((YARD,), (DOOR,)), LABELS)
    for number in range(1, 300):
        rules.update(tracks({number: (300, 100)}), SIZE, number, number)
        rules.update(tracks({number: (560, 100)}), SIZE, number + 0.5, number)
    zone, line = rules._rules
    assert (len(zone._visits), len(zone._outside), len(line._last)) == (1, 1, 1)


def test_an_event_is_one_line_of_json():
    """For files and MQTT; readers get back what was written."""
    (event,) = walk(EventRules(EventSettings(lines=(DOOR,)), LABELS), [450, 550])
    line = event.to_line()
    assert (line.count("\n"), line[-1]) == (1, "\n")
    assert from_wire(Event, json.loads(line)) == event


def test_an_event_of_no_known_kind_is_refused():
    """Readers tell events apart by it."""
    with pytest.raises(ValueError, match="kind: expected one of enter, leave, stay, cross"):
        Event("exit", "yard", "", 1, "car", 0.8, (0, 0, 1, 1), 0, 0)


def test_cameras_are_watched_apart_from_each_other():
    """Number 1 of one camera is not number 1 of the other, nor is a zone of the one a zone of the other."""
    settings = EventSettings((Zone("yard", YARD.points, stream="north"),), (DOOR,))
    watch = StreamWatch(settings, LABELS)
    events = []
    for index, x in enumerate(range(300, 561, 20)):
        box = np.array([[x - 50, 100, x + 50, 200]], np.float32)
        for stream in ("north", "south"):
            found = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
            events += watch.update(stream, found, SIZE, index / 10, 1e9).events
    assert [(event.stream, event.kind) for event in events] == [
        ("north", "enter"),
        ("north", "cross"),
        ("south", "cross"),
    ]
    assert [count.stream for count in watch.counts().lines] == ["north", "south"]
    watch.restart()
    (left,) = watch.update("north", Detections.empty(), SIZE, 0.0, 1e9).events
    assert (left.kind, left.out_of_sight) == ("leave", True)


def test_new_settings_reach_every_camera():
    """A reload is for all of them, and nobody gets a new number by it."""
    watch = StreamWatch(EventSettings((YARD,)), LABELS)
    found = Detections(np.array([[450, 100, 550, 200]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    for index in range(3):
        watch.update("north", found, SIZE, index / 10, 1e9)
    watch.reload(EventSettings())
    assert watch.update("north", Detections.empty(), SIZE, 0.4, 1e9).tracks.ids.tolist() == [1]
    assert (watch.counts().zones, watch.refused) == ((), 0)


def test_hypothesis_finds_no_jitter_that_counts_a_line_twice():
    """Anything within the hysteresis of the line, in any order, between two clear places: one crossing or none."""
    hypothesis = pytest.importorskip("hypothesis")
    strategies = pytest.importorskip("hypothesis.strategies")
    trembling = strategies.lists(strategies.floats(-3.9, 3.9), max_size=30)

    @hypothesis.settings(max_examples=100, deadline=None, database=None)
    @hypothesis.given(trembling, strategies.booleans())
    def look(offsets, through):
        rules = EventRules(EventSettings(lines=(DOOR,)), LABELS)
        xs = [450, *(500 + offset for offset in offsets), 550 if through else 450]
        assert len(walk(rules, xs)) == (1 if through else 0)

    look()
