"""What `edgekit bench` shows people: a row for each engine, its stages, and the headline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.cli.bench.facts import fact_lines
from edgekit.cli.bench.outcome import DeviceBench, Headline, shown_rounds
from edgekit.cli.console import table
from edgekit.core.limits import fps, joules_per_frame, memory_mib, p99_ms, watts
from edgekit.core.results import BenchResult
from edgekit.core.rounds import Read, by_engine, median_of, range_of
from edgekit.core.stats import LatencySummary

# In the order in which a frame goes through them; then what is made of several of them.
_STAGES = ("capture", "preprocess", "inference", "decode", "host", "end_to_end", "age")
_ID_DIGITS = 8  # enough for --engine
_STAGE_COLUMNS = ("mean ms", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms")


def bench_lines(done: DeviceBench, *, with_headline: bool) -> list[Any]:
    """Everything about one device's bench, the headline last."""
    groups = by_engine(done.results)
    lines: list[Any] = [_summary(groups), *_ratio_lines(done)]
    for group in groups:
        lines += ["", *_engine_lines(group, several=len(groups) > 1)]
    return [
        *lines,
        "",
        *(headline_lines(done.headline, done.device) if with_headline else [f"FPS: {done.headline.means}"]),
    ]


def headline_lines(headline: Headline, device: str) -> list[Any]:
    """One line with the figure, one that says what it is, and what speaks against it."""
    from rich.text import Text

    rounds = f" over {headline.rounds} rounds" if headline.rounds > 1 else ""
    span = f"{headline.low_fps:.1f} to {headline.high_fps:.1f}{rounds}"
    steady = ", stable" if headline.stable else ""
    head = f"{headline.fps:.1f} FPS ({span}) with {headline.precision.upper()} on {device}{steady}"
    lines: list[Any] = [head, headline.means]
    if headline.verdict != "stable":
        lines.append(headline.verdict if headline.stable else f"not stable: {headline.verdict}")
    if headline.disturbed:
        lines.append(Text(f"disturbed, and not to be compared: {headline.disturbed}", style="bold red"))
    return lines


def _summary(groups: Sequence[Sequence[BenchResult]]) -> Any:
    """A column that no engine has a figure for is left out; what was not measured is told below."""
    rounds = max(len(group) for group in groups)
    rows = [_row(group, rounds) for group in groups]
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return table(columns, [[row[name] for name in columns] for row in rows], right=columns[2:])


def _row(group: Sequence[BenchResult], rounds: int) -> dict[str, Any]:
    counted = shown_rounds(group)
    first = counted[0]
    unstable = not all(result.measurement.rate.stable for result in counted)
    taken = f"{len(counted)}" if len(counted) == len(group) else f"{len(counted)} of {len(group)}"
    return {
        "precision": first.engine.precision,
        "engine": first.engine.engine_id[:_ID_DIGITS],
        "rounds": taken if rounds > 1 else None,
        "FPS": _with_marks(_cell(counted, fps, 1), unstable=unstable, disturbed=not first.comparable),
        "lowest-highest" if rounds > 1 else "95 % interval": _span(counted),
        "engine FPS": _cell(counted, _engine_fps, 1),
        "share": _cell(counted, lambda result: result.measurement.pipeline_share, 3),
        "p50 ms": _cell(counted, _percentile("p50_ms"), 1),
        "p95 ms": _cell(counted, _percentile("p95_ms"), 1),
        "p99 ms": _cell(counted, p99_ms, 1),
        "W": _cell(counted, watts, 2),
        "J/frame": _cell(counted, joules_per_frame, 3),
        "MiB": _cell(counted, memory_mib, 0),
        "mAP50-95": f"{first.accuracy.map50_95:.3f}" if first.accuracy else None,
    }


def _cell(counted: Sequence[BenchResult], read: Read, digits: int) -> str | None:
    value = median_of(counted, read) if counted[0].comparable else read(counted[0])
    return None if value is None else f"{value:.{digits}f}"


def _span(counted: Sequence[BenchResult]) -> str:
    rate = counted[0].measurement.rate
    low, high = (range_of(counted, fps) if len(counted) > 1 else None) or (rate.low_fps, rate.high_fps)
    return f"{low:.1f}-{high:.1f}"


def _with_marks(text: str | None, *, unstable: bool, disturbed: bool) -> Any:
    from rich.text import Text

    if disturbed:
        return Text(f"{text} (disturbed)", style="red")
    return f"{text} (unstable)" if unstable else text


def _engine_fps(result: BenchResult) -> float | None:
    rate = result.measurement.engine_rate
    return rate.fps if rate else None


def _percentile(name: str) -> Read:
    def read(result: BenchResult) -> float | None:
        stages = result.measurement.stages
        summary = stages.get("age") or stages.get("end_to_end")
        return getattr(summary, name) if summary else None

    return read


def _ratio_lines(done: DeviceBench) -> list[str]:
    precision = {result.engine.engine_id: result.engine.precision for result in done.results}
    lines = []
    for each in done.ratios:
        ratio = each.ratio
        basis = f"{ratio.pairs} pairs of turns" if ratio.pairs else "one run each; --rounds 5 makes pairs of them"
        ours, theirs = (_engine_name(precision, one) for one in (each.engine_id, each.baseline_id))
        lines.append(
            f"{ours} gives {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) x the FPS of {theirs}: {basis}"
        )
    return lines


def _engine_name(precision: dict[str, str], engine_id: str) -> str:
    name = precision[engine_id]
    return name if list(precision.values()).count(name) == 1 else f"{name} {engine_id}"


def _engine_lines(group: Sequence[BenchResult], *, several: bool) -> list[Any]:
    """Stages and facts of one engine. With several rounds these are of the one in the middle, which is said."""
    counted = shown_rounds(group)
    shown = sorted(counted, key=fps)[len(counted) // 2]
    title = _title(shown, several=several, rounds=len(counted))
    measured = shown.measurement.stages
    rows = [(name.replace("_", " "), *_stage(measured[name])) for name in _STAGES if name in measured]
    split = [table(("stage", *_STAGE_COLUMNS), rows, right=_STAGE_COLUMNS)] if rows else []
    return [*([title] if title else []), *split, *fact_lines(shown), *_other_rounds(group, shown)]


def _title(shown: BenchResult, *, several: bool, rounds: int) -> str:
    points = shown.measurement.stream_points
    parts = (
        f"{shown.engine.precision} engine {shown.engine.engine_id}" if several else "",
        f"round {shown.round}, the one in the middle by its FPS" if rounds > 1 else "",
        f"with {points[-1].streams} streams" if points else "",
    )
    return ", ".join(part for part in parts if part)


def _stage(summary: LatencySummary) -> list[str | None]:
    values = (summary.mean_ms, summary.p50_ms, summary.p90_ms, summary.p95_ms, summary.p99_ms, summary.max_ms)
    return [None if value is None else f"{value:.2f}" for value in values]


def _other_rounds(group: Sequence[BenchResult], shown: BenchResult) -> list[Any]:
    """Why rounds were left out."""
    from rich.text import Text

    return [
        Text(f"round {result.round} was disturbed and is left out: {'; '.join(result.measurement.disturbances)}", "red")
        for result in group
        if not result.comparable and result is not shown
    ]
