"""The readiness of every detector on every device as one HTML page: no script, no file beside it, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.report import numbers
from edgekit.report.forecast import wording
from edgekit.report.forecast.chart import HEIGHT_PX, Chart, chart
from edgekit.report.forecast.outlook import Forecast, MetricForecast
from edgekit.report.forecast.readiness import Readiness
from edgekit.report.forecast.texts import WORDS, text
from edgekit.report.html import environment

_TEMPLATE = "readiness.html.j2"


@dataclass(frozen=True)
class _Figure:
    """One figure of a card, ready to be printed; empty texts where there is nothing to say."""

    metric: MetricForecast
    name: str
    now: str
    target: str
    instead: str  # of a forecast
    next_chance: str
    next_range: str
    later_chance: str
    later_range: str
    steps: str
    steps_range: str
    coverage: str
    progress: str
    chart: Chart | None


@dataclass(frozen=True)
class _Card:
    one: Readiness
    title: str
    anchor: str
    releases: str
    span: str
    figures: tuple[_Figure, ...]
    together: str
    notes: tuple[str, ...]


def render_readiness(found: Sequence[Readiness], *, created_utc: str, edgekit_version: str, lang: str = "en") -> str:
    """The page. lang: "en" or "zh"."""
    t = functools.partial(text, lang)
    cards = [_card(number, one, lang) for number, one in enumerate(found)]
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            t=t,
            cards=cards,
            ahead=max((len(one.forecast.together) for one in found), default=0),
            chance=wording.chance,
            height_px=HEIGHT_PX,
            untypical=functools.partial(_untypical, lang),
            words=[t(word).split("|", 1) for word in WORDS],
            created_utc=created_utc,
            version=edgekit_version,
        )
    )


def _card(number: int, one: Readiness, lang: str) -> _Card:
    found, subject = one.forecast, one.subject
    return _Card(
        one,
        text(lang, "pair", detector=subject.detector, device=subject.device),
        f"pair-{number}",
        releases_text(found, lang),
        _span(found, lang),
        tuple(_figure(metric, lang) for metric in found.metrics),
        wording.together_text(found, lang),
        tuple(wording.notes(found, lang)),
    )


def releases_text(found: Forecast, lang: str) -> str:
    """ "11 releases"."""
    count = len(found.releases)
    key = "releases_none" if count == 0 else "release_is" if count == 1 else "releases_are"
    return text(lang, key, count=count)


def _span(found: Forecast, lang: str) -> str:
    if len(found.releases) < 2:
        return ""
    first, last = (numbers.moment(found.releases[place].released_utc)[:10] for place in (0, -1))
    return text(lang, "first_to_last", first=first, last=last)


def _figure(metric: MetricForecast, lang: str) -> _Figure:
    first, last = (metric.ahead[0], metric.ahead[-1]) if metric.ahead else (None, None)
    steps, steps_range = wording.steps_text(metric.left, lang)
    return _Figure(
        metric,
        text(lang, metric.key),
        wording.value_text(metric, metric.now),
        wording.target_text(metric),
        wording.state_text(metric, lang),
        wording.chance(first.probability) if first else "",
        wording.range_text(metric, first, lang) if first else "",
        wording.chance(last.probability) if last else "",
        wording.range_text(metric, last, lang) if last else "",
        steps,
        steps_range,
        wording.coverage_text(metric, lang),
        wording.progress_text(metric, lang),
        chart(metric),
    )


def _untypical(lang: str, kind: str, values: dict[str, str]) -> tuple[str, str]:
    return text(lang, f"{kind}_what", **values), text(lang, "likely_cause", cause=text(lang, f"{kind}_cause"))
