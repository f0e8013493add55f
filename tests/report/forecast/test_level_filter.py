"""The filter, on histories whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.report.forecast.level_filter import draw_noise, filter_levels
from edgekit.report.forecast.series import Noise
from tests.report.forecast.made_up_history import fps_series


def filtered(levels, noise=0.02):
    return filter_levels(fps_series(levels, noise=noise), np.random.default_rng(0))


def test_the_releases_that_changed_something_are_told_from_those_that_did_not():
    """This is what "effective" means; noise must not be it, and progress must be."""
    steps = [0.0, 0.12, 0.0, 0.0, 0.15, 0.0, 0.11, 0.0, 0.0]
    rng = np.random.default_rng(4)
    measured = np.cumsum([0.0, *steps]) + 0.01 * rng.standard_normal(10)
    moved = filtered(measured.tolist(), noise=0.01).moved.mean(axis=0)
    assert [share > 0.8 for share in moved] == [step > 0 for step in steps]


def test_in_noise_alone_next_to_nothing_is_found():
    """Else every project would be told that it is on a good way."""
    moved = []
    for seed in range(20):
        levels = 0.02 * np.random.default_rng(seed).standard_normal(12)
        moved.append(filtered(levels.tolist()).moved.mean(axis=0) >= 0.5)
    assert np.mean(moved) < 0.05


def test_the_level_after_a_jump_is_the_one_after_it():
    """A filter that averages over the jump would forecast going back."""
    state = filtered([0.0, 0.01, -0.01, 0.6, 0.61, 0.59])
    assert float(state.mean.mean()) == pytest.approx(0.6, abs=0.02)


def test_how_often_and_how_far_is_learned_from_a_long_history():
    """The future is drawn from these."""
    rng = np.random.default_rng(5)
    steps = np.where(rng.random(40) < 0.5, rng.normal(0.1, 0.02, 40), 0.0)
    state = filtered((np.cumsum(steps) + 0.01 * rng.standard_normal(40)).tolist(), noise=0.01)
    assert float(np.median(state.habits.chance)) == pytest.approx(0.5, abs=0.2)
    assert float(np.median(state.habits.size)) == pytest.approx(0.1, abs=0.03)


def test_a_very_regular_history_does_not_end_in_copies_of_one_guess():
    """Particles that are all alike are certain of what they cannot know."""
    levels = 0.1 * np.arange(12) + 0.003 * np.random.default_rng(2).standard_normal(12)
    habits = filtered(levels.tolist(), noise=0.005).habits
    assert len(np.unique(habits.size)) > 5000
    low, high = np.quantile(habits.size, [0.1, 0.9])
    assert low < 0.1 < high


def test_many_repeated_runs_outweigh_the_assumed_noise():
    """A quiet device may be believed after all."""
    drawn = draw_noise(Noise(0.05, squares=0.01**2 * 100, freedom=100), np.random.default_rng(0), 4000)
    assert float(np.median(drawn)) == pytest.approx(0.0131, abs=0.001)


def test_one_release_is_a_level_with_the_noise_of_a_run():
    """Nothing is known of habits yet."""
    state = filtered([3.0])
    assert state.moved.shape == (6000, 0)
    assert float(np.sqrt(state.variance.mean())) == pytest.approx(0.035, abs=0.02)


def test_equal_seeds_give_equal_particles():
    """A forecast that changes when it is asked again cannot be defended."""
    assert np.array_equal(filtered([0.0, 0.1, 0.1]).mean, filtered([0.0, 0.1, 0.1]).mean)
