"""Seeds of the splits."""

from __future__ import annotations

import pytest

from edgekit.scenes import split_seed
from edgekit.scenes.splits import SPLIT_SIZE

SPLITS = ("train", "val", "test", "calib", "frozen")


def test_no_seed_belongs_to_two_splits() -> None:
    """A test picture that was trained on would make every accuracy in the reports too good."""
    ranges = [(split_seed(split, 0), split_seed(split, SPLIT_SIZE - 1)) for split in SPLITS]
    assert all(last - first == SPLIT_SIZE - 1 for first, last in ranges)
    assert all(ranges[place][1] < ranges[place + 1][0] for place in range(len(ranges) - 1))


@pytest.mark.parametrize(("split", "index"), [("training", 0), ("train", -1), ("train", SPLIT_SIZE)])
def test_a_seed_outside_the_splits_is_refused(split: str, index: int) -> None:
    """One index too far would be a picture of the next split."""
    with pytest.raises(ValueError):
        split_seed(split, index)
