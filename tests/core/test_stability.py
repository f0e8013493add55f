"""What is said of a rate that is not steady: the reason, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.stability import STABLE, Windows, verdict


def said(rates, moments=300, seconds=10.0, half=0.04):
    return verdict(Windows(rates, moments, seconds, half))


def noisy(share, seed=1, count=16):
    return 100 * (1 + share * np.random.default_rng(seed).normal(0, 1, count))


def test_windows_that_agree_are_stable():
    """A steady run must not be repeated for nothing."""
    assert said(noisy(0.02)) == STABLE
    assert said([100.0] * 16) == STABLE


def test_falling_is_heat_or_clocks():
    """A board that gets hot is slower every second: a longer run makes the figure worse, not better."""
    assert said(np.linspace(100, 80, 16) + noisy(0.01) - 100).startswith("it fell by 17 % through the run, from heat")


def test_rising_is_warming_up():
    """A warm-up that is too short makes every engine look slower."""
    text = said(np.linspace(80, 100, 16))
    assert text.startswith("it rose by 20 %")
    assert text.endswith("measure for longer")


def test_a_slight_slope_is_no_fault():
    """One percent in ten seconds is no reason to doubt a figure."""
    assert said(np.linspace(100, 98, 16)) == STABLE


def test_a_few_slow_windows_are_another_program():
    """A backup that runs for a second must not be taken for the engine."""
    rates = noisy(0.01)
    rates[[4, 5, 11]] = 60.0
    assert said(rates).startswith("3 of 16 windows were 40 % slower than the others, as when other programs run: close")


def test_one_slow_window_that_does_not_matter_is_let_go():
    """Every machine has a hiccup now and then."""
    rates = noisy(0.01)
    rates[4] = 80.0
    assert said(rates) == STABLE


@pytest.mark.parametrize(("half", "advice"), [(0.06, "measure for 90 s"), (0.10, "measure for 250 s")])
def test_a_rate_that_is_not_known_well_says_how_long_to_measure(half, advice):
    """Half the width needs four times as long."""
    text = said(noisy(0.2), half=half)
    assert text.startswith(f"known to {100 * half:.0f} % only, since windows differ by ")
    assert text.endswith(advice)


def test_what_would_take_too_long_is_better_done_in_rounds():
    """Nobody measures for an hour to learn that a machine is busy."""
    assert said(noisy(0.2), half=0.40).endswith("take several rounds")


def test_windows_in_a_row_that_are_alike_are_not_stable():
    """They may agree with their neighbours and still not say what the next minute brings."""
    rates = [100.0] * 5 + [92.0] * 5 + [104.0] * 6
    assert said(rates, half=0.01) == STABLE
    assert said(rates, half=0.09).startswith("known to 9 % only")


def test_too_few_frames_are_too_few():
    """Ten frames that took the same time by chance are no steady rate."""
    assert said([5.0] * 3, moments=12).startswith("only 12 frames or batches were counted")
