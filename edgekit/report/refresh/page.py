"""One refresh as one HTML page: before and after in each stratum, with intervals. No script, nothing fetched."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.gate import StratumKept
from edgekit.core.refresh import Refresh
from edgekit.report.html import environment
from edgekit.report.refresh.markdown import Comparison, compared, record_facts

_TEMPLATE = "refresh.html.j2"
_LEAST_SPAN = 0.1  # of the plot on either side of 100 %


@dataclass(frozen=True)
class PlotRow:
    """A stratum; where its share and the ends of its interval lie, in percent of the plot's width, if it is judged."""

    name: str
    cells: tuple[str, ...]
    at_pct: float | None = None
    low_pct: float | None = None
    high_pct: float | None = None


@dataclass(frozen=True)
class Plot:
    """One comparison. even_pct: where 100 % lies."""

    one: Comparison
    rows: tuple[PlotRow, ...]
    even_pct: float = 50.0


def refresh_page(record: Refresh) -> str:
    """The page."""
    plots = [_plot(one) for one in compared(record)]
    return environment().get_template(_TEMPLATE).render(record=record, plots=plots, facts=record_facts(record))


def _plot(one: Comparison) -> Plot:
    judged = [row for row in one.gate.rows if one.word(row) != "not judged"]
    reach = max([_LEAST_SPAN, *(abs(end - 1) for row in judged for end in (row.low, row.high))])
    return Plot(one, tuple(_row(one, row, reach) for row in one.gate.rows))


def _row(one: Comparison, row: StratumKept, reach: float) -> PlotRow:
    if one.word(row) == "not judged":
        return PlotRow(row.stratum, one.cells(row))
    at, low, high = (50 + 50 * (share - 1) / reach for share in (row.kept, row.low, row.high))
    return PlotRow(row.stratum, one.cells(row), at, low, high)
