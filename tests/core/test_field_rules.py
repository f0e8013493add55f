"""Which frames are worth keeping, by their detections alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.field_rules import FLICKER_WITHIN_S, RARE_FROM, SeenClasses, StreamRules, View

SURE = 0.4
CAR, BUS = 0, 1
PLACE = (100.0, 100.0, 200.0, 180.0)


def found(*objects):
    """Each (box, score, class id)."""
    boxes, scores, ids = zip(*objects) if objects else ((), (), ())
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(ids, np.int32))


def view(detections, time_s=0.0):
    return View(detections, 640, 360, time_s)


@pytest.fixture
def rules():
    return StreamRules(SeenClasses())


def flicker_of(rules, frames, every_s=0.1):
    """What each frame in turn shows to have been missing from the one before it."""
    return [len(rules.flickered(view(frame, index * every_s), SURE)) for index, frame in enumerate(frames)]


@pytest.mark.parametrize(("score", "reasons"), [(0.39, ("uncertain",)), (0.4, ())])
def test_an_object_just_above_the_confidence_is_uncertain(rules, score, reasons):
    """The frames that the next calibration learns most from."""
    assert rules.reasons(view(found((PLACE, score, CAR))), SURE) == reasons


def test_a_parked_car_is_uncertain_once(rules):
    """A fixed camera would fill the disk with the same picture."""
    frame = found((PLACE, 0.3, CAR))
    rules.kept(frame)
    assert rules.reasons(view(frame), SURE) == ()
    assert rules.reasons(view(found((PLACE, 0.3, BUS))), SURE) == ("uncertain",)
    moved = found(((300.0, 100.0, 400.0, 180.0), 0.3, CAR))
    assert rules.reasons(view(moved), SURE) == ("uncertain",)


def test_a_frame_that_lacks_what_the_frames_around_it_have_flickers(rules):
    """INT8 loses objects for single frames first."""
    there, empty = found((PLACE, 0.8, CAR)), found()
    assert flicker_of(rules, [there, empty, there, there]) == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([found((PLACE, 0.8, CAR)), found((PLACE, 0.3, CAR)), found((PLACE, 0.8, CAR))], "there, but less sure"),
        ([found((PLACE, 0.3, CAR)), found(), found((PLACE, 0.8, CAR))], "not sure before"),
        ([found((PLACE, 0.8, CAR)), found(), found((PLACE, 0.3, CAR))], "not sure after"),
        ([found((PLACE, 0.8, CAR)), found(), found((PLACE, 0.8, BUS))], "another class"),
        ([found((PLACE, 0.8, CAR)), found(), found(), found((PLACE, 0.8, CAR))], "gone for two frames"),
        ([found(((0.0, 90.0, 80.0, 200.0), 0.8, CAR)), found(), found(((0.0, 90.0, 80.0, 200.0), 0.8, CAR))], "border"),
        ([found((PLACE, 0.8, CAR)), found(), found(((300.0, 100.0, 400.0, 180.0), 0.8, CAR))], "elsewhere"),
    ],
)
def test_what_comes_and_goes_for_another_reason_does_not_flicker(rules, frames, why):
    """The budget would go to frames in which nothing is wrong."""
    assert not any(flicker_of(rules, frames)), why


def test_frames_far_apart_in_time_tell_no_flicker(rules):
    """At a frame a second the car is another one."""
    there = found((PLACE, 0.8, CAR))
    assert not any(flicker_of(rules, [there, found(), there], every_s=FLICKER_WITHIN_S))


def test_a_class_gets_rare_once_many_objects_were_seen(rules):
    """The long tail is what this is for; at the beginning everything is rare and nothing is known."""
    car, bus = found((PLACE, 0.8, CAR)), found((PLACE, 0.8, BUS))
    assert rules.reasons(view(bus), SURE) == ()
    for _ in range(RARE_FROM):
        assert rules.reasons(view(car), SURE) == ()
    assert rules.reasons(view(bus), SURE) == ("rare",)
    rules.kept(bus)
    assert rules.reasons(view(bus), SURE) == (), "it stands where it stood"
    for _ in range(5):
        rules.reasons(view(bus), SURE)
    assert rules.reasons(view(found(((9.0, 9.0, 99.0, 99.0), 0.8, BUS))), SURE) == (), "2 % of all by now"


def test_empty_frames_and_boxes_without_an_area_are_no_trouble(rules):
    """Detectors give them, and a rule that fails costs the service a frame."""
    point = found(((5.0, 5.0, 5.0, 5.0), 0.9, CAR))
    with np.errstate(all="raise"):
        assert flicker_of(rules, [found(), point, point, found(), point]) == [0] * 5
        rules.kept(point)
        rules.reasons(view(point), 1.0)
