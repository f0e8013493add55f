from __future__ import annotations

import numpy as np
import pytest

from edgekit.report.gate.multiple_tests import holm


@pytest.mark.parametrize(
    "p_values, adjusted",
    [
        ([], []),
        ([0.02], [0.02]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # Holm's own steps: 4 x 0.005, 3 x 0.01, 2 x 0.03
        ([0.5, 0.9, 1.0], [1.0, 1.0, 1.0]),
        ([0.01, 0.01], [0.02, 0.02]),
    ],
)
def test_each_p_value_pays_for_the_tests_that_are_left(p_values, adjusted):
    """Without it eleven figures raise a false alarm in two of five clean runs."""
    assert list(holm(p_values)) == pytest.approx(adjusted)


def test_clean_figures_raise_an_alarm_as_rarely_as_asked():
    """The promise of --alpha is about all figures together, also where they hang together."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(2000):
        shared = rng.uniform(size=1)
        p_values = [*rng.uniform(size=8), *np.repeat(shared, 3)]
        alarms += min(holm([float(p) for p in p_values])) < 0.05
    assert alarms / 2000 < 0.06
