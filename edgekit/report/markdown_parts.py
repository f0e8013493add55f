"""Sections of a report as Markdown that hold tables and lists of facts, and what all of them are written with."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from edgekit.report import numbers
from edgekit.report.facts_scenes import scene_facts, scenes_note
from edgekit.report.left_out import left_out_text
from edgekit.report.making import making_facts
from edgekit.report.recorded.saying import recorded, recorded_all
from edgekit.report.summary import Report
from edgekit.report.texts import text

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


def escape(value: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


def engines_part(report: Report, lang: str) -> Iterator[str]:
    """One row for each engine: size, INT8 layers, calibration, build time, warnings."""
    say = functools.partial(text, lang)
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
                escape(recorded_all(lang, engine.warnings)) or say("none"),
            ]
        )
    keys = ("precision", "engine", "size", "layers_quantised", "calibration", "built", "warnings")
    yield from table([say(key) for key in keys], rows)


def making_part(report: Report, lang: str) -> Iterator[str]:
    """How each engine was made, as far as its back end tells."""
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


def facts_part(title: str, pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Names and values under a title."""
    yield f"## {title}"
    yield ""
    for name, value in pairs:
        yield f"- **{escape(name)}**: {escape(value)}"
    yield ""


def left_out_part(report: Report, lang: str) -> Iterator[str]:
    """What is not in the report, with the reason, and who wrote it."""
    say = functools.partial(text, lang)
    left_out = [left_out_text(lang, one) for one in report.left_out]
    broken = [str(recorded(lang, line)) for line in report.broken_files]
    for key, lines in (("left_out", left_out), ("broken", broken)):
        if lines:
            yield f"## {say(key)}"
            yield ""
            if key == "left_out":
                yield f"{say('left_out_note')}\n"
            yield from (f"- {escape(line)}" for line in lines)
            yield ""
    yield say("written_at", version=escape(report.edgekit_version), when=numbers.moment(escape(report.created_utc)))


def table(columns: list[str], rows: list[list[str]], *, words: int = 0) -> Iterator[str]:
    """A table of figures, aligned to the right but for the first column and the last `words`; cells as they are."""
    yield f"| {' | '.join(columns)} |"
    yield f"|---|{'---:|' * (len(columns) - 1 - words)}{'---|' * words}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def scenes_part(report: Report, lang: str) -> Iterator[str]:
    """What the calibration pictures show, where somebody looked at them."""
    if report.coverage is None:
        return
    yield f"## {text(lang, 'scenes')}"
    yield ""
    for axis, strata in scene_facts(report.coverage, lang):
        told = text(lang, "list_comma").join(escape(words) for words, _ in strata)
        yield f"- **{escape(axis)}**: {told}"
    yield ""
    yield escape(scenes_note(report.coverage, lang))
    yield ""
