"""A review as a page, as Markdown and as JSON-ready data."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.core.wire import to_wire
from edgekit.report import numbers
from edgekit.report.html import environment
from edgekit.report.markdown_parts import escape, table
from edgekit.report.recorded.saying import recorded, recorded_word
from edgekit.report.review.lines import Line
from edgekit.report.review.making import Review
from edgekit.report.review.texts import has_how, review_text

LEVELS = ("figures", "business", "team")
_TEMPLATE = "review.html.j2"
# What was never measured or done: there is nothing to compute, so that nothing is said of computing.
_TOLD_ALONE = {"measured", "deploys", "results", "builds", "gates", "regression_gates", "refreshes"}


@dataclass(frozen=True)
class Cells:
    """A line as it is printed. missing: why there is no value, "" where there is one."""

    name: str
    before: str
    now: str
    missing: str
    change: str
    verdict: str
    how: str


def render_review_html(review: Review, *, lang: str = "en") -> str:
    """The page. lang: "en" or "zh"."""
    levels = [(level, [cells(line, review, lang) for line in getattr(review, level)]) for level in LEVELS]
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            review=review,
            t=functools.partial(review_text, lang),
            recorded=functools.partial(recorded, lang),
            levels=levels,
            prices=_prices(review),
        )
    )


def render_review_markdown(review: Review, *, lang: str = "en") -> str:
    """The text, ending in one line feed."""
    return "\n".join(_markdown(review, lang)).rstrip() + "\n"


def review_document(review: Review) -> dict[str, Any]:
    """Everything, with how each line was reckoned in English. schema rises when a field changes its meaning."""
    return {
        "schema": 1,
        "created_utc": review.report.created_utc,
        "edgekit": review.report.edgekit_version,
        "device": review.report.device,
        "detector": review.report.detector,
        "before": review.before or None,
        "now": review.after,
        "prices": to_wire(review.prices),
        **{level: [_line_document(line, review) for line in getattr(review, level)] for level in LEVELS},
    }


def cells(line: Line, review: Review, lang: str) -> Cells:
    """What stands in each column."""
    say = functools.partial(review_text, lang)
    missing = ""
    if line.after is None:
        told = say("list_comma").join(say(f"missing_{name}") for name in line.missing)
        missing = told if set(line.missing) <= _TOLD_ALONE else say("not_computed", missing=told)
    how = say(f"how_{line.key}", **_values(line, lang)) if has_how(line.key) and line.after is not None else ""
    return Cells(
        name=say(line.key),
        before=_shown(line.before, line, review),
        now=_shown(line.after, line, review),
        missing=missing,
        change="" if line.after is None else _change(line, say("unclear")),
        verdict=line.verdict,
        how=how,
    )


def _values(line: Line, lang: str) -> dict[str, str]:
    """What fills the blanks of how a line was reckoned."""
    say = functools.partial(review_text, lang)
    listed = {
        name: say("list_comma").join(say(part.key, **part.values) for part in parts)
        for name, parts in line.lists.items()
    }
    of = {"of": recorded_word(lang, line.values["of"])} if "of" in line.values else {}
    return {**line.values, **of, **listed}


def _change(line: Line, unclear: str) -> str:
    """What lies within the noise of the runs is no change, and says so."""
    pct = numbers.signed_pct(line.change_pct)
    return f"{pct} ({unclear})" if line.verdict == "unclear" else pct


def _shown(value: float | None, line: Line, review: Review) -> str:
    if line.unit == "FPS" and value is not None:
        return f"{numbers.fps(value)}\N{NARROW NO-BREAK SPACE}FPS"
    return numbers.figure(value, line.digits, review.prices.currency if line.unit == "money" else line.unit)


def _line_document(line: Line, review: Review) -> dict[str, Any]:
    told = cells(line, review, "en")
    return {
        "key": line.key,
        "name": told.name,
        "unit": review.prices.currency if line.unit == "money" else line.unit,
        "before": line.before,
        "now": line.after,
        "change_pct": line.change_pct,
        "missing": list(line.missing),
        "how": told.how or told.missing,
    }


def _prices(review: Review) -> tuple[tuple[str, str], ...]:
    """What is given, by the names of prices.yaml."""
    given = asdict(review.prices)
    by_hand = {f"hours_by_hand.{name}": hours for name, hours in given.pop("hours_by_hand").items()}
    return tuple((name, _plain(value)) for name, value in {**given, **by_hand}.items() if value not in (None, ""))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _markdown(review: Review, lang: str) -> Iterator[str]:
    say, report = functools.partial(review_text, lang), review.report
    yield f"# {escape(say('title', detector=report.detector, device=report.device))}"
    yield ""
    when = numbers.moment(escape(report.headline.created_utc))
    names = {"after": escape(review.after), "when": when}
    yield say("sub", before=escape(review.before), **names) if review.before else say("sub_alone", **names)
    if not review.before:
        yield f"\n{say('alone')}"
    yield ""
    if not report.is_jetson:
        module, backend = report.headline.profile.module, report.headline.profile.backend_name
        yield f"> {say('not_a_jetson', module=escape(module), backend=escape(backend))}\n"
    if not review.steady:
        yield f"> {say('mean_unsteady')}\n"
    for level in LEVELS:
        yield from _level(level, review, lang)
    yield f"## {say('prices')}\n"
    yield from (f"- **{escape(name)}**: {escape(value)}" for name, value in _prices(review))
    if not _prices(review):
        yield say("no_prices")
    yield ""
    yield say("written_at", version=escape(report.edgekit_version), when=numbers.moment(escape(report.created_utc)))


def _level(level: str, review: Review, lang: str) -> Iterator[str]:
    say = functools.partial(review_text, lang)
    yield f"## {say(f'level_{level}')}\n"
    yield f"{say(f'note_{level}')}\n"
    shown = [cells(line, review, lang) for line in getattr(review, level)]
    if level == "team":
        rows = [[one.name, escape(one.now or one.missing), escape(one.how)] for one in shown]
        yield from table(["", say("now"), say("how")], rows, words=1)
        return
    wide = bool(review.before)
    head = ["", *([say("before")] if wide else []), say("now"), *([say("change")] if wide else []), say("how")]
    rows = [
        [
            one.name,
            *([escape(one.before)] if wide else []),
            escape(one.now or one.missing),
            *([one.change] if wide else []),
            escape(one.how),
        ]
        for one in shown
    ]
    yield from table(head, rows, words=1)
