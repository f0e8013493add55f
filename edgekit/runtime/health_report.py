"""How a service came along, and the file in which it says so once a second."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

from edgekit.core.camera_condition import AWAY, Condition
from edgekit.core.camera_uri import hide_credentials
from edgekit.core.collecting import FieldHealth
from edgekit.core.service import Health, StreamHealth, StreamSettings
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EdgekitError, EngineError
from edgekit.runtime.recent_frames import RecentFrames

# A service whose engine gives no numbers for this long, and for so many frames, ends: a restart may mend it, and
# otherwise someone must know.
_BAD_FOR_S, _BAD_FRAMES = 10.0, 3


@dataclass
class Progress:
    """What came through since the service started, of all streams and of each."""

    started_unix_s: float = field(default_factory=time.time)
    started_s: float = field(default_factory=time.monotonic)
    last_error: str = ""
    all: RecentFrames = field(default_factory=RecentFrames)
    streams: Dict[str, RecentFrames] = field(default_factory=dict)
    _bad_frames: int = 0  # since the last good one
    _bad_since_s: float = 0.0

    @property
    def frames(self) -> int:
        """Good ones, of all streams."""
        return self.all.frames

    def good(self, finished_s: float, age_ms: float, detections: int, stream: str = "") -> None:
        """A frame came through."""
        self.last_error, self._bad_frames = "", 0
        self.all.add(finished_s, age_ms, detections)
        self.streams.setdefault(stream, RecentFrames()).add(finished_s, age_ms, detections)

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


@dataclass(frozen=True)
class StreamStates:
    """What is known of the sources beside their frames, by stream. What is no camera may have no condition."""

    conditions: Mapping[str, Condition] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass
class HealthFile:
    """health.json of one service. engine_id and precision are "" until the engine is known.

    ask_field: how collecting stands; None where no frames are collected.
    """

    path: Path
    service: str
    release_id: str
    streams: Sequence[StreamSettings] = ()
    engine_id: str = ""
    precision: str = ""
    loaded_from: str = ""  # see Health
    ask_field: Optional[Callable[[], FieldHealth]] = None

    def take_over(self, release_id: str) -> None:
        """What is reported from now on is of another release, in the same process."""
        self.loaded_from, self.release_id = self.loaded_from or self.release_id, release_id

    def write(self, health: Health) -> None:
        """Say how it stands. Raises OSError, with the earlier report still whole."""
        _replace(self.path, json.dumps(to_wire(health), indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def health(self, progress: Progress, states: StreamStates = StreamStates(), warnings: Sequence[str] = ()) -> Health:
        """How it stands."""
        now_s, frames = time.monotonic(), progress.all
        streams = tuple(_stream_health(stream, progress, states, now_s) for stream in self.streams)
        all_away = bool(streams) and all(stream.condition in AWAY for stream in streams) and frames.frames > 0
        lately = RecentFrames() if all_away else frames
        return Health(
            service=self.service,
            release=self.release_id,
            pid=os.getpid(),
            frames=frames.frames,
            detections=frames.detections,
            fps=round(lately.fps_at(now_s), 2),
            frame_age_ms=_rounded(lately.age_ms),
            dropped=sum(states.dropped.values()),
            engine_id=self.engine_id,
            precision=self.precision,
            started_unix_s=progress.started_unix_s,
            updated_unix_s=time.time(),
            last_error=progress.last_error,
            p99_ms=_rounded(lately.p99_ms),
            streams=streams,
            warnings=tuple(warnings),
            loaded_from=self.loaded_from,
            field=self.ask_field() if self.ask_field else None,
        )

    def last_error(self) -> str:
        """What the run before this one ended with, if it was of the same release."""
        try:
            before = from_wire(Health, json.loads(self.path.read_text("utf-8")), self.path.name)
        except (OSError, ValueError, EdgekitError):
            return ""
        return before.last_error if before.release == self.release_id else ""


def _stream_health(stream: StreamSettings, progress: Progress, states: StreamStates, now_s: float) -> StreamHealth:
    frames = progress.streams.get(stream.name, RecentFrames())
    unstated = Condition("ok" if frames.frames else "connecting", progress.started_s)
    condition = states.conditions.get(stream.name, unstated)
    lately = RecentFrames() if condition.is_away else frames  # the figures of a camera that is gone are of before
    return StreamHealth(
        name=stream.name,
        source=hide_credentials(stream.uri),
        condition=condition.state,
        condition_s=round(max(0.0, now_s - condition.since_s), 1),
        detail=condition.detail,
        frames=frames.frames,
        detections=frames.detections,
        fps=round(lately.fps_at(now_s), 2),
        frame_age_ms=_rounded(lately.age_ms),
        p99_ms=_rounded(lately.p99_ms),
        dropped=states.dropped.get(stream.name, 0),
    )


def _rounded(value_ms: Optional[float]) -> Optional[float]:
    return None if value_ms is None else round(value_ms, 2)


def _replace(path: Path, text: str) -> None:
    """At once, but not durably: a report is worth nothing after a power cut, and each fsync wears the card."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, "utf-8")
    temporary.chmod(0o644)
    os.replace(temporary, path)
