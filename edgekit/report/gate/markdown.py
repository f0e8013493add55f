"""The outcome as Markdown, ready to be a comment on a pull or merge request."""

from __future__ import annotations

import re

from edgekit.report.gate.outcome import CANNOT_TELL, IMPROVEMENT, NO_WORSE, REGRESSION, SAME, GateReport, Judged
from edgekit.report.gate.texts import (
    interval_text,
    left_out_text,
    p_text,
    rule_text,
    side_text,
    test_text,
    value_text,
    verdict_line,
)
from edgekit.report.numbers import signed_pct

# A script that updates its own comment finds it by this line.
MARKER = "<!-- edgekit gate -->"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#@])")
_VERDICTS = {
    REGRESSION: "❌ **regression**",
    IMPROVEMENT: "✅ improvement",
    SAME: "same",
    NO_WORSE: "no worse",
    CANNOT_TELL: "❔ cannot tell",
}


def render_markdown(report: GateReport) -> str:
    """A heading, the sides, the table, and what stays out of it."""
    sign = "✅" if report.passed else "❌" if report.failed else "❔"
    interval = f"{report.interval_pct:g} % interval"
    lines = [
        MARKER,
        f"### {sign} edgekit gate: {_plain(report.detector)} on {_plain(report.device)}",
        "",
        f"**{_plain(verdict_line(report))}**",
        "",
        f"| figure | baseline | candidate | change | {interval} | limit | p worse | verdict |",
        "|---|--:|--:|--:|:-:|--:|--:|---|",
        *(_row(row) for row in report.rows),
        "",
        f"- baseline: {_plain(side_text(report.baseline))}",
        f"- candidate: {_plain(side_text(report.candidate))}",
        f"- scenario: {_plain(report.scenario)}",
        *(f"- {_plain(line)}" for line in left_out_text(report)),
        "",
        "<details><summary>How each figure was judged</summary>",
        "",
        _plain(rule_text(report)),
        "",
        *(f"- {row.name}: {_plain(test_text(row))}" for row in report.rows),
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Judged) -> str:
    cells = (
        row.name,
        value_text(row.baseline, row),
        value_text(row.candidate, row),
        signed_pct(row.change_pct),
        interval_text(row),
        f"{row.limit_pct:g} %",
        p_text(row),
    )
    return "| " + " | ".join([*map(_plain, cells), _VERDICTS[row.verdict]]) + " |"


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is: names come from files, and one must not make a table, a link or a mention."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
