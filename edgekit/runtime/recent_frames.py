"""The latest frames of one source, or of all: how many a second, and how old they were."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Optional, Tuple

from edgekit.core.stats import MIN_SAMPLES_FOR_P99, summarise_latency

_WINDOW_S = 5.0
# Frames may come this much later than the two before them were apart, before the rate falls to nothing.
_LATE_INTERVALS = 2.0


@dataclass
class RecentFrames:
    """(finished_s, age_ms) of the frames of the last few seconds, but of at least 100; oldest first."""

    frames: int = 0  # of all times
    detections: int = 0
    _latest: Deque[Tuple[float, float]] = field(default_factory=deque)

    def add(self, finished_s: float, age_ms: float, detections: int) -> None:
        """A frame came through. finished_s never goes back."""
        self.frames += 1
        self.detections += detections
        self._latest.append((finished_s, age_ms))
        oldest_s = finished_s - _WINDOW_S
        while len(self._latest) > MIN_SAMPLES_FOR_P99 and self._latest[0][0] < oldest_s:
            self._latest.popleft()

    @property
    def fps(self) -> float:
        """Frames a second over the last few seconds, or between the last two where they are further apart."""
        if len(self._latest) < 2:
            return 0.0
        last_s = self._latest[-1][0]
        times_s = [at_s for at_s, _ in self._latest if last_s - at_s <= _WINDOW_S]
        if len(times_s) < 2:
            times_s = [self._latest[-2][0], last_s]
        return (len(times_s) - 1) / max(last_s - times_s[0], 1e-9)

    def fps_at(self, now_s: float) -> float:
        """`fps`, or 0 if the next frame is long overdue."""
        if len(self._latest) < 2:
            return 0.0
        last_s = self._latest[-1][0]
        overdue_s = max(_WINDOW_S, _LATE_INTERVALS * (last_s - self._latest[-2][0]))
        return 0.0 if now_s - last_s > overdue_s else self.fps

    @property
    def p99_ms(self) -> Optional[float]:
        """99 of 100 frames were younger than this when they were decoded; None before 100 frames."""
        summary = summarise_latency([age_ms for _, age_ms in self._latest])
        return summary.p99_ms if summary else None

    @property
    def age_ms(self) -> Optional[float]:
        """Of the latest frame, capture to decoded."""
        return self._latest[-1][1] if self._latest else None
