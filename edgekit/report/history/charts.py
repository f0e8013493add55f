"""Where the figures of a series lie in a plot: across in percent of its width, down in pixels. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.report.history.figures import FIGURE_OF, Figure
from edgekit.report.history.rows import Listed
from edgekit.report.history.series import Line, Series, series_of

HEIGHT_PX = 104
_MARGIN_PX = 10
_EDGE_PCT = 2.0
_INTERVALS = {"fps": ("fps_low", "fps_high"), "map_kept_pct": ("map_kept_low_pct", "map_kept_high_pct")}
_LEAST_SHARE = 0.02  # of a figure: the least that a plot reaches over
MOST = 60  # results in a plot; of longer series the newest


@dataclass(frozen=True)
class Dot:
    """One result. low_px, high_px: the ends of its interval, where it has one. release: the first of its engine."""

    row: Listed
    value: float
    at_pct: float
    top_px: float
    low_px: float | None
    high_px: float | None
    release: bool


@dataclass(frozen=True)
class Chart:
    """One figure over time. low, high: the values at the lower and upper end of the plot."""

    figure: Figure
    line: Line
    dots: tuple[Dot, ...]
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """A series with its charts. shown: how many results are drawn."""

    series: Series
    shown: int
    charts: tuple[Chart, ...]


def panels_of(rows: Sequence[Listed]) -> tuple[Panel, ...]:
    """The series among results given newest first, that with the newest result first, each with its charts."""
    return tuple(_panel(one, rows) for one in series_of(rows) if one.lines)


def _panel(one: Series, newest_first: Sequence[Listed]) -> Panel:
    known = (one.device, one.detector, one.precision, one.scenario, one.conditions_sha256)
    members = [
        row
        for row in newest_first
        if (row.device, row.detector, row.precision, row.scenario, row.conditions_sha256) == known and row.comparable
    ][:MOST]
    oldest_first = tuple(reversed(members))
    charts = (_chart(FIGURE_OF[line.key], line, oldest_first) for line in one.lines)
    return Panel(one, len(members), tuple(chart for chart in charts if chart is not None))


def _chart(figure: Figure, line: Line, rows: Sequence[Listed]) -> Chart | None:
    measured = [row for row in rows if row.figures.get(figure.key) is not None]
    ends = [end for row in measured for end in (*_interval(figure, row), row.figures[figure.key]) if end is not None]
    if not ends:
        return None
    low, high = _drawn(min(ends), max(ends))
    engines = [row.engine_id for row in rows]
    dots = [
        _dot(figure, row, index, len(rows), low, high, release=index > 0 and engines[index] != engines[index - 1])
        for index, row in enumerate(rows)
        if row.figures.get(figure.key) is not None
    ]
    return Chart(figure, line, tuple(dots), low, high)


def _drawn(low: float, high: float) -> tuple[float, float]:
    """The ends of the plot: a change of a thousandth over its whole height would look like a landslide."""
    middle, reach = (low + high) / 2, max(high - low, _LEAST_SHARE * max(abs(low), abs(high))) / 2
    return (low, high) if low == high else (middle - reach, middle + reach)


def _dot(figure: Figure, row: Listed, index: int, count: int, low: float, high: float, *, release: bool) -> Dot:
    value = row.figures[figure.key]
    assert value is not None
    ends = [None if end is None else _top_px(end, low, high) for end in _interval(figure, row)]
    at_pct = 50.0 if count == 1 else _EDGE_PCT + (100 - 2 * _EDGE_PCT) * index / (count - 1)
    return Dot(row, value, at_pct, _top_px(value, low, high), ends[0], ends[1], release)


def _interval(figure: Figure, row: Listed) -> tuple[float | None, float | None]:
    low, high = _INTERVALS.get(figure.key, ("", ""))
    return row.figures.get(low), row.figures.get(high)


def _top_px(value: float, low: float, high: float) -> float:
    share = 0.5 if high == low else (value - low) / (high - low)
    return round(_MARGIN_PX + (1 - share) * (HEIGHT_PX - 2 * _MARGIN_PX), 2)
