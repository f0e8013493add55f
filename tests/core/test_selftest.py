"""The self-test's rule: passes what the same engine gives again, catches what another one gives."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.selftest import SelfTestPicture, SelfTestPlan, objects_of, overlap
from edgekit.core.wire import from_wire, to_wire

LABELS = ("car", "person", "bus")


def street(seed: int = 7, count: int = 12) -> Detections:
    """Objects of all sizes; two thirds of them sure at a confidence of 0.25, the rest at its border."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 1000, (count, 2))
    size = random.uniform(8, 200, (count, 2))
    scores = np.where(np.arange(count) % 3 == 2, random.uniform(0.26, 0.34, count), random.uniform(0.4, 0.95, count))
    boxes = np.concatenate([corner, corner + size], axis=1)
    return Detections(boxes.astype(np.float32), scores.astype(np.float32), (np.arange(count) % 3).astype(np.int32))


def planned(found: Detections) -> SelfTestPlan:
    return SelfTestPlan("e" * 16, 0.25, (SelfTestPicture("00.jpg", "a" * 64, objects_of(found, LABELS)),))


def differences(now: Detections, before: Detections = None, labels=LABELS):
    plan = planned(before if before is not None else street())
    return plan.differences(plan.pictures[0], now, labels)


def moved(found: Detections, by_px: float, score: float = 0.0) -> Detections:
    return Detections(found.boxes_xyxy + np.float32(by_px), found.scores + np.float32(score), found.class_ids)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_answer_passes_also_after_rounding_and_noise(seed):
    """A self-test that fails by chance keeps a good release from starting, on every device of a fleet."""
    before = street(seed)
    random = np.random.default_rng(seed)
    noisy = Detections(
        before.boxes_xyxy + random.uniform(-0.3, 0.3, before.boxes_xyxy.shape).astype(np.float32),
        before.scores + random.uniform(-0.02, 0.02, len(before)).astype(np.float32),
        before.class_ids,
    )
    assert differences(before, before) == () == differences(noisy, before)


def test_order_does_not_matter():
    """Equal scores change places for a rounding error."""
    assert differences(street().select(np.arange(12)[::-1])) == ()


def test_an_engine_that_sees_nothing_is_caught():
    """The fault that looks like an empty street."""
    wrong = differences(Detections.empty())
    assert len(wrong) == 8 and all(line.startswith("not found: ") for line in wrong)


def test_swapped_labels_are_caught():
    """Detections in the right places, counted as something else."""
    assert differences(street(), labels=("person", "car", "bus"))


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(street(seed=8), id="another picture's objects"),
        pytest.param(moved(street(), 40.0), id="boxes off by 40 px"),
        pytest.param(moved(street(), 0.0, -0.15), id="scores too low by 0.15"),
        pytest.param(replace(street(), class_ids=(street().class_ids + 1) % 3), id="classes shifted by one"),
        pytest.param(street().select(np.arange(12) != 0), id="one of eight sure objects missing"),
    ],
)
def test_another_answer_is_caught(now):
    """Wrong weights, wrong scaling, wrong input."""
    assert differences(now)


def test_objects_that_were_not_there_are_caught():
    """A network that went mad sees things everywhere."""
    before, more = street(), street(seed=9, count=6)
    both = Detections(
        np.concatenate([before.boxes_xyxy, more.boxes_xyxy]),
        np.concatenate([before.scores, more.scores]),
        np.concatenate([before.class_ids, more.class_ids]),
    )
    assert any(line.startswith("not there before: ") for line in differences(both))


def test_objects_at_the_border_may_come_and_go_one_by_one():
    """A score of 0.251 is 0.249 the next time."""
    border = np.flatnonzero(street().scores < 0.35)
    assert differences(street().select(np.delete(np.arange(12), border[:1]))) == ()
    assert differences(street().select(np.delete(np.arange(12), border))) == (
        "0 objects at the border of being found, 4 before",
    )


def test_of_many_sure_objects_one_in_ten_may_be_missing():
    """In a crowd, suppression may keep the neighbour instead."""
    crowd = street(count=45)
    sure = np.flatnonzero(crowd.scores >= 0.35)
    assert len(sure) == 30
    assert differences(crowd.select(np.delete(np.arange(45), sure[:3])), crowd) == ()
    assert differences(crowd.select(np.delete(np.arange(45), sure[:4])), crowd)


def test_a_plan_without_sure_objects_says_so():
    """It cannot tell a blind engine from a good one, which somebody should know."""
    assert planned(street()).sure_objects == 8
    assert planned(Detections.empty()).sure_objects == 0
    assert differences(Detections.empty(), Detections.empty()) == ()


def test_a_plan_survives_the_wire():
    """It is a file of a release."""
    assert from_wire(SelfTestPlan, json.loads(json.dumps(to_wire(planned(street()))))) == planned(street())


def test_overlap_is_intersection_over_union():
    """Boxes without an area overlap nothing, themselves included."""
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (20, 20, 30, 30)) == 0 == overlap((3, 3, 3, 3), (3, 3, 3, 3))
