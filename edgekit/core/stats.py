"""Figures from samples: percentiles, latency summaries, a rate with its interval, a verdict on stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

MIN_SAMPLES_FOR_P99 = 100
UNSTABLE_SPREAD = 0.10

# Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom; 1.96 beyond. Source: standard tables.
_T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
    2.080,
    2.074,
    2.069,
    2.064,
    2.060,
    2.056,
    2.052,
    2.048,
    2.045,
    2.042,
)


@dataclass(frozen=True)
class LatencySummary:
    """Milliseconds over `samples` frames. p99_ms is None below 100 samples: it would be a guess."""

    samples: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: Optional[float]
    max_ms: float


@dataclass(frozen=True)
class Rate:
    """Frames per second with its 95 % interval, from windows of equal frame count; stable if windows agree."""

    fps: float
    low_fps: float
    high_fps: float
    windows: int
    stable: bool
    verdict: str


def summarise_latency(samples_ms: Sequence[float]) -> Optional[LatencySummary]:
    """A summary, or None without samples."""
    if len(samples_ms) == 0:
        return None
    values = np.asarray(samples_ms, np.float64)
    p50, p90, p95, p99 = (round(float(value), 4) for value in np.percentile(values, [50, 90, 95, 99]))
    return LatencySummary(
        samples=len(values),
        mean_ms=round(float(values.mean()), 4),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99 if len(values) >= MIN_SAMPLES_FOR_P99 else None,
        max_ms=round(float(values.max()), 4),
    )


def mean_interval(values: Sequence[float]) -> Tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t. One value gives an interval of its own width zero."""
    array = np.asarray(values, np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return mean, mean, mean
    t = _T95[len(array) - 2] if len(array) - 2 < len(_T95) else 1.96
    half = t * float(array.std(ddof=1)) / len(array) ** 0.5
    return mean, mean - half, mean + half


def summarise_rate(finish_times_s: Sequence[float], windows: int = 10) -> Optional[Rate]:
    """Frames per second from the moments at which frames were finished, in seconds on one clock.

    The whole-run rate, with an interval over `windows` parts of about equal frame count. Frames of a batch are finished
    at one moment, where no window may end between them. None below 3 moments.
    """
    times, frames_at = np.unique(np.asarray(finish_times_s, np.float64), return_counts=True)
    if len(times) < 3:
        return None
    done = np.cumsum(frames_at)
    edges = np.linspace(0, len(times) - 1, min(windows, len(times) - 1) + 1).astype(int)
    rates = np.diff(done[edges]) / np.diff(times[edges])
    fps = float(done[-1] - done[0]) / float(times[-1] - times[0])
    mean, low, high = mean_interval(rates)
    spread = float(rates.std(ddof=1) / mean) if len(rates) > 1 else 0.0
    stable = spread < UNSTABLE_SPREAD
    verdict = "stable" if stable else f"windows differ by {spread:.0%} of their mean: run longer, or close programs"
    return Rate(round(fps, 3), round(fps - (mean - low), 3), round(fps + (high - mean), 3), len(rates), stable, verdict)
