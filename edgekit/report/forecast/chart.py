"""Geometry of a forecast's chart: x in percent of its width, so that it fits a phone; y in pixels. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edgekit.report.forecast.outlook import MetricForecast
from edgekit.report.plots import nice_ceiling

HEIGHT_PX = 132
_TOP_PX, _BOTTOM_PX = 8, 124
_MOST_RELEASES = 24  # of the past, the newest
_ROOM = 1.6  # an interval may reach so far beyond everything else before it is cut


@dataclass(frozen=True)
class Point:
    """A release that was measured. moved: whether it changed the figure, None for the first and where unknown."""

    x_pct: float
    y_px: float
    moved: bool | None
    label: str


@dataclass(frozen=True)
class Ahead:
    """A release to come: the 80 % interval as a bar, and the median. cut: whether it reaches beyond the chart."""

    x_pct: float
    width_pct: float
    high_px: float
    low_px: float
    median_px: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A value of the axis."""

    y_px: float
    label: str


@dataclass(frozen=True)
class Chart:
    """today_pct: the line between what was measured and what is to come."""

    points: tuple[Point, ...]
    ahead: tuple[Ahead, ...]
    marks: tuple[Mark, ...]
    target_px: float | None
    today_pct: float
    joined: tuple[tuple[Point, Point], ...]


def chart(metric: MetricForecast) -> Chart | None:
    """The chart of one figure; None where it was never measured."""
    if not metric.values:
        return None
    values = metric.values[-_MOST_RELEASES:]
    moved = (None, *(share >= 0.5 for share in metric.moved)) if metric.moved else (None,) * len(metric.values)
    floor, ceiling = _limits(metric, values)
    slots = len(values) + max(len(metric.ahead), 1)
    at = [100 * (slot + 0.5) / slots for slot in range(slots)]

    def y_px(value: float) -> float:
        share = (min(max(value, floor), ceiling) - floor) / (ceiling - floor)
        return round(_BOTTOM_PX - share * (_BOTTOM_PX - _TOP_PX), 1)

    points = tuple(
        Point(x, y_px(value), one, f"{value:.{metric.digits}f}")
        for x, value, one in zip(at, values, moved[-len(values) :], strict=False)
    )
    width = min(60 / slots, 3.0)
    ahead = tuple(
        Ahead(x - width / 2, width, y_px(one.high), y_px(one.low), y_px(one.median), f"{one.median:.{metric.digits}f}")
        for x, one in zip(at[len(values) :], metric.ahead, strict=False)
    )
    values_marked = (floor, (floor + ceiling) / 2, ceiling)
    digits = _digits(values_marked)
    marks = tuple(Mark(y_px(value), f"{value:.{digits}f}") for value in values_marked)
    target_px = None if metric.target is None else y_px(metric.target)
    joined = tuple(pairwise(points))
    return Chart(points, ahead, marks, target_px, 100 * len(values) / slots, joined)


def _digits(values: tuple[float, ...]) -> int:
    """As few as tell each value as it is."""
    return next((digits for digits in range(5) if all(abs(round(v, digits) - v) <= 1e-6 * abs(v) for v in values)), 5)


def _limits(metric: MetricForecast, values: tuple[float, ...]) -> tuple[float, float]:
    """The ends of the axis: round, and far enough for everything but an interval that would flatten the rest."""
    firm = [*values, *([] if metric.target is None else [metric.target]), *(one.median for one in metric.ahead)]
    low, high = min(firm), max(firm)
    reach = (high - low) * _ROOM or abs(high) * 0.1 or 1.0
    low = max(min([low, *(one.low for one in metric.ahead)]), low - reach)
    high = min(max([high, *(one.high for one in metric.ahead)]), high + reach)
    step = nice_ceiling((high - low or abs(high) or 1.0) / 4)
    floor = step * (low // step)
    return floor, floor + step * max(2, -(-(high - floor) // step))
