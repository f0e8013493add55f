"""What `edgekit history` shows people: tables, lines of bars, and one result whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import facts, table
from edgekit.cli.tables.history_records import Cells, evaluation_cells, refresh_cells
from edgekit.report.history.evaluations import ListedEvaluation
from edgekit.report.history.refreshes import ListedRefresh

if TYPE_CHECKING:
    from edgekit.core.results import BenchResult
    from edgekit.report.history.foreign import ForeignResult
    from edgekit.report.history.rows import Listed
    from edgekit.report.history.series import Line, Series
    from edgekit.report.history.timeline import Entry, Timeline

_NOT_MEASURED = "not measured"
_COLUMNS = ("fps", "p50_ms", "p99_ms", "memory_mib", "watts", "joules_per_frame", "map50_95")
_STAGES = ("capture", "preprocess", "inference", "decode", "host", "end_to_end", "age")  # as a frame meets them
_FOREIGN_SHOWN = 10


def listed_lines(found: Timeline) -> Iterator[Any]:
    """The table, and below it why results in it do not count or are out of order, and what became of refreshes."""
    from edgekit.report.history.figures import FIGURE_OF

    if not found.entries:
        return
    lines = [_cells(one) for one in found.entries]
    shown = _COLUMNS if found.results else ("map50_95",)
    labels = [FIGURE_OF[key].label for key in shown]
    kept = ["kept"] if any(cells.what in ("eval", "refresh") for cells in lines) else []
    yield table(
        ("when (UTC)", "what", "device", "detector", "precision", *labels, *kept, "branch", "id", ""),
        [_row(one, cells, shown, bool(kept)) for one, cells in zip(found.entries, lines, strict=True)],
        right=[*labels, *kept],
    )
    if found.total > len(found.entries):
        yield f"{len(found.entries)} of {found.total}: --limit {found.total} shows all"
    yield from (f"{cells.record_id}: {remark}" for cells in lines for remark in cells.remarks)


def _cells(one: Entry) -> Cells:
    if isinstance(one, ListedEvaluation):
        return evaluation_cells(one)
    if isinstance(one, ListedRefresh):
        return refresh_cells(one)
    figures = {key: value for key in _COLUMNS if (value := _figure(one, key)) is not None}
    return Cells(one.result_id, one.scenario, figures, None, one.git_branch, _marks(one), tuple(_remarks(one)))


def _row(one: Entry, cells: Cells, shown: Sequence[str], with_kept: bool) -> tuple[object, ...]:
    when = one.created_utc.replace("T", " ").removesuffix("Z")
    known = (when, cells.what, one.device, one.detector or None, one.precision)
    kept = (cells.kept,) if with_kept else ()
    figures = (cells.figures.get(key) for key in shown)
    return (*known, *figures, *kept, cells.branch, cells.record_id, cells.marks)


def _figure(row: Listed, key: str) -> str | None:
    from edgekit.report.history.figures import FIGURE_OF

    value = row.figures[key]
    return None if value is None else f"{value:.{FIGURE_OF[key].digits}f}"


def _marks(row: Listed) -> str:
    marks = (("disturbed", not row.comparable), ("unstable", not row.stable), ("clock", row.clock_back_of is not None))
    return ", ".join(mark for mark, holds in marks if holds)


def _remarks(row: Listed) -> Iterator[str]:
    if not row.comparable:
        yield f"disturbed, does not count: {'; '.join(row.disturbances)}"
    if row.clock_back_of is not None:
        yield f"the clock went back: {row.clock_back_of} was recorded before it and says a later time"


def series_lines(series: Sequence[Series]) -> Iterator[str]:
    """A line of bars for each figure, where there are two results or more to draw."""
    for one in series:
        if one.results < 2:
            continue
        left_out = f", {one.left_out} disturbed left out" if one.left_out else ""
        span = f"{one.first_utc[:10]} to {one.last_utc[:10]}"
        yield f"\n{one.device} {one.detector} {one.precision} {one.scenario}: {one.results} results{left_out}, {span}"
        yield from (_bars(line) for line in one.lines)


def _bars(line: Line) -> str:
    from edgekit.report.history.figures import FIGURE_OF
    from edgekit.report.history.series import sparkline

    figure = FIGURE_OF[line.key]
    newest, middle, low, high = (
        f"{value:.{figure.digits}f}" for value in (line.newest, line.median, line.low, line.high)
    )
    change = "" if line.change_pct is None else f" ({line.change_pct:+.1f} %)"
    return f"  {figure.label:<9} {sparkline(line.values)}  now {newest}{change}, median {middle}, {low} to {high}"


def foreign_lines(results: Sequence[ForeignResult]) -> Iterator[Any]:
    """Other tools' results, in a table of their own."""
    if not results:
        return
    shown = results[-_FOREIGN_SHOWN:]
    yield "\nother tools, whose figures mean something else (edgekit history show ID):"
    yield table(
        ("tool", "version", "device", "model", "precision", "their figure", "ms", "settings", "id"),
        [_foreign_row(result) for result in reversed(shown)],
        right=("their figure", "ms"),
    )
    if len(results) > len(shown):
        yield f"{len(shown)} of {len(results)}: --json shows all"


