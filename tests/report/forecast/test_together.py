"""Several targets at once."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.report.forecast.metrics import BY_KEY
from edgekit.report.forecast.series import Noise, Series
from edgekit.report.forecast.together import joined, step_correlation


def series(key: str, levels) -> Series:
    return Series(BY_KEY[key], tuple(range(len(levels))), tuple(levels), (1,) * len(levels), Noise(0.02))


def test_figures_whose_steps_go_together_are_correlated_and_others_are_not():
    """p99 falls when the rate rises; counted as independent, meeting both would look far less likely."""
    rng = np.random.default_rng(0)
    steps, others = rng.normal(0, 0.1, 30), rng.normal(0, 0.1, 30)
    found = step_correlation(
        [series("fps", np.cumsum(steps)), series("p99_ms", np.cumsum(steps)), series("watts", np.cumsum(others))]
    )
    assert found[0, 1] > 0.8
    assert abs(found[0, 2]) < 0.4
    assert np.diag(found) == pytest.approx(np.ones(3))


def test_few_steps_prove_no_correlation():
    """Of three steps two always agree."""
    found = step_correlation([series("fps", [0, 0.1, 0.3, 0.4]), series("p99_ms", [0, 0.1, 0.3, 0.4])])
    assert found[0, 1] < 0.5


def test_joined_draws_keep_what_each_figure_may_become():
    """Only what happens together is set here."""
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal((500, 3)), rng.standard_normal((500, 3))]
    result = joined(drawn, np.array([[1.0, 0.9], [0.9, 1.0]]), rng)
    for before, after in zip(drawn, result):
        assert np.array_equal(np.sort(before, axis=0), np.sort(after, axis=0))
    assert np.corrcoef(result[0][:, 1], result[1][:, 1])[0, 1] == pytest.approx(0.9, abs=0.05)


def test_estimates_that_contradict_each_other_still_give_a_correlation():
    """Figures that lack in different releases may: a and b together, b and c together, a against c."""
    nothing = Noise(0.02)
    first = Series(BY_KEY["fps"], tuple(range(20)), tuple(np.cumsum([1, -1, 2, -2] * 5)), (1,) * 20, nothing)
    against = Series(BY_KEY["watts"], tuple(range(20)), tuple(-np.cumsum([1, -1, 2, -2] * 5)), (1,) * 20, nothing)
    found = step_correlation([first, first, against])
    assert np.linalg.eigvalsh(found).min() > 0
