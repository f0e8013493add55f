"""Percentiles in little memory: against the exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.latency_digest import LatencyDigest
from edgekit.core.stats import summarise_latency


def digest_of(*parts):
    digest = LatencyDigest()
    for part in parts:
        digest.add(part)
    return digest.summary()


def test_it_agrees_with_the_exact_summary_whatever_the_parts():
    """The same run would have other percentiles, depending on how it was measured."""
    rng = np.random.default_rng(5)
    samples = np.concatenate([rng.gamma(3, 4, 4000), rng.gamma(2, 90, 300)])
    exact, found = summarise_latency(samples), digest_of(samples[:10], samples[10:3000], samples[3000:])
    assert (found.samples, found.mean_ms, found.max_ms) == (exact.samples, pytest.approx(exact.mean_ms), exact.max_ms)
    for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), rel=1e-3)


def test_a_few_samples_are_interpolated_as_numpy_does():
    """p90 of 1..5 lies six tenths of the way from 4 to 5."""
    found = digest_of([5, 1, 4, 2, 3])
    assert (found.p50_ms, found.p90_ms, found.p95_ms) == pytest.approx((3.0, 4.6, 4.8), rel=1e-3)
    assert found.p99_ms is None


def test_equal_durations_have_exactly_that_percentile():
    """A class of durations has a middle, which would be told of a machine that is as regular as a clock."""
    found = digest_of([7.25] * 200)
    assert (found.p50_ms, found.p99_ms, found.max_ms) == (7.25, 7.25, 7.25)


def test_durations_beyond_the_classes_are_kept_in_the_ends():
    """A frame of no time at all, and one that hung for hours."""
    found = digest_of([0.0] * 3, [1e9])
    assert (found.samples, found.p50_ms, found.max_ms) == (4, 0.0001, 1e9)


def test_nothing_gives_no_summary():
    """None means not measured; zeros would be figures."""
    assert digest_of([]) is None


def test_it_does_not_grow():
    """A soak of days would look like a leak, and become one."""
    digest = LatencyDigest()
    before = digest._counts.nbytes
    for _ in range(100):
        digest.add(np.full(1000, 3.0))
    assert digest.samples == 100_000
    assert digest._counts.nbytes == before < 300_000
