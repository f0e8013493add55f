"""The words of an outcome, shared by the terminal, the JUnit file and the Markdown table."""

from __future__ import annotations

from edgekit.report.gate.outcome import CANNOT_TELL, IMPROVEMENT, REGRESSION, GateReport, Judged, SideSummary
from edgekit.report.numbers import figure, moment, signed_pct

NOT_MEASURED = "not measured"


def value_text(value: float | None, row: Judged) -> str:
    """ "19.4 FPS", "not measured"."""
    return figure(value, row.digits, row.unit, missing=NOT_MEASURED)


def interval_text(row: Judged) -> str:
    """ "-6.1 % to -3.9 %", "" where there is none."""
    if row.low_pct is None or row.high_pct is None:
        return ""
    return f"{signed_pct(row.low_pct)} to {signed_pct(row.high_pct)}"


def p_text(row: Judged) -> str:
    """ "0.003", "< 0.0001", "" where nothing was tested."""
    if row.p_value is None:
        return ""
    return "< 0.0001" if row.p_value < 0.0001 else f"{row.p_value:.4f}" if row.p_value < 0.1 else f"{row.p_value:.2f}"


def test_text(row: Judged) -> str:
    """What the verdict rests on: the test, the doubt, or both."""
    return "; ".join(part for part in (row.test, row.reason) if part)


def row_sentence(row: Judged, report: GateReport) -> str:
    """One figure in a line: "pipeline FPS: regression: 20.1 FPS -> 19.0 FPS, -5.4 % (90 % interval ...), limit 2 %"."""
    parts = [f"{row.name}: {row.verdict}: {value_text(row.baseline, row)} -> {value_text(row.candidate, row)}"]
    if row.change_pct is not None:
        inside = f" ({report.interval_pct:g} % interval {interval_text(row)})" if interval_text(row) else ""
        parts.append(f"{signed_pct(row.change_pct)}{inside}")
    parts.append(f"limit {row.limit_pct:g} %")
    if row.p_value is not None:
        parts.append(f"p {p_text(row)}" if p_text(row).startswith("<") else f"p = {p_text(row)}")
    parts.extend(part for part in (row.test, row.reason) if part)
    return ", ".join(parts)


def side_text(side: SideSummary) -> str:
    """ "branch main: FP16 engine 0123456789abcdef, commit 0123456789ab, 5 runs, 2026-03-04 05:06 UTC"."""
    runs = f"{side.runs} run{'s' * (side.runs != 1)}"
    sessions = f" in {side.sessions} sessions" if side.sessions > 1 else ""
    commit = (
        f", commit {side.git_commit[:12]}{'-dirty' * side.git_commit.endswith('-dirty')}" if side.git_commit else ""
    )
    return (
        f"{side.name}: {side.precision.upper()} engine {side.engine_id}{commit}, {runs}{sessions}, "
        f"{moment(side.last_utc)}"
    )


def heading(report: GateReport) -> str:
    """Both sides, and the rule, in lines."""
    return "\n".join(
        (
            f"{report.detector} on {report.device}, scenario {report.scenario}",
            f"baseline   {side_text(report.baseline)}",
            f"candidate  {side_text(report.candidate)}",
        )
    )


def rule_text(report: GateReport) -> str:
    """What counts as a regression here, in a sentence."""
    limits = report.limits
    return (
        f"A regression is worse by more than {limits.max_regression_pct:g} % (mAP: {limits.max_map_loss_pct:g} %) and "
        f"by more than chance: one-sided tests at {limits.alpha:g}, corrected for all figures by Holm's method; "
        f"intervals hold {report.interval_pct:g} %."
    )


def left_out_text(report: GateReport) -> tuple[str, ...]:
    """What is not in the table, one line each."""
    lines = [*report.notes, *(f"left out: {line}" for line in report.left_out)]
    if report.not_measured:
        lines.append(f"{NOT_MEASURED} on either side: {', '.join(report.not_measured)}")
    return tuple(lines)


def verdict_line(report: GateReport) -> str:
    """One sentence: whether it passed, and what did not."""
    if report.is_unchanged:
        return "Passed: both sides are the same engine."
    regressions, doubts = report.judged(REGRESSION), report.judged(CANNOT_TELL)
    better = report.judged(IMPROVEMENT)
    if regressions:
        return f"Failed: {_names(regressions)} got worse."
    if doubts and report.limits.strict:
        return f"Failed, for --strict: nobody can tell about {_names(doubts)}."
    if not report.passed:
        return "Not judged: no figure was measured often enough to test anything."
    parts = ["Passed: no regression beyond the limit and noise."]
    parts += [f"Better: {_names(better)}."] if better else []
    parts += [f"Nobody can tell about {_names(doubts)}."] if doubts else []
    return " ".join(parts)


def _names(rows: tuple[Judged, ...]) -> str:
    return ", ".join(row.name for row in rows)
