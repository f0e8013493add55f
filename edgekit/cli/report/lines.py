"""What `edgekit report` says on the terminal, beside the file that it writes."""

from __future__ import annotations

from pathlib import Path

from edgekit.report import numbers
from edgekit.report.facts import span_text
from edgekit.report.review.forms import cells
from edgekit.report.review.making import Review
from edgekit.report.summary import Report
from edgekit.report.texts import text


def headline_lines(path: Path, report: Report) -> tuple[str, ...]:
    """What a person looks for after `edgekit report`: rate, accuracy, what runs there, where the report is."""
    head, kept = report.headline, report.map_kept_pct()
    rate, accuracy = report.rate, head.accuracy
    what = text("en", f"fps_headline_{head.conditions.scenario}", precision=report.name_of(head))
    share = f" ({text('en', 'kept', pct=f'{kept:.1f}', precision=report.names[0])})" if kept is not None else ""
    where = text("en", "accuracy_on", images=accuracy.images, dataset=accuracy.dataset) if accuracy else ""
    through = "through the whole pipeline" if head.conditions.scenario == "pipeline" else f"({what})"
    return (
        f"{report.detector} on {report.device}, {head.engine.precision.upper()}"
        + (", deployed" if report.headline_is_shipped else ""),
        f"  {numbers.fps(rate.fps)} FPS {through}, {span_text(report, 'en')}",
        *(f"  disturbed: {line}" for line in head.measurement.disturbances),
        f"  {numbers.figure(accuracy.map50_95, 3)} {where}{share}" if accuracy else "  accuracy: not measured",
        f"  {path}",
    )


def review_lines(path: Path, review: Review) -> tuple[str, ...]:
    """What the figures mean for the business, and where the review is."""
    names = f"{review.before} before, {review.after} now" if review.before else review.after
    shown = [cells(line, review, "en") for line in review.business]
    return (
        f"{review.report.detector} on {review.report.device}: {names}",
        *(
            f"  {one.name}: {f'{one.before} -> ' if one.before and one.now else ''}{one.now or one.missing}"
            for one in shown
        ),
        f"  {path}",
    )
