"""What is told of a calibration set, and how far from it a camera's scenes are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.core.scene_descriptor import SceneDescriptor, descriptor_vector
from edgekit.core.scenes_seen import DIMENSIONS, MOST_POINTS, DriftWatch, ScenesSeen, summarise
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

DAY, NIGHT, FOG = "light:day", "light:night", "weather:fog"


def vectors(count, around=0.0, seed=3):
    return list(np.random.default_rng(seed).normal(around, 1.0, (count, DIMENSIONS)).astype(np.float32))


def seen_of(count=200, strata=(DAY,)):
    return summarise("days", "a" * 64, vectors(count), [strata] * count)


def watch_after(*looks):
    """looks: (times, distance, strata)"""
    watch = DriftWatch(seen_of())
    for times, distance, strata in looks:
        for _ in range(times):
            watch.look(distance, strata)
    return watch


def test_points_have_as_many_numbers_as_a_descriptor():
    """Another number would be found out by the first frame on a device."""
    described = SceneDescriptor(100.0, 40.0, 1.0, 1.7, 0.5, 20.0, 0.0, 0.0, 0.1)
    assert descriptor_vector(described).shape == (DIMENSIONS,)


def test_more_of_the_same_scenes_lie_within_reach_and_others_beyond():
    """Else drift would be told of every camera, or of none."""
    watch = DriftWatch(seen_of())
    same = [watch.distance(vector) > 1.0 for vector in vectors(500, seed=4)]
    other = [watch.distance(vector) > 1.5 for vector in vectors(500, around=4.0, seed=5)]
    assert 0.01 < np.mean(same) < 0.12 and np.mean(other) > 0.99


def test_a_large_set_is_told_by_few_points_and_no_other_answer():
    """scenes.json travels with every release."""
    seen = seen_of(3000)
    assert len(seen.points) == MOST_POINTS and seen.pictures == 3000
    assert len(json.dumps(to_wire(seen))) < 40_000
    watch = DriftWatch(seen)
    assert np.mean([watch.distance(vector) > 1.0 for vector in vectors(500, seed=4)]) < 0.12


def test_pictures_that_are_all_alike_make_no_drift_of_a_breath_of_wind():
    """A set from one fixed camera has next to no reach of its own."""
    still = [np.full(DIMENSIONS, 2.0, np.float32) for _ in range(20)]
    watch = DriftWatch(summarise("still", "a" * 64, still, [(DAY,)] * 20))
    assert watch.distance(still[0] + 0.1) < 1.0


def test_nothing_is_said_of_a_few_scenes():
    """A van before the lens at the start is no drift."""
    assert watch_after((49, 3.0, (NIGHT,))).drift() is None


def test_what_the_set_lacks_is_named_with_its_share():
    """The sentence that a person acts upon."""
    drift = watch_after((59, 0.5, (DAY,)), (41, 3.0, (NIGHT,))).drift()
    assert (drift.share, drift.unseen, drift.unseen_shares, drift.looked_at) == (0.41, (NIGHT,), (0.41,), 100)
    assert drift.warning("int8", "days") == (
        "the cameras show scenes that INT8 was not calibrated for: night 41 % of what is seen, next to none of set "
        "days; edgekit refresh"
    )
    assert "INT8" not in drift.warning("fp16", "days")


def test_many_strata_are_told_in_one_line():
    """A page and a journal show it each time."""
    strata = (NIGHT, FOG, "noise:noise", "blur:blur", "size:tiny")
    drift = watch_after((60, 3.0, strata)).drift()
    assert "blur 100 %, night 100 %, noise 100 % and 2 more of what is seen" in drift.warning("int8", "days")


def test_scenes_far_from_the_set_are_told_without_a_name_for_them():
    """A lens that was turned shows no stratum of its own."""
    drift = watch_after((60, 0.5, (DAY,)), (40, 2.0, (DAY,))).drift()
    assert drift.marked and drift.unseen == ()
    assert drift.warning("int8", "days").endswith("for: 40 % lie outside of set days; edgekit refresh")


def test_what_the_set_shows_is_worth_no_word():
    """Whoever warns always is not listened to."""
    drift = watch_after((96, 0.5, (DAY,)), (2, 3.0, (DAY,)), (4, 3.0, (NIGHT,))).drift()
    assert drift.unseen == () and drift.warning("int8", "days") == ""


def test_what_was_told_stays_told_at_the_edge():
    """The journal would have a line with every passing cloud."""
    watch = watch_after((57, 0.5, (DAY,)), (3, 3.0, (NIGHT,)))
    assert watch.drift().unseen == (NIGHT,)
    watch.look(0.5, (DAY,))
    assert watch.drift().unseen == (NIGHT,), "4.9 % now"
    for _ in range(60):
        watch.look(0.5, (DAY,))
    assert watch.drift().unseen == ()


def test_only_what_was_seen_lately_counts():
    """Last night must not be told at noon."""
    assert watch_after((600, 3.0, (NIGHT,)), (600, 0.5, (DAY,))).drift().share == 0.0


@pytest.mark.parametrize("points", [[], [[1.0]], [[1.0] * DIMENSIONS, [1.0]]])
def test_a_summary_of_other_numbers_is_refused(points):
    """A device must not compare what does not belong together."""
    with pytest.raises(ConfigError, match="is not a valid ScenesSeen"):
        from_wire(ScenesSeen, {**to_wire(seen_of()), "points": points})


def test_a_summary_travels_whole():
    """It goes through JSON once for each release."""
    seen = seen_of(5)
    assert from_wire(ScenesSeen, json.loads(json.dumps(to_wire(seen)))) == seen
