"""The outcome of a gate as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table

if TYPE_CHECKING:
    from edgekit.report.gate.outcome import GateReport, Judged
    from edgekit.report.gate.sides import Sides

_STYLES = {"regression": "bold red", "improvement": "green", "cannot tell": "yellow"}


def report_lines(report: GateReport) -> list[Any]:
    """Both sides, the table, what it rests on, and the verdict last."""
    from edgekit.report.gate.texts import heading, left_out_text, rule_text, test_text, verdict_line

    if report.is_unchanged:
        return [heading(report), *report.notes, verdict_line(report)]
    interval = f"{report.interval_pct:g} % interval"
    columns = ("figure", "baseline", "candidate", "change", interval, "limit", "p worse", "verdict")
    return [
        heading(report),
        "",
        table(columns, [_row(row) for row in report.rows], right=columns[1:-1]),
        "",
        *_grouped([(row.name, test_text(row)) for row in report.rows]),
        *left_out_text(report),
        rule_text(report),
        "",
        verdict_line(report),
    ]


def sides_lines(sides: Sides) -> list[str]:
    """What would be compared."""
    lines = ["would compare:"]
    for name, side in (("baseline", sides.baseline), ("candidate", sides.candidate)):
        newest = side.newest
        lines.append(f"  {name:<10} {side.name}: {newest.engine.precision.upper()} engine {side.engine_id}")
        lines += [f"    {result.result_id}" for result in side.results]
    return [*lines, *(f"left out: {line}" for line in sides.left_out)]


def _row(row: Judged) -> tuple[Any, ...]:
    from rich.text import Text

    from edgekit.report.gate.texts import interval_text, p_text, value_text
    from edgekit.report.numbers import signed_pct

    return (
        row.name,
        value_text(row.baseline, row),
        value_text(row.candidate, row),
        signed_pct(row.change_pct) or None,
        interval_text(row) or None,
        f"{row.limit_pct:g} %",
        p_text(row) or None,
        Text(row.verdict, style=_STYLES.get(row.verdict, "")),
    )


def _grouped(tests: list[tuple[str, str]]) -> list[str]:
    """What the verdicts rest on, figures with the same test in one line."""
    groups: dict[str, list[str]] = {}
    for name, text in tests:
        groups.setdefault(text, []).append(name)
    return [f"{', '.join(names)}: {text}" for text, names in groups.items()]
