"""A review in three levels: the figures, what they mean for a business, what the team gains. Pure.

Every line follows from measured figures, the project's records and a user's own prices. One whose input is missing is
there without a value, and names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.report.comparison.comparing import Row
from edgekit.report.review.business import business_lines
from edgekit.report.review.lines import Line
from edgekit.report.review.prices import Prices
from edgekit.report.review.records import ProjectRecords
from edgekit.report.review.team import team_lines
from edgekit.report.summary import Report

# Of the comparison, what people who do not build engines ask for.
_FIGURES = (
    "end_to_end_p50",
    "end_to_end_p99",
    "pipeline_fps",
    "engine_fps",
    "memory_peak",
    "cpu_utilisation",
    "gpu_utilisation",
    "power_mean",
    "joules_per_frame",
    "map50_95",
    "map_kept",
)


@dataclass(frozen=True)
class Review:
    """before: the baseline's name, "" where there is only one engine; after: the headline's."""

    report: Report
    prices: Prices
    before: str
    after: str
    figures: tuple[Line, ...]
    business: tuple[Line, ...]
    team: tuple[Line, ...]

    @property
    def steady(self) -> bool:
        """False if the rate of one of the two changed during its run."""
        both = (self.report.headline, self.report.comparison.baseline)
        return all(result.measurement.rate.stable for result in both)


def make_review(report: Report, prices: Prices, records: ProjectRecords) -> Review:
    """The review of a report."""
    alone = report.headline is report.comparison.baseline
    return Review(
        report=report,
        prices=prices,
        before="" if alone else report.names[0],
        after=report.name_of(report.headline),
        figures=tuple(_figures(report, alone=alone)),
        business=tuple(business_lines(report, prices)),
        team=tuple(team_lines(records, prices)),
    )


def _figures(report: Report, *, alone: bool) -> Iterator[Line]:
    """The headline engine beside the baseline."""
    index = report.comparison.results.index(report.headline)
    rows: dict[str, Row] = {row.key: row for row in report.comparison.rows}
    for key in _FIGURES:
        if key not in rows or (alone and rows[key].plain):
            continue
        row, change = rows[key], None if alone else rows[key].changes[index - 1]
        yield Line(
            key=key,
            unit=row.unit,
            digits=row.digits,
            before=None if alone else row.values[0],
            after=row.values[index],
            missing=() if row.values[index] is not None else ("measured",),
            change_pct=change.pct if change else None,
            verdict=change.verdict if change else "unknown",
        )
