"""A report as Markdown: for a pull request, a wiki or a chat."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from edgekit.report import numbers
from edgekit.report.comparison.comparing import Row
from edgekit.report.facts import condition_facts, span_text, word_list
from edgekit.report.facts_scenes import accuracy_label
from edgekit.report.markdown_parts import (
    engines_part,
    escape,
    facts_part,
    left_out_part,
    making_part,
    scenes_part,
    table,
)
from edgekit.report.meaning.decision import decision_text
from edgekit.report.meaning.sentences import meaning_text, meanings
from edgekit.report.plots import ACCURACY_PARTS, STAGES, accuracy_dots
from edgekit.report.recorded.saying import recorded, recorded_all
from edgekit.report.summary import Report
from edgekit.report.texts import text

__all__ = ["escape", "render_markdown"]

Say = Callable[..., str]


def render_markdown(report: Report, *, lang: str = "en") -> str:
    """The text, ending in one line feed."""
    say = functools.partial(text, lang)
    sections = (
        _head(report, lang),
        _meaning(report, lang),
        _comparison(report, say),
        _stages(report, say),
        _accuracy(report, lang),
        _streams(report, say),
        engines_part(report, lang),
        making_part(report, lang),
        scenes_part(report, lang),
        facts_part(say("conditions"), condition_facts(report, lang)),
        facts_part(say("words"), word_list(report, lang)),
        left_out_part(report, lang),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _head(report: Report, lang: str) -> Iterator[str]:
    say = functools.partial(text, lang)
    rate, accuracy = report.rate, report.headline.accuracy
    scenario = report.headline.conditions.scenario
    yield f"# {escape(say('title', detector=report.detector, device=report.device))}"
    yield ""
    what = say(f"fps_headline_{scenario}", precision=escape(report.name_of(report.headline)))
    yield f"**{numbers.fps(rate.fps)} FPS** ({what}; {span_text(report, lang)}). {say(f'fps_means_{scenario}')}"
    if not report.headline.measurement.rate.stable:
        yield f"{say('unsteady')} {escape(str(recorded(lang, report.headline.measurement.rate.verdict)))}"
    yield ""
    if accuracy:
        kept = report.map_kept_pct()
        share = f" ({say('kept', pct=f'{kept:.1f}', precision=report.names[0])})" if kept is not None else ""
        where = say("accuracy_on", images=accuracy.images, dataset=escape(accuracy.dataset))
        yield f"{say('accuracy')}: **{numbers.figure(accuracy.map50_95, 3)}** {where}{share}."
    else:
        yield f"{say('accuracy')}: {say('not_measured')}."
    yield ""
    yield from _shipped(report, lang)
    yield from _notices(report, lang)


def _notices(report: Report, lang: str) -> Iterator[str]:
    say, head = functools.partial(text, lang), report.headline
    if not head.comparable:
        yield f"> {say('disturbed')} {escape(recorded_all(lang, head.measurement.disturbances))}"
        yield ""
    if not report.is_jetson:
        yield f"> {say('not_a_jetson', module=escape(head.profile.module), backend=escape(head.profile.backend_name))}"
        yield ""


def _shipped(report: Report, lang: str) -> Iterator[str]:
    say, shipped = functools.partial(text, lang), report.shipped
    if shipped is None:
        yield f"{say('shipped')}: {say('not_shipped')}. {say('no_decision')}"
    else:
        decision = escape(str(decision_text(lang, shipped)))
        yield f"{say('shipped')}: **{escape(shipped.precision.upper())}**. {decision}"
        if not report.headline_is_shipped:
            yield say("shipped_unmeasured", engine=escape(shipped.engine_id))
    yield ""


def _meaning(report: Report, lang: str) -> Iterator[str]:
    found = meanings(report)
    if not found:
        return
    yield f"## {text(lang, 'meaning')}"
    yield ""
    for one in found:
        tone = text(lang, f"tone_{one.tone}") if one.tone != "plain" else ""
        yield f"- {f'**{tone}**: ' if tone else ''}{escape(meaning_text(lang, one))}"
    yield ""


def _comparison(report: Report, say: Say) -> Iterator[str]:
    names = [escape(name) for name in report.names]
    yield f"## {say('before_after') if len(names) > 1 else say('figures')}"
    yield ""
    if len(names) == 1:
        yield say("single_note")
        yield ""
    columns = [names[0], *(cell for name in names[1:] for cell in (name, say("change")))]
    yield from table([say("metric"), *columns], [_comparison_cells(row, say) for row in report.comparison.rows])


def _comparison_cells(row: Row, say: Say) -> list[str]:
    shown = [
        numbers.fps(value, say("not_measured")) + (f" {row.unit}" if value is not None else "")
        if row.unit == "FPS"
        else numbers.figure(value, row.digits, row.unit, say("not_measured"))
        for value in row.values
    ]
    shown = [
        figure if steady else f"{figure} ({say('unsteady_short')})"
        for figure, steady in zip(shown, row.steady, strict=True)
    ]
    cells = [say(row.key), shown[0]]
    for value, change in zip(shown[1:], row.changes, strict=True):
        words = say(change.verdict) if change.verdict in ("unclear", "unknown") and not row.plain else ""
        cells += [value, " ".join(part for part in (numbers.signed_pct(change.pct), words) if part)]
    return cells


def _stages(report: Report, say: Say) -> Iterator[str]:
    if not any(stage in result.measurement.stages for result in report.comparison.results for stage in STAGES):
        return
    yield f"## {say('stages')}"
    yield ""
    yield say("stages_note")
    yield ""
    rows = []
    for stage in STAGES:
        summaries = [result.measurement.stages.get(stage) for result in report.comparison.results]
        means = [numbers.figure(s.mean_ms if s else None, 2, "ms", say("not_measured")) for s in summaries]
        rows.append([say(stage), *means])
    yield from table(["", *(escape(name) for name in report.names)], rows)


def _accuracy(report: Report, lang: str) -> Iterator[str]:
    for part in ACCURACY_PARTS:
        dots = accuracy_dots(report.comparison.results, part)
        if not dots:
            continue
        yield f"## {text(lang, f'{part}_map')}"
        yield ""
        labels = [accuracy_label(lang, part, name) for name in dots]
        missing = text(lang, "not_measured")
        rows = [
            [escape(label), *(numbers.figure(dot.value, 3, "", missing) for dot in row)]
            for label, row in zip(labels, dots.values(), strict=True)
        ]
        yield from table(["mAP50-95", *(escape(name) for name in report.names)], rows)


def _streams(report: Report, say: Say) -> Iterator[str]:
    for result in (report.headline, *report.others):
        if result.measurement.stream_points:
            yield f"## {say('streams_section')}"
            yield ""
            yield say("streams_note", name=escape(report.name_of(result)))
            yield ""
            rows = [
                [str(point.streams), numbers.fps(point.rate.fps), numbers.fps(point.slowest_fps)]
                for point in result.measurement.stream_points
            ]
            yield from table([say("streams_unit"), say("streams_all"), say("streams_slowest")], rows)
