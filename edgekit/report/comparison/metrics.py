"""The figures that a report compares: how each is read from a result, and what counts as a change of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.core.limits import joules_per_frame, watts
from edgekit.core.results import BenchResult
from edgekit.core.stats import LatencySummary, Rate

_MIB = 1 << 20

Reader = Callable[[BenchResult], float | None]
RateReader = Callable[[BenchResult], Rate | None]
Interval = tuple[float, float]

GROUPS = ("speed", "latency", "accuracy", "resources", "power", "making")


@dataclass(frozen=True)
class Metric:
    """One row of a comparison. A change of at most `equal_below_pct` counts as none.

    higher_is_better: None where neither is; a fact to know. rate: of the metrics that are one, with its interval.
    interval: of those that are none and have one. expected: whether "not measured" is worth a row; a row that nobody
    measured and nobody expects is left out. plain: a change in % of it would say nothing.
    """

    key: str
    group: str
    unit: str
    digits: int
    higher_is_better: bool | None
    equal_below_pct: float
    read: Reader
    rate: RateReader | None = None
    interval: Callable[[BenchResult], Interval | None] | None = None
    expected: Callable[[BenchResult], bool] = lambda result: True
    plain: bool = False

    def interval_of(self, result: BenchResult) -> Interval | None:
        """The 95 % interval of a rate, or the bounds of another figure; None where there is none."""
        if self.rate is not None:
            rate = self.rate(result)
            return (rate.low_fps, rate.high_fps) if rate else None
        return self.interval(result) if self.interval is not None else None

    def is_steady(self, result: BenchResult) -> bool:
        """False where the rate changed during the run, so that its figure is not to be trusted."""
        rate = self.rate(result) if self.rate is not None else None
        return rate is None or rate.stable


def joules_interval(result: BenchResult) -> Interval | None:
    """Between which the energy for a frame lies, by the sampling error [J]."""
    energy = result.measurement.energy
    if energy is None or not energy.frames:
        return None
    return (energy.joules - energy.error_joules) / energy.frames, (energy.joules + energy.error_joules) / energy.frames


def joules_above_idle(result: BenchResult) -> float | None:
    """What a frame costs beyond a device that is only switched on [J]."""
    return result.measurement.energy.joules_per_frame_above_idle if result.measurement.energy else None


def idle_watts(result: BenchResult) -> float | None:
    """Mean power before anything was loaded."""
    return result.measurement.energy.idle_w if result.measurement.energy else None


def _rated(key: str, rate: RateReader, expected: Callable[[BenchResult], bool] = lambda result: True) -> Metric:
    return Metric(key, "speed", "FPS", 1, True, 0.0, lambda r: _fps(rate(r)), rate=rate, expected=expected)


def _percentile(stage: str, name: str) -> Reader:
    def read(result: BenchResult) -> float | None:
        summary: LatencySummary | None = result.measurement.stages.get(stage)
        return None if summary is None else getattr(summary, name)

    return read


def _latency(key: str, stage: str, name: str, expected: Callable[[BenchResult], bool]) -> Metric:
    return Metric(key, "latency", "ms", 2, False, 2.0, _percentile(stage, name), expected=expected)


def _fps(rate: Rate | None) -> float | None:
    return rate.fps if rate else None


def _pct(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _gpu_use(result: BenchResult) -> float | None:
    return result.measurement.machine.gpu_utilisation_pct if result.measurement.machine else None


def _gpu_memory(result: BenchResult) -> float | None:
    return result.measurement.machine.gpu_memory_peak_mib if result.measurement.machine else None


def _hottest(result: BenchResult) -> float | None:
    return result.measurement.machine.temperature_max_c if result.measurement.machine else None


def _runs_frames(result: BenchResult) -> bool:
    return result.conditions.scenario != "engine"


def _runs_engine_alone(result: BenchResult) -> bool:
    return result.conditions.scenario in ("pipeline", "engine")


def _on_gpu(result: BenchResult) -> bool:
    return result.profile.sm is not None


def _never(result: BenchResult) -> bool:
    return False


METRICS: tuple[Metric, ...] = (
    _rated("pipeline_fps", lambda r: r.measurement.pipeline_rate, _runs_frames),
    _rated("engine_fps", lambda r: r.measurement.engine_rate, _runs_engine_alone),
    _rated("engine_fps_without_graph", lambda r: r.measurement.engine_rate_without_graph, _never),
    Metric(
        "pipeline_share",
        "speed",
        "%",
        1,
        True,
        1.0,
        lambda r: _pct(r.measurement.pipeline_share),
        expected=lambda r: r.conditions.scenario == "pipeline",
    ),
    _latency("end_to_end_p50", "end_to_end", "p50_ms", _runs_frames),
    _latency("end_to_end_p95", "end_to_end", "p95_ms", _runs_frames),
    _latency("end_to_end_p99", "end_to_end", "p99_ms", _runs_frames),
    _latency("age_p99", "age", "p99_ms", _never),
    _latency("inference_p50", "inference", "p50_ms", lambda r: True),
    _latency("inference_p95", "inference", "p95_ms", lambda r: True),
    _latency("host_p50", "host", "p50_ms", _runs_frames),
    Metric("map50_95", "accuracy", "", 3, True, 0.1, lambda r: r.accuracy.map50_95 if r.accuracy else None),
    Metric("map50", "accuracy", "", 3, True, 0.1, lambda r: r.accuracy.map50 if r.accuracy else None),
    Metric("memory_peak", "resources", "MiB", 0, False, 1.0, lambda r: r.measurement.memory_peak_mib),
    Metric("gpu_memory_peak", "resources", "MiB", 0, False, 1.0, _gpu_memory, expected=_never),
    Metric("cpu_utilisation", "resources", "%", 0, None, 2.0, lambda r: r.measurement.cpu_utilisation_pct),
    Metric("gpu_utilisation", "resources", "%", 0, None, 2.0, _gpu_use, expected=_on_gpu),
    Metric("power_mean", "power", "W", 2, False, 2.0, watts),
    Metric("joules_per_frame", "power", "J", 3, False, 2.0, joules_per_frame, interval=joules_interval),
    Metric("joules_above_idle", "power", "J", 3, False, 2.0, joules_above_idle, expected=_never),
    Metric("temperature_max", "power", "°C", 0, None, 0.0, _hottest, expected=_never, plain=True),
    Metric("engine_size", "making", "MiB", 2, False, 0.1, lambda r: r.engine.file_bytes / _MIB),
    Metric("build_time", "making", "s", 1, None, 5.0, lambda r: r.engine.build_s),
    Metric("load_time", "making", "s", 2, False, 5.0, lambda r: r.measurement.engine_load_s),
)