def _foreign_row(result: ForeignResult) -> tuple[object, ...]:
    figures, settings = result.figures, result.settings
    if result.tool == "trtexec":
        head, latency = _with_unit(figures.get("throughput_qps"), "qps"), figures.get("gpu_compute_median_ms")
        told = f"graph {settings['cuda_graph']}, spin {settings['spin_wait']}, copies {settings['data_transfers']}"
    else:
        head, latency = _with_unit(figures.get("fps_from_inference"), "1000/ms"), figures.get("inference_ms")
        told = ", ".join(f"{name} {settings[name]}" for name in ("format", "imgsz") if name in settings)
    milliseconds = None if latency is None else f"{latency:.2f}"
    known = (result.tool, result.tool_version, result.device, result.model, result.precision)
    return (*known, head, milliseconds, told, result.foreign_id)


def _with_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.1f} {unit}"


def foreign_facts(result: ForeignResult) -> Iterator[Any]:
    """One of them whole, with what each figure means."""
    yield facts(
        (
            ("id", result.foreign_id),
            ("tool", f"{result.tool} {result.tool_version or '(version not told)'}"),
            ("device", result.device or "not told"),
            ("model", result.model or "not told"),
            ("precision", result.precision or "not told"),
            ("measured", f"{result.measured} (the tool's own clock)" if result.measured else "not told"),
            ("read from", result.source_name),
            *result.settings.items(),
            *((("note", result.notes),) if result.notes else ()),
        )
    )
    yield ""
    yield table(("figure", "value"), [(name, f"{value:g}") for name, value in result.figures.items()], right=("value",))
    yield from (f"{name}: {meaning}" for name, meaning in result.definitions.items())


def result_facts(listed: Listed, result: BenchResult) -> Iterator[Any]:
    """A result for people: who, where and when, the headline with its meaning, every stage, what was not measured."""
    from edgekit.core.results import FPS_MEANS_OF

    rate = result.measurement.rate
    yield facts((*_identity(listed, result), *_conditions(result)))
    yield (
        f"\n{rate.fps:.1f} FPS ({rate.low_fps:.1f} to {rate.high_fps:.1f}), {rate.verdict}\n"
        f"{FPS_MEANS_OF.get(result.conditions.scenario, '')}"
    )
    yield _stage_table(result)
    yield facts(tuple(_measured(listed, result)))
    yield from _remarks(listed)


def _identity(listed: Listed, result: BenchResult) -> Iterator[tuple[str, object]]:
    yield "id", result.result_id
    yield "measured", result.created_utc
    yield "device", f"{result.device} ({result.profile.module}, {result.profile.backend_name})"
    yield "detector", f"{result.engine.detector}, {result.engine.precision}, engine {result.engine.engine_id}"
    yield "commit", " ".join(part for part in (result.git_commit, result.git_branch) if part) or "not recorded"
    yield "session", f"{result.session}, round {result.round}" if result.session else "not recorded"
    if result.note:
        yield "note", result.note
    yield "as JSON", f"edgekit history show {listed.result_id} --json"


def _conditions(result: BenchResult) -> Iterator[tuple[str, object]]:
    conditions = result.conditions
    yield "scenario", conditions.scenario + (f", {conditions.streams} streams" if conditions.streams > 1 else "")
    yield (
        "source",
        f"{conditions.source}, {conditions.frame_width} x {conditions.frame_height}, batch {conditions.batch}",
    )
    yield "power mode", result.profile.power_mode or "not known"
    yield "clocks", _clocks(conditions.clocks_locked, conditions.governor)


def _clocks(locked: bool | None, governor: str | None) -> str:
    state = "not known whether locked" if locked is None else "locked" if locked else "not locked"
    return f"{state}, governor {governor or 'not known'}"


def _stage_table(result: BenchResult) -> Any:
    rows = [
        (
            name,
            *(
                None if value is None else f"{value:.2f}"
                for value in (s.mean_ms, s.p50_ms, s.p90_ms, s.p95_ms, s.p99_ms)
            ),
        )
        for name, s in sorted(result.measurement.stages.items(), key=lambda item: _order(item[0]))
    ]
    columns = ("mean", "p50", "p90", "p95", "p99")
    return table(("stage, ms", *columns), rows, right=columns)


def _order(stage: str) -> tuple[int, str]:
    return (_STAGES.index(stage) if stage in _STAGES else len(_STAGES), stage)


def _measured(listed: Listed, result: BenchResult) -> Iterator[tuple[str, object]]:
    figures, energy = result.measurement, result.measurement.energy
    yield "engine alone", f"{figures.engine_rate.fps:.1f} FPS" if figures.engine_rate else _NOT_MEASURED
    yield "memory peak", _unit(listed.figures["memory_mib"], "MiB", 0)
    yield "power", f"{_unit(listed.figures['watts'], 'W', 2)}" + (f" ({energy.of}, {energy.sensor})" if energy else "")
    each = energy.joules_per_frame if energy else None
    error = f" +- {energy.error_joules / energy.frames:.3f}" if energy and energy.frames else ""
    yield "energy", _NOT_MEASURED if each is None else f"{each:.3f}{error} J/frame"
    hottest = figures.machine.temperature_max_c if figures.machine else None
    yield "temperature", _unit(hottest, "C at most", 1)
    judged = result.accuracy
    yield (
        "mAP50-95",
        f"{judged.map50_95:.3f} on {judged.images} pictures of {judged.dataset}" if judged else _NOT_MEASURED,
    )


def _unit(value: float | None, unit: str, digits: int) -> str:
    return _NOT_MEASURED if value is None else f"{value:.{digits}f} {unit}"
