from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.report.gate.change import paired, rounds_needed, welch, with_known_spread


def test_a_paired_change_is_the_textbook_one():
    """Five pairs worked out by hand: differences of the logarithms, their mean, their standard error."""
    before, after = [100.0, 110.0, 90.0], [90.0, 104.5, 83.7]
    change = paired(before, after)
    logs = np.log([0.9, 0.95, 0.93])
    assert change.log_ratio == pytest.approx(logs.mean())
    assert change.error == pytest.approx(logs.std(ddof=1) / math.sqrt(3))
    assert (change.freedom, change.units, change.counted) == (2, 3, "rounds")
    low, high = change.interval(0.05)
    assert math.log(high) - math.log(low) == pytest.approx(2 * 2.91999 * change.error, rel=1e-4)


def test_drift_that_both_share_is_no_noise_in_pairs():
    """A machine that heats up through a session is the reason for measuring in turns."""
    drift = np.linspace(1.0, 0.7, 6)
    before, after = 100 * drift, 95 * drift
    assert paired(before, after).p_below() < 1e-6
    assert welch(before, after).p_below() > 0.1


def test_welch_is_the_textbook_one():
    """Unequal spreads: the degrees of freedom lie between the smaller group's and those of both."""
    before, after = np.exp([0.0, 0.2, 0.1, 0.1]), np.exp([0.5, 0.9, 0.7])
    change = welch(before, after)
    parts = np.var([0.0, 0.2, 0.1, 0.1], ddof=1) / 4, np.var([0.5, 0.9, 0.7], ddof=1) / 3
    assert change.log_ratio == pytest.approx(0.6)
    assert change.error == pytest.approx(math.sqrt(sum(parts)))
    assert change.freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2))
    assert 2 < change.freedom < 5 and change.counted == "sessions"


def test_one_session_a_side_takes_its_spread_from_what_was_measured_again():
    """Engines differ, and only what one engine differs from itself is noise."""
    change = with_known_spread([100.0], [95.0], [[10.0, 10.1, 9.9], [500.0, 505.0], [7.0]])
    spreads = [np.log([10.0, 10.1, 9.9]), np.log([500.0, 505.0])]
    pooled = math.sqrt(sum(((x - x.mean()) ** 2).sum() for x in spreads) / 3)
    assert change.freedom == 3 and change.spread == pytest.approx(pooled)
    assert change.error == pytest.approx(pooled * math.sqrt(2))
    assert with_known_spread([100.0], [95.0], [[10.0], [500.0]]) is None


def test_figures_that_are_rounded_alike_are_not_known_exactly():
    """400 MiB five times over is not a spread of zero, which would make a single MiB a certain regression."""
    assert paired([400.0] * 5, [401.0] * 5, floor=1 / 400 / math.sqrt(12)).p_above() > 0.02
    assert paired([400.0] * 5, [440.0] * 5, floor=1 / 400 / math.sqrt(12)).p_above() < 1e-4


@pytest.mark.parametrize("true_pct", [0.0, -5.0])
def test_intervals_hold_the_truth_as_often_as_they_say(true_pct):
    """90 % intervals over 600 made-up sessions of five rounds."""
    rng = np.random.default_rng(11)
    truth, held = 1 + true_pct / 100, 0
    for _ in range(600):
        mood = np.exp(rng.normal(0, 0.05, 5))
        low, high = paired(
            mood * np.exp(rng.normal(0, 0.01, 5)), truth * mood * np.exp(rng.normal(0, 0.01, 5))
        ).interval(0.05)
        held += low <= truth <= high
    assert 0.86 < held / 600 < 0.94


def test_more_rounds_are_told_in_numbers():
    """ "Cannot tell" without a way on helps nobody."""
    change = paired([100.0, 100.0, 100.0], [99.0, 101.0, 100.0])
    assert rounds_needed(change, 0.02, 0.05) == 3
    assert rounds_needed(change, 0.005, 0.05) == 13
    assert rounds_needed(change, 0.0001, 0.05) is None
