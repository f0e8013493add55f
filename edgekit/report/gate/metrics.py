"""What a gate looks at, and whether a figure of two runs is one and the same kind of figure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.core.results import BenchResult
from edgekit.report.comparison.metrics import METRICS, Metric

SPEED, ACCURACY, SIZE = "speed", "accuracy", "size"


@dataclass(frozen=True)
class GateMetric:
    """One figure that may get worse.

    kind: SPEED differs from run to run and is tested; ACCURACY and SIZE belong to the engine, every run of it has the
    same. step: what the figure is rounded to in a result file. measured_by: what has to agree besides the conditions,
    as text; "" if nothing has to.
    """

    metric: Metric
    name: str
    kind: str
    step: float
    measured_by: Callable[[BenchResult], str] = lambda _: ""

    @property
    def key(self) -> str:
        """As in a report."""
        return self.metric.key

    @property
    def higher_is_better(self) -> bool:
        """Which way is worse."""
        return bool(self.metric.higher_is_better)

    def value(self, result: BenchResult) -> float | None:
        """The figure; None if it was not measured, or is none that a ratio can be taken of."""
        found = self.metric.read(result)
        return found if found is not None and math.isfinite(found) and found > 0 else None


def _power_sensor(result: BenchResult) -> str:
    energy = result.measurement.energy
    return f"{energy.sensor} ({energy.of})" if energy else "an unnamed sensor"


def _accuracy_set(result: BenchResult) -> str:
    return f"{result.accuracy.dataset} {result.accuracy.dataset_sha256[:12]}" if result.accuracy else ""


_REPORTED = {metric.key: metric for metric in METRICS}

GATE_METRICS: tuple[GateMetric, ...] = (
    GateMetric(_REPORTED["pipeline_fps"], "pipeline FPS", SPEED, 0.001),
    GateMetric(_REPORTED["engine_fps"], "engine FPS", SPEED, 0.001),
    GateMetric(_REPORTED["end_to_end_p50"], "end to end p50", SPEED, 0.0001),
    GateMetric(_REPORTED["end_to_end_p95"], "end to end p95", SPEED, 0.0001),
    GateMetric(_REPORTED["end_to_end_p99"], "end to end p99", SPEED, 0.0001),
    GateMetric(_REPORTED["host_p50"], "host time p50", SPEED, 0.0001),
    GateMetric(_REPORTED["memory_peak"], "memory peak", SPEED, 1.0),
    GateMetric(_REPORTED["joules_per_frame"], "energy a frame", SPEED, 0.0001, _power_sensor),
    GateMetric(_REPORTED["power_mean"], "mean power", SPEED, 0.001, _power_sensor),
    GateMetric(_REPORTED["map50_95"], "mAP50-95", ACCURACY, 0.000001, _accuracy_set),
    GateMetric(_REPORTED["engine_size"], "engine size", SIZE, 0.000001),
)
