"""Figures from samples: against numpy, by hand, and by how often an interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.stats import MIN_SAMPLES_FOR_P99, mean_interval, summarise_latency, summarise_rate


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
    assert (high - mean, mean - low) == pytest.approx((2.48434, 2.48434), abs=1e-4)


def test_one_value_has_an_interval_of_no_width():
    """There is no spread to speak of; it must not be NaN."""
    assert mean_interval([7.0]) == (7.0, 7.0, 7.0)


def test_the_interval_narrows_beyond_the_table():
    """40 values use the normal 1.96 instead of running off the table."""
    values = np.random.default_rng(0).normal(10, 1, 40)
    mean, low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / 40**0.5)
    assert mean == pytest.approx(values.mean())


def test_a_rate_is_frames_between_the_first_and_the_last_moment():
    """101 moments 10 ms apart are 100 frames in a second."""
    rate = summarise_rate(np.arange(101) / 100)
    assert (rate.fps, rate.low_fps, rate.high_fps, rate.windows, rate.stable, rate.verdict) == (
        100,
        100,
        100,
        10,
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
    assert "run longer" in rate.verdict
    assert rate.low_fps < rate.fps < rate.high_fps


def test_moments_that_coincide_do_not_divide_by_zero():
    """A clock of low resolution gives equal times: no rate can be told, and it must not be infinite."""
    assert summarise_rate([1.0, 1.0, 1.0, 1.0]) is None


def test_the_95_percent_interval_holds_the_true_rate_about_95_times_in_100():
    """An interval that is too narrow would call noise a gain."""
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(600):
        rate = summarise_rate(np.cumsum(rng.normal(0.02, 0.004, 401)))
        inside += rate.low_fps <= 50.0 <= rate.high_fps
    assert 0.92 <= inside / 600 <= 0.98


def test_frames_of_a_batch_are_finished_at_one_moment_and_the_rate_stays_sane():
    """Windows between frames of one batch last no time: their rates made an interval of hundreds of millions."""
    rate = summarise_rate([batch * 0.1 for batch in range(30) for _ in range(4)])
    assert rate is not None
    assert rate.fps == pytest.approx(40.0) and 39.9 < rate.low_fps <= rate.high_fps < 40.1


def test_a_rate_needs_three_moments():
    """Ten frames of two batches say how long one batch took, and nothing of how steady that is."""
    assert summarise_rate([0.0] * 5 + [1.0] * 5) is None
