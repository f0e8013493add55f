"""The least squares line: by hand, and by how often its interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.trend import least_squares_trend


def test_a_line_by_hand():
    """(0, 1), (1, 2), (2, 2): slope 1/2; residuals -1/6, 1/3, -1/6, so the error is sqrt(1/6 / 1 / 2)."""
    trend = least_squares_trend([0, 1, 2], [1, 2, 2])
    assert trend.slope == pytest.approx(0.5)
    assert trend.high - trend.slope == pytest.approx(12.7062 * (1 / 6 / 2) ** 0.5)
    assert trend.slope - trend.low == pytest.approx(trend.high - trend.slope)
    assert trend.share == pytest.approx(0.75)
    assert not trend.is_certain


def test_a_straight_line_is_certain_and_can_be_told_in_other_units():
    """Megabytes a second are megabytes an hour, 3600 times as many."""
    trend = least_squares_trend(np.arange(20), 3.0 - 0.5 * np.arange(20))
    assert (trend.slope, trend.low, trend.high, trend.share) == pytest.approx((-0.5, -0.5, -0.5, 1.0))
    assert trend.is_certain
    assert trend.scaled(3600.0) == pytest.approx((-1800.0, -1800.0, -1800.0))


@pytest.mark.parametrize(("times", "values"), [([], []), ([1], [1]), ([1, 2], [1, 5]), ([3, 3, 3, 3], [1, 2, 3, 4])])
def test_too_little_has_no_trend(times, values):
    """Two points always lie on a line, which says nothing of the next one."""
    assert least_squares_trend(times, values) is None


def test_what_does_not_change_has_no_trend_that_is_certain():
    """A process that holds the same memory all the time does not leak."""
    trend = least_squares_trend(range(12), [178.0] * 12)
    assert (trend.slope, trend.low, trend.high, trend.share) == (0.0, 0.0, 0.0, 0.0)
    assert not trend.is_certain


def test_values_and_times_belong_together():
    """A part without a reading would shift all others."""
    with pytest.raises(ValueError, match="as many values"):
        least_squares_trend([1, 2, 3], [1, 2])


def test_the_interval_holds_the_true_slope_about_95_times_in_100():
    """A leak that is none would be looked for, or one that is there missed."""
    rng = np.random.default_rng(3)
    times = np.arange(12) / 12
    found = [least_squares_trend(times, 50 - 4 * times + rng.normal(0, 1, 12)) for _ in range(600)]
    assert 0.92 <= sum(trend.low <= -4 <= trend.high for trend in found) / 600 <= 0.98
