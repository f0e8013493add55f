"""Student's t against published values."""

from __future__ import annotations

import math

import pytest

from edgekit.core.stats import mean_interval
from edgekit.core.student_t import student_t95, t_point, t_survival

# One-sided points of standard tables: tail, degrees of freedom, t.
TABLE = [
    (0.05, 1, 6.3138),
    (0.05, 4, 2.1318),
    (0.01, 4, 3.7469),
    (0.005, 9, 3.2498),
    (0.001, 30, 3.3852),
    (0.025, 120, 1.9799),
]


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.706), (2, 4.303), (9, 2.262), (30, 2.042), (40, 2.0211), (60, 2.0003), (120, 1.9799)],
)
def test_the_points_are_those_of_the_tables(freedom, expected):
    """Every interval of the kit is as wide as this says."""
    assert student_t95(freedom) == pytest.approx(expected, abs=6e-4)


def test_it_falls_towards_the_normal_distribution_without_a_step():
    """Where the table ends, an interval must not jump."""
    points = [student_t95(freedom) for freedom in range(1, 200)]
    assert points == sorted(points, reverse=True)
    assert student_t95(10**6) == pytest.approx(1.95997, abs=1e-4)


def test_no_freedom_has_no_point():
    """One value says nothing about how much values differ."""
    with pytest.raises(ValueError, match="degree of freedom"):
        student_t95(0)


@pytest.mark.parametrize("tail, freedom, t", TABLE)
def test_points_are_those_of_the_tables(tail, freedom, t):
    """A wrong quantile is a gate with another rate of false alarms than the one asked for."""
    assert t_point(tail, freedom) == pytest.approx(t, abs=1e-4)
    assert t_survival(t, freedom) == pytest.approx(tail, rel=1e-3)


def test_one_degree_of_freedom_is_cauchy_and_many_are_normal():
    """Both ends of the family have closed forms."""
    for t in (0.0, 0.3, 1.0, 12.0, 1e6):
        assert t_survival(t, 1) == pytest.approx(0.5 - math.atan(t) / math.pi, abs=1e-9)
        assert t_survival(t, 1e7) == pytest.approx(0.5 * math.erfc(t / math.sqrt(2)), abs=1e-6)


@pytest.mark.parametrize("freedom", [0.7, 2.5, 17.3])
def test_tails_mirror_and_shrink(freedom):
    """Welch's test asks for broken degrees of freedom."""
    values = [t_survival(t / 4, freedom) for t in range(-40, 41)]
    assert values == sorted(values, reverse=True) and len(set(values)) == len(values)
    assert [one + other for one, other in zip(values, values[::-1])] == pytest.approx([1.0] * 81)
    assert t_survival(math.inf, freedom) == 0.0 and t_survival(-math.inf, freedom) == 1.0


def test_it_agrees_with_the_table_that_rates_use():
    """Two tables of one distribution in one project must not disagree."""
    for count in (2, 5, 10):
        values = [1.0, -1.0] + [0.0] * (count - 2)
        _, low, high = mean_interval(values)
        spread = math.sqrt(2 / (count - 1) / count)
        assert (high - low) / 2 / spread == pytest.approx(t_point(0.025, count - 1), abs=1e-3)


@pytest.mark.parametrize("tail, freedom", [(0.0, 3), (0.6, 3)])
def test_a_tail_that_is_none_is_our_mistake(tail, freedom):
    with pytest.raises(ValueError, match="tail"):
        t_point(tail, freedom)


def test_no_degrees_of_freedom_are_our_mistake():
    with pytest.raises(ValueError, match="freedom"):
        t_survival(1.0, 0)
