"""How `edgekit forecast` shows what may be expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.cli.console import table
from edgekit.report.forecast import wording
from edgekit.report.forecast.outlook import Forecast, MetricForecast
from edgekit.report.forecast.page import releases_text
from edgekit.report.forecast.readiness import Readiness
from edgekit.report.forecast.texts import text


def readiness_items(found: Sequence[Readiness]) -> list[Any]:
    """One block for each detector on each device."""
    items: list[Any] = []
    for one in found:
        items += [*([""] if items else []), *_items(one)]
    return items or ["no detector on any device"]


def _items(one: Readiness) -> list[Any]:
    found, subject = one.forecast, one.subject
    items: list[Any] = [
        f"{text('en', 'pair', detector=subject.detector, device=subject.device)}: {one.state}"
        f" ({releases_text(found, 'en')})"
    ]
    if found.metrics:
        items.append(_table(found))
    items += [_sentence(together) for together in (wording.together_text(found, "en"),) if together]
    if one.likely_from:
        items.append(text("en", "likely_from", ahead=one.likely_from))
    items += [
        _sentence(f"{text('en', m.key)}: {said}") for m in found.metrics if (said := wording.progress_text(m, "en"))
    ]
    for flag in found.untypical:
        items += [f"untypical: {flag.what}", f"  likely: {flag.cause}", f"  try: {flag.command}"]
    items += [f"note: {note}" for note in wording.notes(found, "en")]
    items += [f"try: {hint}" for hint in _hints(one)]
    return items


def _table(found: Forecast) -> Any:
    ahead = max((len(metric.ahead) for metric in found.metrics), default=0)
    later = [text("en", "later", ahead=ahead), "range "] if ahead > 1 else []
    columns = ["figure", "now", "target", "", "next", "range", *later, "steps left", "", "interval right"]
    rows = [_row(metric, with_later=bool(later)) for metric in found.metrics]
    return table(columns, rows, right=("now", "target", "next", *later[:1], "steps left"))


def _row(metric: MetricForecast, *, with_later: bool) -> list[str | None]:
    first, last = (metric.ahead[0], metric.ahead[-1]) if metric.ahead else (None, None)
    steps, steps_range = wording.steps_text(metric.left, "en")
    later = [wording.chance(last.probability) if last else "", wording.range_text(metric, last, "en") if last else ""]
    return [
        text("en", metric.key),
        wording.value_text(metric, metric.now) or text("en", "unmeasured"),
        wording.target_text(metric),
        "" if metric.met is None else "met" if metric.met else "not met",
        wording.chance(first.probability) if first else "",
        wording.range_text(metric, first, "en") if first else wording.state_text(metric, "en"),
        *(later if with_later else []),
        steps,
        steps_range,
        wording.coverage_text(metric, "en"),
    ]


def _hints(one: Readiness) -> list[str]:
    if not one.forecast.releases:
        return [f"edgekit bench --fps --device {one.subject.device}"]
    if not one.forecast.targets:
        return ["edgekit forecast --target fps=25    (or targets: in devices.yaml)"]
    return []


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."
