"""Ranges that leave the rarest values out must be those of the whole set, in the memory of one histogram."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.runtime.ort.histograms import Histogram


@pytest.mark.parametrize("share", [0.5, 0.99, 0.99999, 1.0])
def test_share_is_that_of_all_values_together(share: float) -> None:
    """Batches of growing range, the worst case for a histogram that must not look back."""
    random = np.random.default_rng(2)
    batches = [random.normal(0, spread, (40, 50)).astype(np.float32) for spread in (0.01, 1, 3, 40, 2)]
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch)
    sizes = np.sort(np.abs(np.concatenate([batch.ravel() for batch in batches])))
    expected = float(sizes[min(int(np.ceil(share * len(sizes))), len(sizes)) - 1])
    assert abs(histogram.reaching(share) - expected) <= 2 * sizes[-1] / 4096 + 1e-6
    assert histogram.largest == sizes[-1]


def test_one_outlier_does_not_set_the_range() -> None:
    """This is what it is for: one hot pixel in 300 pictures would cost every other value a bit or more."""
    values = np.random.default_rng(1).random(1_000_000, dtype=np.float32)
    values[7] = 100
    histogram = Histogram()
    histogram.add(values)
    assert histogram.reaching(0.99999) < 1.1


def test_tensor_of_zeros_has_the_range_zero() -> None:
    """A dead channel group must not divide by nothing."""
    histogram = Histogram()
    histogram.add(np.zeros((2, 3), np.float32))
    assert histogram.reaching(0.99999) == 0.0


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_values_that_are_no_numbers_show(strange: float) -> None:
    """Counted into any bin they would be forgotten."""
    histogram = Histogram()
    histogram.add(np.array([1, strange], np.float32))
    assert not np.isfinite(histogram.reaching(0.5))
