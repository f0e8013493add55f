"""Which box became which."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.control.labels.boxes import LabelBox
from edgekit.control.labels.changes import compare


def car(*edges, label="car", **options):
    return LabelBox(label, edges, **options)


def test_a_box_that_a_tool_rounded_is_the_same_and_keeps_its_edges():
    """Each round trip would else move every box a little, and the labels' digest with it."""
    before = car(10.123456, 20.5, 50.25, 90.0)
    changes = compare([before], [car(10.12, 20.0, 50.0, 90.4)])
    assert not changes.any
    assert changes.after == (before,)
    assert changes.fresh == ()


def test_each_box_finds_its_own_among_many():
    """The nearest counts, not the first."""
    before = [car(0, 0, 10, 10), car(100, 0, 140, 40), car(104, 0, 144, 40)]
    after = [car(104, 0, 144, 40), car(101.5, 0, 141.5, 40), car(0, 0, 10, 10)]
    changes = compare(before, after)
    assert (changes.same, changes.moved) == (2, (car(101.5, 0, 141.5, 40),))
    assert not changes.added + changes.removed


def test_another_class_is_told_from_a_new_box():
    changes = compare([car(0, 0, 40, 40)], [car(2, 0, 42, 40, label="bus")])
    assert changes.renamed == (("car", "bus"),)
    assert changes.fresh == (0,)


def test_a_box_of_its_class_is_preferred_to_one_of_another():
    """Two boxes around one thing, of two classes: neither was renamed."""
    before = [car(0, 0, 40, 40), car(0, 0, 40, 40, label="bus")]
    changes = compare(before, [before[1], before[0]])
    assert not changes.any


def test_a_crowd_and_an_object_in_one_place_are_not_mixed_up():
    before = [car(0, 0, 40, 40, crowd=True), car(0, 0, 40, 40)]
    assert not compare(before, before[::-1]).any
    assert compare(before[:1], before[1:]).crowd_changed == 1


def test_scores_of_a_detector_do_not_become_labels():
    """What a person has confirmed is certain."""
    changes = compare([car(0, 0, 40, 40, score=0.4)], [car(0, 0, 40, 40)])
    assert (changes.any, changes.after[0].score) == (False, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_every_box_is_accounted_for_once(seed):
    """Counts that do not add up are worse than none."""
    rng = np.random.default_rng(seed)

    def boxes(count):
        corners = rng.uniform(0, 60, (count, 2))
        sides = rng.uniform(0, 40, (count, 2))
        return [
            car(*corner, *(corner + side), label=str(rng.choice(["car", "bus"])))
            for corner, side in zip(corners, sides, strict=True)
        ]

    before = boxes(rng.integers(0, 12))
    kept = [box for box in before if rng.random() < 0.6]
    after = kept + boxes(rng.integers(0, 12))
    changes = compare(before, after)
    paired = len(after) - len(changes.added)
    assert paired == len(before) - len(changes.removed)
    assert len(changes.after) == len(after)
    assert changes.same >= len({box.box_xyxy for box in kept}) - len(changes.renamed)
