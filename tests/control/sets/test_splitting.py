"""A split keeps together what belongs together, and gives each side its share of every stratum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.control.sets.splitting import split_groups

COUNT = st.integers(2, 40)


@settings(max_examples=200, deadline=None)
@given(
    st.data(),
    COUNT,
    st.floats(0.05, 0.95),
    st.integers(0, 20),
)
def test_no_group_and_no_near_pair_is_parted(data, count, share, seed):
    """A frozen picture that was all but calibrated on says nothing."""
    groups = data.draw(
        st.lists(st.sampled_from(["", "", "video:a", "camera-b", "video:c"]), min_size=count, max_size=count)
    )
    near = data.draw(st.lists(st.tuples(*[st.integers(0, count - 1)] * 2), max_size=10))
    strata = data.draw(
        st.lists(st.lists(st.sampled_from("xyz"), max_size=2, unique=True), min_size=count, max_size=count)
    )
    try:
        found = split_groups(strata, groups, near, share, seed)
    except ValueError:
        assert len({name for name in groups if name}) <= 1 or near
        return
    frozen = set(found.frozen)
    assert 0 < len(frozen) < count
    assert all((i in frozen) == (j in frozen) for i, j in near)
    for name in set(groups) - {""}:
        assert len({index in frozen for index, group in enumerate(groups) if group == name}) == 1
    assert found == split_groups(strata, groups, near, share, seed)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_each_side_gets_its_share_of_every_stratum(share):
    """Rare nights that all fell on one side could be calibrated with or measured on, not both."""
    strata = [("day",)] * 160 + [("night",)] * 20 + [("night", "fog")] * 20
    found = split_groups(strata, [""] * 200, [], share, 0)
    assert len(found.frozen) == pytest.approx(200 * share, abs=2)
    for name in ("day", "night", "fog"):
        total = sum(name in one for one in strata)
        assert sum(name in strata[index] for index in found.frozen) == pytest.approx(total * share, abs=2)


def test_pictures_of_one_video_cannot_be_split():
    with pytest.raises(ValueError, match="two groups"):
        split_groups([()] * 5, ["video:a"] * 5, [], 0.2, 0)


def test_two_groups_go_to_two_sides():
    found = split_groups([()] * 5, ["video:a"] * 4 + ["video:b"], [], 0.01, 0)
    assert found.frozen == (4,)
    assert (found.groups, found.joined) == (2, 1)
