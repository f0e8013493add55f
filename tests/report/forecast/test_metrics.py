"""Figures, their levels and what may be asked of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.core.stats import summarise_latency
from edgekit.errors import UsageError
from edgekit.report.forecast.metrics import BY_KEY, METRICS, p99_error, parse_targets


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_a_level_is_turned_so_that_higher_is_better_and_back_again(metric):
    """Of two figures the better one must have the higher level, whichever way the figure counts."""
    better, worse = (20.0, 10.0) if metric.higher_is_better else (10.0, 20.0)
    assert metric.level(better) > metric.level(worse)
    assert metric.value(metric.level(better)) == pytest.approx(better)
    assert metric.meets(better, worse)
    assert not metric.meets(worse, better)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_figure_without_a_logarithm_is_refused(value):
    """NaN in one file would make every figure of the forecast NaN."""
    with pytest.raises(ValueError, match="fps"):
        BY_KEY["fps"].level(value)


def test_no_loss_and_a_gain_of_accuracy_have_a_level():
    """INT8 that lost nothing is the best release of all, not an unusable one."""
    loss = BY_KEY["map_loss_pct"]
    assert loss.level(0.0) == 0.0
    assert loss.level(-0.5) > loss.level(0.0) > loss.level(1.5)


def test_the_error_told_for_a_p99_is_the_one_that_repeating_shows():
    """A p99 is far less certain than a mean; taken for exact, its noise would be called progress."""
    rng = np.random.default_rng(1)
    summaries = [summarise_latency(20 + rng.exponential(3.0, 400)) for _ in range(300)]
    seen = np.std([summary.p99_ms for summary in summaries]) / np.mean([summary.p99_ms for summary in summaries])
    told = np.mean([p99_error(summary) for summary in summaries])
    assert told == pytest.approx(seen, rel=0.25)


def test_targets_are_read_as_typed():
    """They decide what every probability is about."""
    assert parse_targets(["fps=25", "map_loss_pct=1.5"]) == {"fps": 25.0, "map_loss_pct": 1.5}


@pytest.mark.parametrize(
    "typed", ["fp=25", "fps", "fps=", "fps=fast", "fps=0", "fps=nan", "map_loss_pct=-1", "watts=-3"]
)
def test_a_target_that_no_figure_can_have_is_refused(typed):
    """A typing error must not become "100 % likely"."""
    with pytest.raises(UsageError) as refused:
        parse_targets([typed])
    assert typed in refused.value.what
