"""Figures from samples: against numpy, by hand, and by how often an interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.stats import (
    MIN_SAMPLES_FOR_P99,
    half_of_mean,
    mean_interval,
    rate_of_progress,
    share_interval,
    summarise_latency,
    summarise_rate,
    window_rates,
)


def test_percentiles_are_numpys():
    """The definition everyone else's figures use."""
    samples = np.random.default_rng(3).gamma(3, 4, 1000)
    got = summarise_latency(samples)
    expected = np.percentile(samples, [50, 90, 95, 99])
    assert [got.p50_ms, got.p90_ms, got.p95_ms, got.p99_ms] == pytest.approx(expected, abs=1e-4)
    assert (got.samples, got.mean_ms, got.max_ms) == (
        1000,
        pytest.approx(samples.mean(), abs=1e-4),
        pytest.approx(samples.max(), abs=1e-4),
    )


def test_percentiles_of_one_to_five_by_hand():
    """Linear interpolation: p90 of 1..5 lies six tenths of the way from 4 to 5."""
    got = summarise_latency([5, 1, 4, 2, 3])
    assert (got.p50_ms, got.p90_ms, got.p95_ms, got.mean_ms, got.max_ms) == (3.0, 4.6, 4.8, 3.0, 5.0)


@pytest.mark.parametrize(
    ("count", "known"), [(1, False), (MIN_SAMPLES_FOR_P99 - 1, False), (MIN_SAMPLES_FOR_P99, True)]
)
def test_p99_is_withheld_below_a_hundred_samples(count, known):
    """The 99th of 50 samples is the maximum with a grand name."""
    assert (summarise_latency([1.0] * count).p99_ms is not None) == known


def test_no_samples_give_no_summary():
    """None means not measured; zeros would be figures."""
    assert summarise_latency([]) is None
    assert summarise_latency(np.zeros(0)) is None


def test_the_interval_of_a_mean_by_hand():
    """1, 2, 3: standard deviation 1, t for 2 degrees of freedom 4.303, half width 4.303 / sqrt 3."""
    mean, low, high = mean_interval([1, 2, 3])
    assert mean == 2
    assert (high - mean, mean - low) == pytest.approx((2.48414, 2.48414), abs=1e-4)


def test_one_value_has_an_interval_of_no_width():
    """There is no spread to speak of; it must not be NaN."""
    assert mean_interval([7.0]) == (7.0, 7.0, 7.0)


def test_the_interval_narrows_beyond_the_table():
    """40 values use the expansion of t, 2.0227, instead of running off the table."""
    values = np.random.default_rng(0).normal(10, 1, 40)
    mean, low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 2.0227 * values.std(ddof=1) / 40**0.5, rel=1e-4)
    assert mean == pytest.approx(values.mean())


def test_a_rate_is_frames_between_the_first_and_the_last_moment():
    """101 moments 10 ms apart are 100 frames in a second."""
    rate = summarise_rate(np.arange(101) / 100)
    assert (rate.fps, rate.low_fps, rate.high_fps, rate.windows, rate.stable, rate.verdict) == (
        100,
        100,
        100,
        16,
        True,
        "stable",
    )


