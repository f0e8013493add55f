"""What can be forecast, where it is read in a result, and the scale on which its steps are compared. Pure.

A figure is worked with as its *level*: a logarithm turned so that higher is better. A release that is 10 % faster lifts
the level by the same amount at 8 FPS and at 80.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgekit.core.limits import READS
from edgekit.core.results import BenchResult
from edgekit.core.stats import LatencySummary
from edgekit.errors import UsageError

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class ForecastMetric:
    """One figure of a result.

    key: its name among the targets of devices.yaml; digits: as printed. noise: relative standard deviation between runs
    of one engine, where nothing was measured twice. step: how much a release that changes anything changes it, as a
    share, before anything is measured. read: None if not measured. error: the run's own relative standard
    error, 0.0 where it tells none. share_lost: the figure is a loss in %, 0 to 100, which may be nothing, so that its
    level is the logarithm of what is kept.
    """

    key: str
    unit: str
    digits: int
    higher_is_better: bool
    noise: float
    step: float
    read: Callable[[BenchResult], float | None]
    error: Callable[[BenchResult], float] = lambda result: 0.0
    share_lost: bool = False

    def level(self, value: float) -> float:
        """The level of a figure. Raises ValueError where there is none: not finite, not above zero, all lost."""
        kept = 1 - value / 100 if self.share_lost else value
        if not math.isfinite(kept) or kept <= 0:
            raise ValueError(f"{self.key}: {value} has no logarithm")
        return math.log(kept) if self.share_lost or self.higher_is_better else -math.log(kept)

    def value(self, level: float) -> float:
        """The figure at a level."""
        if self.share_lost:
            return 100 * (1 - math.exp(level))
        return math.exp(level if self.higher_is_better else -level)

    def meets(self, value: float, target: float) -> bool:
        """Whether a figure meets a target; equal does."""
        return value >= target if self.higher_is_better else value <= target


def _nothing(result: BenchResult) -> float | None:
    """A loss of accuracy takes two engines, see releases."""
    return None


def _rate_error(result: BenchResult) -> float:
    rate = result.measurement.rate
    return (rate.high_fps - rate.low_fps) / 2 / _NORMAL_95 / rate.fps if rate.fps > 0 else 0.0


def _p99_error(result: BenchResult) -> float:
    summary = result.measurement.stages.get("age") or result.measurement.stages.get("end_to_end")
    return p99_error(summary) if summary else 0.0


def p99_error(summary: LatencySummary) -> float:
    """Relative standard error of a p99, from its distance to p95, for a tail that falls off exponentially.

    An order statistic's standard error is sqrt(p (1 - p) / n) / density; such a tail has density 0.01 / scale at p99,
    and p99 - p95 = scale * ln 5.
    """
    if summary.p99_ms is None or summary.p99_ms <= 0:
        return 0.0
    scale_ms = max(summary.p99_ms - summary.p95_ms, 0.0) / math.log(5)
    return math.sqrt(0.99 * 0.01 / summary.samples) / 0.01 * scale_ms / summary.p99_ms


def _energy_error(result: BenchResult) -> float:
    energy = result.measurement.energy
    return energy.error_joules / _NORMAL_95 / energy.joules if energy and energy.joules > 0 else 0.0


METRICS: tuple[ForecastMetric, ...] = (
    ForecastMetric("fps", "FPS", 1, True, 0.02, 0.06, READS["fps"], _rate_error),
    ForecastMetric("p99_ms", "ms", 1, False, 0.05, 0.06, READS["p99_ms"], _p99_error),
    ForecastMetric("map_loss_pct", "%", 2, False, 0.001, 0.005, _nothing, share_lost=True),
    ForecastMetric("watts", "W", 1, False, 0.02, 0.06, READS["watts"], _energy_error),
    ForecastMetric("joules_per_frame", "J", 3, False, 0.03, 0.06, READS["joules_per_frame"], _energy_error),
    ForecastMetric("mib", "MiB", 0, False, 0.01, 0.06, READS["mib"]),
)
BY_KEY: Mapping[str, ForecastMetric] = {metric.key: metric for metric in METRICS}


def parse_targets(texts: list[str]) -> dict[str, float]:
    """Targets as typed, "fps=25". Raises UsageError for an unknown name or a value that no figure can have."""
    targets: dict[str, float] = {}
    for text in texts:
        key, equals, number = text.partition("=")
        if key not in BY_KEY:
            raise UsageError(
                f"--target {text}: no figure is called {key!r}",
                why=f"these can be forecast: {', '.join(BY_KEY)}",
                hint="edgekit forecast --target fps=25",
            )
        targets[key] = _target_value(text, number if equals else "", BY_KEY[key])
    return targets


def _target_value(text: str, number: str, metric: ForecastMetric) -> float:
    try:
        value = float(number)
        metric.level(value)
        if metric.share_lost and value < 0:
            raise ValueError("no loss is below zero")
    except ValueError:
        expected = "a loss in %, 0 to below 100" if metric.share_lost else "a number above zero"
        raise UsageError(f"--target {text}: expected {metric.key}=NUMBER, {expected}") from None
    return value
