"""A report as Markdown: for a pull request, a wiki or a chat."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

from edgekit.report import numbers
from edgekit.report.compare import Row
from edgekit.report.facts import condition_facts, word_list
from edgekit.report.making import making_facts
from edgekit.report.plots import STAGES, condition_dots
from edgekit.report.summary import Report
from edgekit.report.texts import text

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")

Say = Callable[..., str]


def render_markdown(report: Report, *, lang: str = "en") -> str:
    """The text, ending in one line feed."""
    say = functools.partial(text, lang)
    sections = (
        _head(report, say),
        _comparison(report, say),
        _stages(report, say),
        _accuracy(report, say),
        _engines(report, say),
        _making(report, lang),
        _facts(say("conditions"), condition_facts(report, lang)),
        _facts(say("words"), word_list(report, lang)),
        _left_out(report, say),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def escape(value: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


def _head(report: Report, say: Say) -> Iterator[str]:
    rate, accuracy = report.headline.measurement.rate, report.headline.accuracy
    precision = report.headline.engine.precision.upper()
    yield f"# {escape(say('title', detector=report.detector, device=report.device))}"
    yield ""
    interval = say("interval_95", low=numbers.fps(rate.low_fps), high=numbers.fps(rate.high_fps))
    what = say("fps_headline", precision=precision)
    yield f"**{numbers.fps(rate.fps)} FPS** ({what}; {interval}). {say('fps_means')}"
    if not rate.stable:
        yield f"{say('unsteady')} {escape(rate.verdict)}"
    yield ""
    if accuracy:
        kept = report.map_kept_pct()
        base = report.comparison.baseline.engine.precision.upper()
        share = f" ({say('kept', pct=f'{kept:.1f}', precision=base)})" if kept is not None else ""
        where = say("accuracy_on", images=accuracy.images, dataset=escape(accuracy.dataset))
        yield f"{say('accuracy')}: **{numbers.figure(accuracy.map50_95, 3)}** {where}{share}."
    else:
        yield f"{say('accuracy')}: {say('not_measured')}."
    yield ""
    yield from _shipped(report, say)
    if not report.is_jetson:
        profile = report.headline.profile
        yield f"> {say('not_a_jetson', module=escape(profile.module), backend=escape(profile.backend_name))}"
        yield ""


def _shipped(report: Report, say: Say) -> Iterator[str]:
    if report.shipped is None:
        yield f"{say('shipped')}: {say('not_shipped')}. {say('no_decision')}"
    else:
        yield f"{say('shipped')}: **{escape(report.shipped.precision.upper())}**. {escape(report.shipped.decision)}"
        if not report.headline_is_shipped:
            yield say("shipped_unmeasured", engine=escape(report.shipped.engine_id))
    yield ""


def _comparison(report: Report, say: Say) -> Iterator[str]:
    names = [escape(name) for name in report.names]
    yield f"## {say('before_after') if len(names) > 1 else say('figures')}"
    yield ""
    if len(names) == 1:
        yield say("single_note")
        yield ""
    columns = [names[0], *(cell for name in names[1:] for cell in (name, say("change")))]
    yield from _table([say("metric"), *columns], [_comparison_cells(row, say) for row in report.comparison.rows])


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
        words = say(change.verdict) if change.verdict in ("unclear", "unknown") else ""
        cells += [value, " ".join(part for part in (numbers.signed_pct(change.pct), words) if part)]
    return cells


def _stages(report: Report, say: Say) -> Iterator[str]:
    yield f"## {say('stages')}"
    yield ""
    yield say("stages_note")
    yield ""
    rows = []
    for stage in STAGES:
        summaries = [result.measurement.stages.get(stage) for result in report.comparison.results]
        means = [numbers.figure(s.mean_ms if s else None, 2, "ms", say("not_measured")) for s in summaries]
        rows.append([say(stage), *means])
    yield from _table(["", *(escape(name) for name in report.names)], rows)


def _accuracy(report: Report, say: Say) -> Iterator[str]:
    dots = condition_dots(report.comparison.results)
    if not dots:
        return
    yield f"## {say('conditions_map')}"
    yield ""
    rows = [
        [escape(name), *(numbers.figure(dot.value, 3, "", say("not_measured")) for dot in row)]
        for name, row in dots.items()
    ]
    yield from _table(["mAP50-95", *(escape(name) for name in report.names)], rows)


def _engines(report: Report, say: Say) -> Iterator[str]:
    yield f"## {say('engines')}"
    yield ""
    rows = []
    for name, result in zip(report.names, report.comparison.results, strict=True):
        engine = result.engine
        rows.append(
            [
                escape(name),
                f"`{engine.engine_id}`",
                numbers.figure(engine.file_bytes / (1 << 20), 2, "MiB"),
                say("layers_of", part=engine.layers_quantised, total=engine.layers_total),
                str(engine.calibration_images) if engine.calibration_images else say("none"),
                numbers.figure(engine.build_s, 1, "s"),
                "; ".join(escape(warning) for warning in engine.warnings) or say("none"),
            ]
        )
    keys = ("precision", "engine", "size", "layers_quantised", "calibration", "built", "warnings")
    yield from _table([say(key) for key in keys], rows)


def _making(report: Report, lang: str) -> Iterator[str]:
    known = [
        (name, making_facts(result.engine, lang))
        for name, result in zip(report.names, report.comparison.results, strict=True)
    ]
    known = [(name, pairs) for name, pairs in known if pairs]
    if not known:
        return
    yield f"## {text(lang, 'made')}"
    yield ""
    for name, pairs in known:
        yield f"### {escape(name)}"
        yield ""
        yield from (f"- **{escape(key)}**: {escape(value)}" for key, value in pairs)
        yield ""


def _facts(title: str, pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    for name, value in pairs:
        yield f"- **{escape(name)}**: {escape(value)}"
    yield ""


def _left_out(report: Report, say: Say) -> Iterator[str]:
    for key, lines in (("left_out", report.left_out), ("broken", report.broken_files)):
        if lines:
            yield f"## {say(key)}"
            yield ""
            if key == "left_out":
                yield f"{say('left_out_note')}\n"
            yield from (f"- {escape(line)}" for line in lines)
            yield ""
    yield say("written_at", version=escape(report.edgekit_version), when=numbers.moment(escape(report.created_utc)))


def _table(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|---|{'---:|' * (len(columns) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
