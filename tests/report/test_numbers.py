"""Figures as they are printed, and where bars and dots end."""

from __future__ import annotations

import itertools

import pytest

from edgekit.core.stats import Rate
from edgekit.report.numbers import figure, fps, moment, signed_pct
from edgekit.report.plots import (
    accuracy_dots,
    nice_ceiling,
    rate_bar,
    rate_ceiling,
    stage_ceiling,
    stage_segments,
    ticks,
)
from tests.report.made_up import result

THIN, MINUS = "\u202f", "\u2212"


@pytest.mark.parametrize(
    ("pct", "shown"),
    [
        (12.34, "+12.3"),
        (-4.5, f"{MINUS}4.5"),
        (0.123, "+0.12"),
        (0.0, "0"),
        (-0.001, "0"),
        (358.3, "+358"),
        (None, None),
    ],
)
def test_a_change_carries_its_sign(pct, shown):
    """A lost minus turns a loss into a gain."""
    assert signed_pct(pct) == ("" if shown is None else f"{shown}{THIN}%")


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.0, 1, "0.0"),
        (1234.56, 1, "1234.6"),
        (12345.6, 0, f"12{THIN}346"),
        (-1.25, 1, f"{MINUS}1.2"),
        (-0.001, 1, "0.0"),
    ],
)
def test_figures_keep_their_digits(value, digits, shown):
    """Aligned columns need equal decimals; minus zero is zero."""
    assert figure(value, digits) == shown


def test_none_is_what_the_caller_says():
    """Never "None" on a page."""
    assert figure(None, 1, "ms", "not measured") == "not measured"
    assert fps(None, "not measured") == "not measured"


@pytest.mark.parametrize(("value", "shown"), [(7.614, "7.61"), (38.44, "38.4"), (1234.5, "1234")])
def test_a_rate_shows_about_three_digits(value, shown):
    """More would pretend to a precision that no run has."""
    assert fps(value) == shown


def test_stamps_read_as_moments():
    """Unknown forms stay as they are: better odd than wrong."""
    assert moment("2001-02-03T04:05:06Z") == "2001-02-03 04:05 UTC"
    assert moment("2001-02-03T04:05:06.123+00:00") == "2001-02-03 04:05 UTC"
    assert moment("2001-02-03T04:05:06+02:00") == "2001-02-03T04:05:06+02:00"


@pytest.mark.parametrize(
    ("value", "ceiling"),
    [(0, 1), (0.3, 0.3), (1, 1), (1.01, 1.5), (38.4, 40), (41.2, 50), (99, 100), (101, 150), (7e-4, 8e-4)],
)
def test_an_axis_ends_at_a_round_number_not_below_the_data(value, ceiling):
    """A bar that leaves the plot, or an axis that ends at 41.37."""
    assert nice_ceiling(value) == pytest.approx(ceiling)
    assert nice_ceiling(value) >= value


def test_ticks_go_from_zero_to_the_end():
    """Bars that do not start at zero exaggerate."""
    assert [(tick.at_pct, tick.value) for tick in ticks(40)] == [(0, 0), (25, 10), (50, 20), (75, 30), (100, 40)]


def test_an_interval_stays_inside_the_plot():
    """Two frames in an odd run give an interval below zero."""
    bar = rate_bar(Rate(10, -5, 25, 3, False, "x"), 40)
    assert (bar.width_pct, bar.low_pct, bar.high_pct) == (25, 0, 62.5)


def test_bars_of_all_results_fit_one_axis():
    """Bars are compared with each other, so they share it."""
    results = [result(), result("int8")]
    ceiling = rate_ceiling([[made] for made in results])
    assert all(rate_bar(r.measurement.engine_rate, ceiling).high_pct <= 100 for r in results)


def test_stages_lie_end_to_end_in_the_order_of_the_pipeline():
    """A stacked bar with gaps or overlaps shows a wrong sum."""
    made = result()
    segments = stage_segments(made, stage_ceiling([made]))
    assert [segment.stage for segment in segments] == ["capture", "preprocess", "inference", "decode"]
    for left, right in itertools.pairwise(segments):
        assert right.left_pct == pytest.approx(left.left_pct + left.width_pct)
    assert segments[-1].left_pct + segments[-1].width_pct <= 100


def test_conditions_are_ordered_by_the_baseline_and_gaps_stay_gaps():
    """The hardest condition is at the end, where the eye stops; a missing one is not a zero."""
    without = result("int8", map50_95=None)
    dots = accuracy_dots([result(), without])
    assert next(iter(dots)) == "day"
    assert list(dots)[-1] == "tiny"
    assert all(row[1].value is None and row[1].at_pct is None for row in dots.values())
    assert all(0 < row[0].at_pct <= 100 for row in dots.values())
    assert accuracy_dots([without]) == {}


def test_a_change_of_more_than_tenfold_is_a_factor():
    """ "+18 142 %" is a number nobody can read."""
    assert signed_pct(18142) == f"×{THIN}182"
