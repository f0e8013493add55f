"""Figures from samples: percentiles, latency summaries, a rate with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from edgekit.core import stability
from edgekit.core.student_t import NORMAL95, student_t95

Numbers = Union[Sequence[float], np.ndarray]

MIN_SAMPLES_FOR_P99 = 100
WINDOWS = 16
# With fewer, a window is longer or shorter by a good part of a frame.
_MOMENTS_A_WINDOW, _FEWEST_WINDOWS = 4, 3
# With fewer windows, how alike neighbours are cannot be told.
_CORRELATED_FROM = 8
_MOST_ALIKE, _FEWEST_FREEDOM = 0.9, 4


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
    """Frames per second with its 95 % interval, from windows of equal frame count.

    The interval is of this run: it holds what a much longer run under the same conditions would give. Another process,
    or another state of the machine, may differ by more, which only several rounds can show. verdict: "stable", or one
    sentence on what the windows show and what to do.
    """

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
    half = student_t95(len(array) - 1) * float(array.std(ddof=1)) / len(array) ** 0.5
    return mean, mean - half, mean + half


def summarise_rate(finish_times_s: Sequence[float], windows: int = WINDOWS) -> Optional[Rate]:
    """Frames per second from the moments at which frames were finished, in seconds on one clock.

    Frames of a batch are finished at one moment, where no window may end between them. None below 3 moments.
    """
    times, frames_at = np.unique(np.asarray(finish_times_s, np.float64), return_counts=True)
    return rate_of_progress(times, np.cumsum(frames_at), windows)


def rate_of_progress(times_s: Numbers, done: Numbers, windows: int = WINDOWS) -> Optional[Rate]:
    """Frames per second of a run of which so many frames were `done` at certain moments, both ascending.

    The whole-run rate, with an interval over up to `windows` parts of about as many moments. None below 3 moments.
    """
    costs_s = _seconds_a_frame(times_s, done, windows)
    if costs_s is None:
        return None
    seconds = float(times_s[-1]) - float(times_s[0])
    fps = float(done[-1] - done[0]) / seconds
    half = half_of_mean(costs_s)
    said = stability.verdict(stability.Windows(tuple(1 / costs_s), len(times_s) - 1, seconds, half))
    low, high = fps * np.exp(-half), fps * np.exp(half)
    stable = said == stability.STABLE
    return Rate(round(fps, 3), round(float(low), 3), round(float(high), 3), len(costs_s), stable, said)


def window_rates(times_s: Numbers, done: Numbers, windows: int = WINDOWS) -> Tuple[float, ...]:
    """Frames per second of each window, in order, as `rate_of_progress` forms them; none below 3 moments."""
    costs_s = _seconds_a_frame(times_s, done, windows)
    return () if costs_s is None else tuple(round(float(rate), 3) for rate in 1 / costs_s)


def half_of_mean(values: Numbers) -> float:
    """Half the 95 % interval of a mean, as a share of it, for positive values that followed one another in time.

    Neighbours that are alike say less than so many independent values: the interval is widened by how alike they are
    (an AR(1) process, its coefficient mended for the bias of few values), and never narrowed.
    bench/rate_interval.py shows how often it holds the truth.
    """
    array = np.asarray(values, np.float64)
    count = len(array)
    if count < 2:
        return 0.0
    alike = _likeness(array)
    widened = (1 + alike) / (1 - alike)
    freedom = count - 1 if not alike else max(min(count - 1, _FEWEST_FREEDOM), int(count / widened) - 1)
    return student_t95(freedom) * float(array.std(ddof=1) / array.mean()) * math.sqrt(widened / count)


def share_interval(hits: int, of: int) -> Tuple[float, float]:
    """The 95 % interval of a share, from so many hits of so many trials, at least one.

    Source: Wilson, Journal of the American Statistical Association 22, 1927, p. 209.
    """
    z2, share = NORMAL95**2, hits / of
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = math.sqrt(z2 * share * (1 - share) / of + (z2 / (2 * of)) ** 2) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _likeness(array: np.ndarray) -> float:
    """The correlation of neighbours, 0 to _MOST_ALIKE."""
    deviations = array - array.mean()
    whole = float((deviations**2).sum())
    if len(array) < _CORRELATED_FROM or whole == 0:
        return 0.0
    found = float((deviations[1:] * deviations[:-1]).sum()) / whole
    return min(_MOST_ALIKE, max(0.0, found + (1 + 4 * found) / len(array)))


def _seconds_a_frame(times_s: Numbers, done: Numbers, windows: int) -> Optional[np.ndarray]:
    """Of each window. Their mean is that of the run where windows have as many frames; rates would not add up so."""
    if len(times_s) < 3:
        return None
    moments = len(times_s) - 1
    parts = min(moments, max(_FEWEST_WINDOWS, min(windows, moments // _MOMENTS_A_WINDOW)))
    edges = np.linspace(0, moments, parts + 1).astype(int)
    costs_s: np.ndarray = np.diff(np.asarray(times_s, np.float64)[edges]) / np.diff(np.asarray(done)[edges])
    return costs_s
