"""Percentiles of any number of durations in the same little memory, for runs of hours.

Durations are counted in classes of equal ratio, so that a percentile is within 0.05 % of the exact one; count, mean and
maximum are exact.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from edgekit.core.stats import MIN_SAMPLES_FOR_P99, LatencySummary, Numbers

_RATIO = 1.001
_LOWEST_MS, _HIGHEST_MS = 1e-4, 1e7  # a tenth of a microsecond to three hours
_CLASSES = int(np.log(_HIGHEST_MS / _LOWEST_MS) / np.log(_RATIO)) + 1


class LatencyDigest:
    """Takes durations and gives their summary at any time; takes 200 KiB."""

    def __init__(self) -> None:
        self._counts = np.zeros(_CLASSES, np.int64)
        self._sum_ms = 0.0
        self._least_ms, self._most_ms = np.inf, 0.0

    @property
    def samples(self) -> int:
        """How many there were."""
        return int(self._counts.sum())

    def add(self, durations_ms: Numbers) -> None:
        """Count some more, none of them negative."""
        values = np.asarray(durations_ms, np.float64)
        if not len(values):
            return
        classes = np.log(np.maximum(values, _LOWEST_MS) / _LOWEST_MS) / np.log(_RATIO)
        np.add.at(self._counts, np.minimum(classes.astype(np.int64), _CLASSES - 1), 1)
        self._sum_ms += float(values.sum())
        self._least_ms = min(self._least_ms, float(values.min()))
        self._most_ms = max(self._most_ms, float(values.max()))

    def summary(self) -> Optional[LatencySummary]:
        """Of all so far, as core.stats.summarise_latency gives it; None without any."""
        samples = self.samples
        if samples == 0:
            return None
        p50, p90, p95, p99 = (round(self._percentile(share), 4) for share in (0.50, 0.90, 0.95, 0.99))
        return LatencySummary(
            samples=samples,
            mean_ms=round(self._sum_ms / samples, 4),
            p50_ms=p50,
            p90_ms=p90,
            p95_ms=p95,
            p99_ms=p99 if samples >= MIN_SAMPLES_FOR_P99 else None,
            max_ms=round(self._most_ms, 4),
        )

    def _percentile(self, share: float) -> float:
        """By linear interpolation between the two ranks beside it, numpy's definition."""
        rank = share * (self.samples - 1)
        below = int(rank)
        least, most = self._at(below), self._at(min(below + 1, self.samples - 1))
        return least + (most - least) * (rank - below)

    def _at(self, rank: int) -> float:
        """The duration at a rank from 0: the middle of its class, and never beyond what was seen."""
        index = int(np.searchsorted(np.cumsum(self._counts), rank, side="right"))
        middle_ms = _LOWEST_MS * _RATIO ** (index + 0.5)
        return float(min(max(middle_ms, self._least_ms), self._most_ms))
