"""A report as one HTML page: no script, no file beside it, nothing fetched; light and dark, phone and paper."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edgekit.core.results import BenchResult
from edgekit.report import numbers, plots, plots_curves
from edgekit.report.facts import condition_facts, span_text, word_list
from edgekit.report.facts_scenes import accuracy_label, scene_facts, scenes_note
from edgekit.report.left_out import left_out_text
from edgekit.report.making import making_facts, precision_name
from edgekit.report.meaning.decision import decision_text
from edgekit.report.meaning.sentences import meaning_text, meanings
from edgekit.report.recorded.saying import recorded
from edgekit.report.samples import Sample
from edgekit.report.summary import Report
from edgekit.report.texts import text

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATE = "report.html.j2"


def render_html(report: Report, *, lang: str = "en", samples: Sequence[Sample] = ()) -> str:
    """The page. lang: "en" or "zh". samples: pictures to embed."""
    results = report.comparison.results
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            samples=samples,
            t=functools.partial(text, lang),
            names=report.names,
            groups=[tuple(rows) for _, rows in groupby(report.comparison.rows, key=lambda row: row.group)],
            span=span_text(report, lang),
            headline_name=report.name_of(report.headline),
            decision=decision_text(lang, report.shipped) if report.shipped else None,
            meaning=[(one.tone, meaning_text(lang, one)) for one in meanings(report)],
            making=[making_facts(result.engine, lang, precisions=False) for result in results],
            shares=[plots.precision_shares(result.engine) for result in results],
            accuracy_label=functools.partial(accuracy_label, lang),
            precision_name=functools.partial(precision_name, lang=lang),
            scenes=scene_facts(report.coverage, lang) if report.coverage else (),
            scenes_note=scenes_note(report.coverage, lang) if report.coverage else "",
            facts=condition_facts(report, lang),
            words=word_list(report, lang),
            recorded=functools.partial(recorded, lang),
            left_out=functools.partial(left_out_text, lang),
            **_plots(report),
        )
    )


def _plots(report: Report) -> dict[str, Any]:
    """Every plot of the page, by its name in the template; what was not measured is empty."""
    results = report.comparison.results
    engines = [report.comparison.runs_of(result) for result in results]
    joules = next((row for row in report.comparison.rows if row.key == "joules_per_frame"), None)
    rate_ceiling, stage_ceiling = plots.rate_ceiling(engines), plots.stage_ceiling(results)
    latency_ceiling, energy_ceiling = plots_curves.percentile_ceiling(results), plots_curves.energy_ceiling(joules)
    runs = (report.headline, *report.others)
    return {
        "rate_ticks": plots.ticks(rate_ceiling),
        "rates": [plots.rate_bars(runs, rate_ceiling) for runs in engines],
        "stage_ticks": plots.ticks(stage_ceiling),
        "stages": [plots.stage_segments(result, stage_ceiling) for result in results],
        "latency_ticks": plots.ticks(latency_ceiling),
        "percentiles": [plots_curves.percentiles(result, latency_ceiling) for result in results],
        "energy_ticks": plots.ticks(energy_ceiling),
        "energies": plots_curves.energy_bars(joules, energy_ceiling),
        "accuracies": _accuracies(results),
        "streams": [(result, chart) for result in runs if (chart := plots_curves.streams_chart(result))],
        "soaks": [(result, charts) for result in runs if (charts := plots_curves.soak_charts(result))],
    }


def _accuracies(
    results: Sequence[BenchResult],
) -> list[tuple[str, tuple[plots.Tick, ...], dict[str, tuple[plots.Dot, ...]]]]:
    """Part, ticks and dots of every part that accuracy is told of."""
    found = ((part, plots.accuracy_dots(results, part)) for part in plots.ACCURACY_PARTS)
    return [(part, plots.ticks(plots.map_ceiling(results, part)), dots) for part, dots in found if dots]


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
        "percent_apart": numbers.percent_apart,
        "pct": lambda value: f"{value:.3f}%",  # a length inside a plot, not a figure
    }
    made.filters.update(filters)
    return made


def _change_pct(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None or before == 0 else 100 * (after - before) / before
