"""The figures of a result that the history keeps as columns, to be listed, drawn and counted without its document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.core import limits
from edgekit.core.results import BenchResult


@dataclass(frozen=True)
class Figure:
    """key: the column's name. read: None if it was not measured."""

    key: str
    label: str
    digits: int
    read: Callable[[BenchResult], float | None]


def _percentile(name: str) -> Callable[[BenchResult], float | None]:
    def read(result: BenchResult) -> float | None:
        stages = result.measurement.stages
        summary = stages.get("age") or stages.get("end_to_end")  # as core.limits reads p99
        return getattr(summary, name) if summary else None

    return read


def _engine_fps(result: BenchResult) -> float | None:
    return result.measurement.engine_rate.fps if result.measurement.engine_rate else None


# In the order of the list. fps is the headline: of the engine alone in the scenario "engine", else of the pipeline.
FIGURES: tuple[Figure, ...] = (
    Figure("fps", "FPS", 1, limits.fps),
    Figure("fps_low", "FPS low", 1, lambda r: r.measurement.rate.low_fps),
    Figure("fps_high", "FPS high", 1, lambda r: r.measurement.rate.high_fps),
    Figure("engine_fps", "engine FPS", 1, _engine_fps),
    Figure("p50_ms", "p50 ms", 2, _percentile("p50_ms")),
    Figure("p95_ms", "p95 ms", 2, _percentile("p95_ms")),
    Figure("p99_ms", "p99 ms", 2, limits.p99_ms),
    Figure("memory_mib", "MiB", 0, limits.memory_mib),
    Figure("watts", "W", 2, limits.watts),
    Figure("joules_per_frame", "J/frame", 3, limits.joules_per_frame),
    Figure("map50_95", "mAP50-95", 3, lambda r: r.accuracy.map50_95 if r.accuracy else None),
    Figure("engine_mib", "engine MiB", 2, lambda r: r.engine.file_bytes / (1 << 20)),
)
# Not of the result: what an evaluation found of its engine, see kept.with_kept.
MAP_KEPT = Figure("map_kept_pct", "mAP kept", 1, lambda result: None)
DRAWN = (FIGURES[0], MAP_KEPT, *FIGURES[1:])  # beside the headline
FIGURE_OF = {figure.key: figure for figure in DRAWN}
