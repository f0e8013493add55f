"""Geometry of percentiles, energy, and figures over streams or time, in percent of each plot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.core.results import BenchResult, SoakPart
from edgekit.core.stats import LatencySummary
from edgekit.report.comparison.comparing import Row
from edgekit.report.plots import Bar, Tick, nice_ceiling, ticks

PERCENTILES = ("p50_ms", "p90_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True)
class Spot:
    """A value of one plot. y_pct is from the top."""

    x_pct: float
    y_pct: float
    x: float
    value: float


@dataclass(frozen=True)
class Curve:
    """One line of a chart. name: a text key."""

    name: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Chart:
    """Curves over one axis. x_ticks from left to right, y_ticks from zero up. unit: a text key, of the x axis."""

    curves: tuple[Curve, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    unit: str


@dataclass(frozen=True)
class Percentile:
    """name: one of PERCENTILES."""

    name: str
    value: float
    at_pct: float


def percentile_ceiling(results: Sequence[BenchResult]) -> float:
    """The end of an axis that holds every percentile [ms]."""
    values = [value for result in results for _, value in _percentiles(result)]
    return nice_ceiling(max(values, default=1.0))


def percentiles(result: BenchResult, ceiling: float) -> tuple[Percentile, ...]:
    """Of the frame latency, lowest first; empty where it was not measured."""
    return tuple(Percentile(name, value, 100 * value / ceiling) for name, value in _percentiles(result))


def _percentiles(result: BenchResult) -> list[tuple[str, float]]:
    stages = result.measurement.stages
    summary: LatencySummary | None = stages.get("age") or stages.get("end_to_end")
    values = [(name, getattr(summary, name)) for name in PERCENTILES] if summary else []
    return [(name, value) for name, value in values if value is not None]


def energy_ceiling(row: Row | None) -> float:
    """The end of an axis that holds every energy a frame and its bounds [J]. row: of the comparison."""
    return nice_ceiling(max((bounds[1] for bounds in row.intervals if bounds), default=1.0) if row else 1.0)


def energy_bars(row: Row | None, ceiling: float) -> tuple[Bar | None, ...]:
    """Energy a frame of each engine with its bounds; None where it was not measured."""
    pairs = zip(row.values, row.intervals, strict=True) if row else ()
    return tuple(None if value is None or bounds is None else _bar(value, bounds, ceiling) for value, bounds in pairs)


def _bar(value: float, bounds: tuple[float, float], ceiling: float) -> Bar:
    return Bar(value, *(100 * max(one, 0.0) / ceiling for one in (value, *bounds)))


def streams_chart(result: BenchResult) -> Chart | None:
    """FPS of all streams and of the slowest one, over the number of streams; None without such points."""
    points = sorted(result.measurement.stream_points, key=lambda point: point.streams)
    if not points:
        return None
    lines = (
        ("streams_all", [(float(point.streams), point.rate.fps) for point in points]),
        ("streams_slowest", [(float(point.streams), point.slowest_fps) for point in points]),
    )
    right = float(points[-1].streams)
    x_ticks = tuple(Tick(100 * point.streams / right, float(point.streams)) for point in points)
    return _chart(lines, right, x_ticks, "streams_unit")


def soak_charts(result: BenchResult) -> tuple[Chart, ...]:
    """Rate, latency, memory, temperature and power over the minutes of a soak, as far as they were measured."""
    soak = result.measurement.soak
    if soak is None or not soak.parts:
        return ()
    length_s = result.conditions.duration_s / len(soak.parts)
    charts = []
    for name, read in _SOAK.items():
        values = [(part, read(part)) for part in soak.parts]
        line = [((part.started_s + length_s / 2) / 60, value) for part, value in values if value is not None]
        if line:
            right = nice_ceiling((soak.parts[-1].started_s + length_s) / 60)
            charts.append(_chart(((name, line),), right, ticks(right, 2), "minutes"))
    return tuple(charts)


_SOAK: dict[str, Callable[[SoakPart], float | None]] = {
    "soak_fps": lambda part: part.fps,
    "soak_p99": lambda part: part.p99_ms,
    "soak_memory": lambda part: part.memory_mib,
    "soak_temperature": lambda part: part.temperature_c,
    "soak_watts": lambda part: part.watts,
}


def _chart(
    lines: Sequence[tuple[str, list[tuple[float, float]]]], right: float, x_ticks: tuple[Tick, ...], unit: str
) -> Chart:
    ceiling = nice_ceiling(max(value for _, line in lines for _, value in line))
    curves = tuple(
        Curve(name, tuple(Spot(100 * x / right, 100 - 100 * value / ceiling, x, value) for x, value in line))
        for name, line in lines
    )
    return Chart(curves, x_ticks, ticks(ceiling, 2), unit)
