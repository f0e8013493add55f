"""How a figure went over time, and what is usual: for results of equal conditions that nothing disturbed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from edgekit.report.history.figures import DRAWN, Figure
from edgekit.report.history.rows import Listed

SHOWN = ("fps", "p99_ms", "memory_mib", "watts", "joules_per_frame", "map50_95", "map_kept_pct")
_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 40  # bars; of longer series the newest


@dataclass(frozen=True)
class Line:
    """One figure of a series, oldest first. change_pct: the newest against the median of those before it."""

    key: str
    values: tuple[float, ...]
    newest: float
    median: float
    low: float
    high: float
    change_pct: float | None


@dataclass(frozen=True)
class Series:
    """Results that differ in model, engine and time alone. left_out: how many were disturbed, and do not count."""

    device: str
    detector: str
    precision: str
    scenario: str
    conditions_sha256: str
    results: int
    left_out: int
    first_utc: str
    last_utc: str
    lines: tuple[Line, ...]


def series_of(rows: Iterable[Listed], keys: Sequence[str] = SHOWN) -> tuple[Series, ...]:
    """The series among results given newest first; that with the newest result first."""
    groups: dict[tuple[str, ...], list[Listed]] = {}
    for row in rows:
        key = (row.device, row.detector, row.precision, row.scenario, row.conditions_sha256)
        groups.setdefault(key, []).append(row)
    return tuple(_series(key, members, keys) for key, members in groups.items())


def _series(key: tuple[str, ...], newest_first: Sequence[Listed], keys: Sequence[str]) -> Series:
    device, detector, precision, scenario, conditions = key
    counted = [row for row in reversed(newest_first) if row.comparable]
    lines = [_line(figure, counted) for figure in DRAWN if figure.key in keys]
    return Series(
        device,
        detector,
        precision,
        scenario,
        conditions,
        results=len(counted),
        left_out=len(newest_first) - len(counted),
        first_utc=newest_first[-1].created_utc,
        last_utc=newest_first[0].created_utc,
        lines=tuple(line for line in lines if line is not None),
    )


def _line(figure: Figure, rows: Sequence[Listed]) -> Line | None:
    values = tuple(value for row in rows if (value := row.figures.get(figure.key)) is not None)
    if not values:
        return None
    before = median(values[:-1]) if len(values) > 1 else 0.0
    change = 100 * (values[-1] - before) / before if before else None
    return Line(figure.key, values, values[-1], median(values), min(values), max(values), change)


def sparkline(values: Sequence[float], widest: int = _WIDEST) -> str:
    """Bars from the lowest of the values to the highest; equal values give a line of middle height."""
    shown = values[-widest:]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    if high == low:
        return _BARS[3] * len(shown)
    return "".join(_BARS[min(int((value - low) / (high - low) * len(_BARS)), len(_BARS) - 1)] for value in shown)