def test_the_clock_may_start_anywhere():
    """Monotonic clocks start at boot."""
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.02, 300))
    assert summarise_rate(times).fps == pytest.approx(summarise_rate(times + 1e5).fps, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_frames_have_no_rate(count):
    """One interval between two frames is not a rate."""
    assert summarise_rate(list(range(count))) is None


def test_few_frames_use_fewer_windows():
    """Four moments hold three windows of one frame, not ten of nothing."""
    rate = summarise_rate([0, 1, 2, 3])
    assert (rate.fps, rate.windows) == (1.0, 3)


def test_a_rate_that_halves_on_the_way_is_called_unstable():
    """Throttling must show in the verdict, not vanish in a mean."""
    times = np.concatenate([np.arange(100) * 0.01, 1 + np.arange(100) * 0.02])
    rate = summarise_rate(times)
    assert not rate.stable
    assert rate.verdict.startswith("it fell by 50 % through the run")
    assert rate.low_fps < rate.fps < rate.high_fps


def test_moments_that_coincide_do_not_divide_by_zero():
    """A clock of low resolution gives equal times: no rate can be told, and it must not be infinite."""
    assert summarise_rate([1.0, 1.0, 1.0, 1.0]) is None


@pytest.mark.parametrize(
    ("correlated_s", "at_least"), [(0.0, 0.93), (0.1, 0.93), (0.3, 0.92), (1.0, 0.85)], ids=lambda value: str(value)
)
def test_the_95_percent_interval_holds_the_true_rate_about_95_times_in_100(correlated_s, at_least):
    """An interval that is too narrow would call noise a gain: also where a machine is slow for a while, then fast."""
    rng = np.random.default_rng(11)
    runs = [summarise_rate(np.cumsum(frame_times_s(rng, 301, correlated_s))) for _ in range(400)]
    inside = sum(rate.low_fps <= 30.0 <= rate.high_fps for rate in runs) / 400
    assert at_least <= inside <= 0.99


def frame_times_s(rng, count, correlated_s):
    """About 30 frames a second for 10 s, each with noise of its own; those within correlated_s are slow together."""
    own = rng.gamma(20, 1 / 20, count) / 30
    if not correlated_s:
        return own
    keep, drawn = np.exp(-1 / (30 * correlated_s)), rng.normal(0, 1, count)
    common = np.empty(count)
    common[0] = drawn[0]
    for index in range(1, count):
        common[index] = keep * common[index - 1] + (1 - keep**2) ** 0.5 * drawn[index]
    return own * np.exp(0.1 * common - 0.005)


def test_windows_that_follow_one_another_widen_the_interval_and_never_narrow_it():
    """Ten windows of which five were slow in a row say less than slow ones here and there."""
    scattered, together = [1.0, 1.2] * 8, [1.0] * 8 + [1.2] * 8
    plain = (mean_interval(scattered)[2] - 1.1) / 1.1
    assert half_of_mean(scattered) == pytest.approx(plain)
    assert half_of_mean(together) > 3 * plain


@pytest.mark.parametrize(
    ("hits", "of", "expected"), [(0, 20, (0.0, 0.1611)), (20, 20, (0.8389, 1.0)), (95, 100, (0.8882, 0.9785))]
)
def test_the_interval_of_a_share_is_wilsons(hits, of, expected):
    """None of 20 is not never: the plain interval would be of no width. Values: worked out by hand."""
    assert share_interval(hits, of) == pytest.approx(expected, abs=2e-4)


def test_a_rate_of_progress_is_that_of_its_moments():
    """A run of days keeps few of its moments, and its rate must be that of all of them."""
    times, done = np.arange(0, 101) / 10, np.arange(0, 101) * 3
    rate = rate_of_progress(times[::5], done[::5])
    assert (rate.fps, rate.low_fps, rate.high_fps) == (30.0, 30.0, 30.0)
    assert window_rates(times, done) == pytest.approx([30.0] * 16)


def test_any_moments_have_a_finite_interval_around_their_rate():
    """A result with an infinite figure is no JSON, and one with a rate outside its interval is no figure."""
    rng = np.random.default_rng(4)
    for _ in range(300):
        moments = np.cumsum(rng.lognormal(0, rng.uniform(0, 4), rng.integers(3, 60)))
        rate = summarise_rate(moments)
        assert 0 <= rate.low_fps <= rate.fps <= rate.high_fps < 1e9
        assert rate.stable == (rate.verdict == "stable")


def test_windows_hold_several_frames_each():
    """A window of two frames is longer or shorter by half, and the rate would look unsteady."""
    assert summarise_rate(np.arange(41) / 20).windows == 10
    assert window_rates([0.0, 1.0], [0, 1]) == ()


def test_frames_of_a_batch_are_finished_at_one_moment_and_the_rate_stays_sane():
    """Windows between frames of one batch last no time: their rates made an interval of hundreds of millions."""
    rate = summarise_rate([batch * 0.1 for batch in range(30) for _ in range(4)])
    assert rate is not None
    assert rate.fps == pytest.approx(40.0) and 39.9 < rate.low_fps <= rate.high_fps < 40.1


def test_a_rate_needs_three_moments():
    """Ten frames of two batches say how long one batch took, and nothing of how steady that is."""
    assert summarise_rate([0.0] * 5 + [1.0] * 5) is None
