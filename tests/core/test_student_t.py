"""Student's t against published values."""

from __future__ import annotations

import pytest

from edgekit.core.student_t import student_t95


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
