"""The geometry of a forecast's chart."""

from __future__ import annotations

import pytest

from edgekit.report.forecast.chart import HEIGHT_PX, chart
from edgekit.report.forecast.forecasting import forecast
from edgekit.report.forecast.outlook import Wish
from tests.report.forecast.made_up_history import releases


def drawn(rates, target: float = 25.0, ahead: int = 5):
    found = forecast(releases(rates), Wish({"fps": target}, ahead=ahead))
    return chart(next(one for one in found.metrics if one.key == "fps"))


@pytest.mark.parametrize(
    ("rates", "target"),
    [([20.0], 25.0), ([20.0] * 9, 20.0), ([0.5, 400.0] * 5, 25.0), ([10.0 * 1.2**n for n in range(40)], 1e5)],
    ids=["one release", "all the same", "wild", "a target far away"],
)
def test_everything_lies_inside_the_chart(rates, target):
    """What lies outside is drawn over the next section, or not at all."""
    made = drawn(rates, target)
    heights = [point.y_px for point in made.points] + [mark.y_px for mark in made.marks] + [made.target_px]
    heights += [edge for one in made.ahead for edge in (one.high_px, one.low_px, one.median_px)]
    assert all(0 <= height <= HEIGHT_PX for height in heights)
    assert all(0 <= point.x_pct <= 100 for point in made.points)
    assert all(one.x_pct >= 0 and one.x_pct + one.width_pct <= 100 for one in made.ahead)


def test_better_lies_higher_for_a_rate_and_the_future_right_of_the_past():
    """The picture is read before the figures."""
    made = drawn([10.0, 12.0, 14.0, 16.0, 18.0, 20.0])
    heights = [point.y_px for point in made.points]
    assert heights == sorted(heights, reverse=True)
    assert made.target_px < heights[-1]
    assert max(point.x_pct for point in made.points) < made.today_pct < min(one.x_pct for one in made.ahead)


def test_the_marks_are_round_numbers_in_order():
    """An axis that reads 17.38 is no help."""
    assert [mark.label for mark in drawn([10.0, 12.0, 14.0, 16.0, 18.0, 20.0]).marks] == ["10", "30", "50"]


def test_a_figure_that_was_never_measured_has_no_chart():
    """An empty axis looks like a zero."""
    found = forecast(releases([20.0] * 6), Wish({"watts": 10.0}))
    assert chart(next(one for one in found.metrics if one.key == "watts")) is None
