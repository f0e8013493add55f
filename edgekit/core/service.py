"""A detection service: the settings it is started with and the health it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

SETTINGS_NAME = "settings.json"
DETECTOR_NAME = "detector.json"
HEALTH_NAME = "health.json"


@dataclass(frozen=True)
class ServiceSettings:
    """settings.json in a release. Sources and sinks are URIs; live sources hand over only the latest frame."""

    service: str
    source: str  # "scenes://?width=1280&height=720&fps=15", "file:///data/street.mp4", "/data/pictures"
    sinks: Tuple[str, ...] = ()  # "jsonl:PATH", "video:PATH", "images:FOLDER"; none: detections are only counted
    threads: int = 0  # engine threads on a CPU back end; 0: let the back end choose
    loop: bool = False  # start a finite source again at its end
    schema: int = 1


@dataclass(frozen=True)
class Health:
    """What a running service says of itself once a second; written whole, never in part."""

    service: str
    release: str
    pid: int
    frames: int
    detections: int
    fps: float  # over the last few seconds
    frame_age_ms: Optional[float]  # capture to decoded, latest frame
    dropped: int
    engine_id: str
    precision: str
    started_unix_s: float
    updated_unix_s: float
    last_error: str = ""
    schema: int = 1


def is_alive(health: Health, now_unix_s: float, stale_after_s: float = 5.0) -> bool:
    """True if frames advanced lately: the file is fresh and at least one frame was decoded."""
    return health.frames > 0 and now_unix_s - health.updated_unix_s < stale_after_s
