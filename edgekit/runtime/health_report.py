"""How a service came along, and the file in which it says so once a second."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Deque, Optional, Tuple

from edgekit.core.service import Health
from edgekit.core.stats import MIN_SAMPLES_FOR_P99, summarise_latency
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EdgekitError, EngineError

_RATE_WINDOW_S = 5.0
# A service whose engine gives no numbers for this long, and for so many frames, ends: a restart may mend it, and
# otherwise someone must know.
_BAD_FOR_S, _BAD_FRAMES = 10.0, 3


@dataclass
class Progress:
    """Counts since the service started, and (finished_s, age_ms) of its latest frames, oldest first."""

    started_unix_s: float = field(default_factory=time.time)
    frames: int = 0
    detections: int = 0
    last_error: str = ""
    _latest: Deque[Tuple[float, float]] = field(default_factory=deque)
    _bad_frames: int = 0  # since the last good one
    _bad_since_s: float = 0.0

    def good(self, finished_s: float, age_ms: float, detections: int) -> None:
        """A frame came through."""
        self.frames += 1
        self.detections += detections
        self.last_error, self._bad_frames = "", 0
        self._latest.append((finished_s, age_ms))
        oldest_s = finished_s - _RATE_WINDOW_S
        while len(self._latest) > MIN_SAMPLES_FOR_P99 and self._latest[0][0] < oldest_s:
            self._latest.popleft()

    def bad(self, finished_s: float, outputs: Tuple[str, ...]) -> None:
        """A frame whose outputs are no numbers. Raises EngineError once that has lasted."""
        self.last_error = f"the engine's answer is NaN or infinite: {', '.join(outputs)}"
        self._bad_since_s = self._bad_since_s if self._bad_frames else finished_s
        self._bad_frames += 1
        lasted_s = finished_s - self._bad_since_s
        if self._bad_frames >= _BAD_FRAMES and lasted_s >= _BAD_FOR_S:
            raise EngineError(
                self.last_error,
                why=f"so it was for {self._bad_frames} frames in {lasted_s:.0f} s",
                hint="edgekit rollback, or edgekit build --force and deploy",
            )

    @property
    def fps(self) -> float:
        """Good frames a second over the last few seconds, or between the last two where they are further apart."""
        if len(self._latest) < 2:
            return 0.0
        last_s = self._latest[-1][0]
        times_s = [at_s for at_s, _ in self._latest if last_s - at_s <= _RATE_WINDOW_S]
        if len(times_s) < 2:
            times_s = [self._latest[-2][0], last_s]
        return (len(times_s) - 1) / max(last_s - times_s[0], 1e-9)

    @property
    def p99_ms(self) -> Optional[float]:
        """99 of 100 frames were younger than this when they were decoded; None before 100 frames."""
        summary = summarise_latency([age_ms for _, age_ms in self._latest])
        return summary.p99_ms if summary else None

    @property
    def age_ms(self) -> Optional[float]:
        """Of the latest frame, capture to decoded."""
        return self._latest[-1][1] if self._latest else None


@dataclass
class HealthFile:
    """health.json of one service. engine_id and precision are "" until the engine is known."""

    path: Path
    service: str
    release_id: str
    engine_id: str = ""
    precision: str = ""

    def write(self, progress: Progress, dropped: int = 0) -> Health:
        """Say how it stands. Raises OSError, with the earlier report still whole."""
        health = self.health(progress, dropped)
        _replace(self.path, json.dumps(to_wire(health), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return health

    def health(self, progress: Progress, dropped: int = 0) -> Health:
        """How it stands."""
        age_ms, p99_ms = progress.age_ms, progress.p99_ms
        return Health(
            service=self.service,
            release=self.release_id,
            pid=os.getpid(),
            frames=progress.frames,
            detections=progress.detections,
            fps=round(progress.fps, 2),
            frame_age_ms=None if age_ms is None else round(age_ms, 2),
            dropped=dropped,
            engine_id=self.engine_id,
            precision=self.precision,
            started_unix_s=progress.started_unix_s,
            updated_unix_s=time.time(),
            last_error=progress.last_error,
            p99_ms=None if p99_ms is None else round(p99_ms, 2),
        )

    def last_error(self) -> str:
        """What the run before this one ended with, if it was of the same release."""
        try:
            before = from_wire(Health, json.loads(self.path.read_text("utf-8")), self.path.name)
        except (OSError, ValueError, EdgekitError):
            return ""
        return before.last_error if before.release == self.release_id else ""


def _replace(path: Path, text: str) -> None:
    """At once, but not durably: a report is worth nothing after a power cut, and each fsync wears the card."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, "utf-8")
    temporary.chmod(0o644)
    os.replace(temporary, path)
