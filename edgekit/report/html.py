"""A report as one HTML page: no script, no file beside it, nothing fetched; light and dark, phone and paper."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.report import numbers, plots
from edgekit.report.facts import condition_facts, word_list
from edgekit.report.making import making_facts, precision_name
from edgekit.report.samples import Sample
from edgekit.report.summary import Report
from edgekit.report.texts import text

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATE = "report.html.j2"


def render_html(report: Report, *, lang: str = "en", samples: Sequence[Sample] = ()) -> str:
    """The page. lang: "en" or "zh". samples: pictures to embed."""
    results = report.comparison.results
    stage_ceiling = plots.stage_ceiling(results)
    rate_ceiling = plots.rate_ceiling(results)
    names = dict(zip((result.engine.engine_id for result in results), report.names, strict=True))
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            samples=samples,
            t=functools.partial(text, lang),
            names=report.names,
            headline_name=names[report.headline.engine.engine_id],
            rate_ticks=plots.ticks(rate_ceiling),
            rates=[
                [
                    plots.rate_bar(rate, rate_ceiling)
                    for rate in (r.measurement.pipeline_rate, r.measurement.engine_rate)
                    if rate
                ]
                for r in results
            ],
            stage_ticks=plots.ticks(stage_ceiling),
            stages=[plots.stage_segments(result, stage_ceiling) for result in results],
            map_ticks=plots.ticks(plots.map_ceiling(results)),
            dots=plots.condition_dots(results),
            making=[making_facts(result.engine, lang, precisions=False) for result in results],
            shares=[plots.precision_shares(result.engine) for result in results],
            precision_name=functools.partial(precision_name, lang=lang),
            facts=condition_facts(report, lang),
            words=word_list(report, lang),
        )
    )


@functools.lru_cache(maxsize=1)
def environment() -> Environment:
    """What every page is made with: text is escaped, and a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("edgekit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "fps": numbers.fps,
        "moment": numbers.moment,
        "figure": numbers.figure,
        "signed_pct": numbers.signed_pct,
        "change_pct": _change_pct,
        "pct": lambda value: f"{value:.3f}%",  # a length inside a plot, not a figure
    }
    made.filters.update(filters)
    return made


def _change_pct(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None or before == 0 else 100 * (after - before) / before
