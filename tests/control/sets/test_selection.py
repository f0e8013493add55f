"""A chosen set has exactly the size asked for, a floor for every stratum, no picture twice, and is the same again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.control.sets.selection import floors_for, picture_points, select_coverage, select_random

NAMES = [f"s{number}" for number in range(7)]


@st.composite
def pools(draw):
    """Points, strata and a size; strata may be rare, common, overlapping or absent, points may coincide."""
    count = draw(st.integers(1, 60))
    strata = draw(
        st.lists(st.lists(st.sampled_from(NAMES), max_size=4, unique=True).map(tuple), min_size=count, max_size=count)
    )
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    points = rng.normal(size=(count, 3)).round(draw(st.integers(0, 3)))
    return points, strata, draw(st.integers(1, count))


@settings(max_examples=200, deadline=None)
@given(pools(), st.integers(0, 50))
def test_size_is_exact_pictures_differ_and_floors_hold(pool, seed):
    points, strata, size = pool
    found = select_coverage(points, strata, size, seed)
    assert len(found.chosen) == size == len(set(found.chosen))
    assert list(found.chosen) == sorted(found.chosen)
    assert all(0 <= index < len(strata) for index in found.chosen)
    if size >= len({name for names in strata for name in names}):
        for stratum, floor in floors_for(strata, size).items():
            assert sum(stratum in strata[index] for index in found.chosen) >= floor


@settings(max_examples=100, deadline=None)
@given(pools(), st.integers(0, 50))
def test_the_same_question_has_the_same_answer_and_explains_itself(pool, seed):
    points, strata, size = pool
    found = select_coverage(points, strata, size, seed)
    assert found == select_coverage(points, strata, size, seed)
    assert sum(row.taken for row in found.strata) + found.farthest == size
    for row in found.strata:
        assert row.pool == sum(row.stratum in names for names in strata)
        assert row.chosen == sum(row.stratum in strata[index] for index in found.chosen)


def test_a_rare_stratum_is_taken_whole_where_chance_would_miss_it():
    """What the kit exists for: three nights among a thousand days."""
    strata = [("light:day",)] * 997 + [("light:night",)] * 3
    points = np.random.default_rng(0).normal(size=(1000, 8))
    assert sum(index >= 997 for index in select_coverage(points, strata, 50, 0).chosen) == 3
    by_chance = [sum(index >= 997 for index in select_random(strata, 50, seed).chosen) for seed in range(20)]
    assert np.mean(by_chance) < 1


def test_beyond_the_floors_the_farthest_are_taken():
    """Two clusters and an outlier: the outlier and both clusters are in a set of three."""
    points = np.concatenate([np.zeros((30, 2)), np.full((30, 2), 10.0), [[100.0, 0.0]]])
    points[:60] += np.random.default_rng(1).normal(0, 0.1, (60, 2))
    chosen = select_coverage(points, [()] * 61, 3, 0).chosen
    assert {min(index // 30, 2) for index in chosen} == {0, 1, 2}


def test_the_farthest_leave_smaller_holes_than_chance():
    """The largest distance from any picture to its nearest chosen one is what farthest-first makes small."""
    points = np.random.default_rng(2).normal(size=(400, 5))

    def hole(chosen):
        steps = points[:, None] - points[list(chosen)][None]
        return np.sqrt((steps**2).sum(-1)).min(1).max()

    ours = hole(select_coverage(points, [()] * 400, 40, 0).chosen)
    assert ours < min(hole(select_random([()] * 400, 40, seed).chosen) for seed in range(20))


def test_a_picture_that_serves_two_floors_is_taken_before_one_that_serves_one():
    strata = [("a",), ("b",), ("a", "b")]
    found = select_coverage(np.zeros((3, 1)), strata, 2, 0)
    assert 2 in found.chosen


def test_another_seed_is_another_random_choice():
    strata = [("x",)] * 300
    assert select_random(strata, 30, 0).chosen != select_random(strata, 30, 1).chosen
    assert select_random(strata, 30, 0).random == 30


@pytest.mark.parametrize("size", [0, 4])
def test_a_size_beyond_the_pool_is_our_own_mistake(size):
    for select in (
        lambda: select_random([()] * 3, size, 0),
        lambda: select_coverage(np.zeros((3, 1)), [()] * 3, size, 0),
    ):
        with pytest.raises(ValueError, match="size"):
            select()


def test_points_weigh_embedding_and_descriptor_alike_and_bear_constant_columns():
    """One channel of large numbers, or one that never changes, is not to decide alone."""
    rng = np.random.default_rng(4)
    vectors = [rng.normal(size=11) for _ in range(50)]
    embeddings = [np.concatenate([rng.normal(size=200) * 1000, [5.0]]).astype(np.float16) for _ in range(50)]
    points = picture_points(embeddings, vectors)
    assert points.shape == (50, 211)
    assert np.isfinite(points).all()
    assert np.square(points[:, :11]).sum() == pytest.approx(np.square(points[:, 11:]).sum(), rel=0.05)
    assert picture_points([np.zeros(0, np.float16)] * 50, vectors).shape == (50, 11)
