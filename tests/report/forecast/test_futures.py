"""What is expected of releases to come, on histories whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.report.forecast.backtest import MIN_RELEASES, backtest
from edgekit.report.forecast.futures import mean_gain, simulate, steps_left
from edgekit.report.forecast.habits import draw_habits
from edgekit.report.forecast.level_filter import filter_levels
from tests.report.forecast.made_up_history import fps_series


def state_of(levels, noise=0.02, particles=2000):
    return filter_levels(fps_series(levels, noise=noise), np.random.default_rng(0), particles=particles)


def made_up(seed: int, count: int) -> list:
    """Every second release gains 8 %; 2 % noise."""
    rng = np.random.default_rng(seed)
    steps = [0.0, *(rng.normal(0.08, 0.02) if rng.random() < 0.5 else 0.0 for _ in range(count - 1))]
    return (np.cumsum(steps) + 0.02 * rng.standard_normal(count)).tolist()


def test_eight_of_ten_releases_lie_in_the_80_percent_interval():
    """Else the interval is decoration. bench/forecast_backtest.py does this at length."""
    inside = []
    for seed in range(120):
        levels = made_up(seed, 13)
        future = simulate(state_of(levels[:12], particles=1000), 1, np.random.default_rng(1))[:, 1]
        low, high = np.quantile(future, [0.1, 0.9])
        inside.append(low <= levels[12] <= high)
    assert 0.72 <= np.mean(inside) <= 0.92


def test_uncertainty_grows_with_every_release_ahead():
    """The fifth release is not as well known as the next."""
    future = simulate(state_of(made_up(3, 12)), 5, np.random.default_rng(1))
    assert (np.diff(np.quantile(future, 0.9, axis=0) - np.quantile(future, 0.1, axis=0)) > 0).all()


def test_the_number_of_steps_left_is_the_distance_over_the_gain():
    """Gains of 10 % and 35 % to go: three or four, not one and not ten."""
    levels = (0.1 * np.arange(12) + 0.003 * np.random.default_rng(2).standard_normal(12)).tolist()
    left = steps_left(state_of(levels, noise=0.005), levels[-1] + 0.35, np.random.default_rng(1))
    assert left.expected == pytest.approx(3.5, abs=0.6)
    assert left.low < 3.5 < left.high


def test_a_target_that_is_met_needs_no_step():
    """ "0.4 optimisations left" of something finished is nonsense."""
    left = steps_left(state_of([1.0] * 8), 0.5, np.random.default_rng(1))
    assert (left.expected, left.low, left.high) == (0.0, 0.0, 0.0)


def test_a_target_out_of_reach_has_no_end_in_sight():
    """A thousand steps is no number to plan with."""
    left = steps_left(state_of([1.0] * 8), 1.0 + 80.0, np.random.default_rng(1))
    assert left.expected is None


def test_the_mean_gain_is_that_of_the_steps_for_the_better():
    """With losses among the steps their mean says nothing about those that count."""
    rng = np.random.default_rng(0)
    for size, spread in ((0.1, 0.05), (0.0, 0.1), (-0.1, 0.1), (-1.0, 0.1)):
        drawn = rng.normal(size, spread, 200_000)
        gains = drawn[drawn > 0]
        habits = replace(draw_habits(0.06, rng, 1), size=np.array([size]), spread=np.array([spread]))
        told = float(mean_gain(habits)[0])
        assert told > 0
        if len(gains) > 1000:
            assert told == pytest.approx(gains.mean(), rel=0.02)


def test_the_backtest_foretells_each_release_from_those_before_it_alone():
    """A check that has seen the answer is none: what comes later must not change it."""
    levels = made_up(1, 14)
    first, longer = backtest(fps_series(levels[:10]), 0), backtest(fps_series(levels), 0)
    assert (first.checks, longer.checks) == (10 - MIN_RELEASES, 14 - MIN_RELEASES)
    assert first.covered <= longer.covered <= first.covered + 4
    assert backtest(fps_series(levels[:MIN_RELEASES]), 0).checks == 0
