"""A detection service: the settings it is started with and the health it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.core.collecting import CollectSettings, FieldHealth
from edgekit.core.events import EventSettings

SETTINGS_NAME = "settings.json"
DETECTOR_NAME = "detector.json"
HEALTH_NAME = "health.json"
PAGE_PORT = 8080


@dataclass(frozen=True)
class StreamSettings:
    """One source of a service. name: what frames, events and files call it; "" for a single one without a name."""

    uri: str  # "csi://0", "rtsp://user:password@host/path", "scenes://?fps=15", "file:///data/street.mp4"
    name: str = ""


@dataclass(frozen=True)
class ServiceSettings:
    """settings.json in a release. Sources and sinks are URIs; live sources hand over only the latest frame.

    They may hold passwords of cameras and brokers, so the file is for the service alone.
    """

    service: str
    streams: Tuple[StreamSettings, ...]
    sinks: Tuple[str, ...] = ()  # see runtime.sinks; none: detections are only counted
    threads: int = 0  # engine threads on a CPU back end; 0: let the back end choose
    loop: bool = False  # start finite sources again at their end
    events: Optional[EventSettings] = None  # None: objects are not followed
    page_port: int = PAGE_PORT  # on the loopback; 0: no page
    collect: Optional[CollectSettings] = None  # None: no frame is kept
    schema: int = 2


@dataclass(frozen=True)
class StreamHealth:
    """How one source of a service fares; source is its address without user and password.

    condition: one of core.camera_condition.CONDITIONS, for how long by condition_s, why by detail; "ended" for a source
    that came to its end or failed. fps, age and p99 are of the last few seconds, None or 0 without frames.
    """

    name: str
    source: str
    condition: str
    condition_s: float
    detail: str
    frames: int
    detections: int
    fps: float
    frame_age_ms: Optional[float]
    p99_ms: Optional[float]
    dropped: int


@dataclass(frozen=True)
class Health:
    """What a running service says of itself once a second; written whole, never in part.

    A frame counts once its outputs were numbers. last_error: why the latest frame was none, why no frame comes, or why
    the service ended; what the run before ended with stays there until a frame is good. Figures without a stream are of
    all of them together. warnings: sentences on what is not as it should be although frames come: frames left out
    because there are too many, a device that is hot, a sink that takes nothing.
    """

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
    p99_ms: Optional[float] = None  # capture to decoded, over the seconds of fps but at least 100 frames; None before
    streams: Tuple[StreamHealth, ...] = ()
    warnings: Tuple[str, ...] = ()
    loaded_from: str = ""  # what the process was started from, where it took `release` over without a restart
    field: Optional[FieldHealth] = None  # None: no frames are collected
    schema: int = 2


def is_alive(health: Health, updated_s: float, stale_after_s: float = 5.0) -> bool:
    """True if frames advanced lately: a report younger than stale_after_s whose latest frame was a good one.

    updated_s: the report's age by the clock of the device, which may differ from any other.
    """
    return health.frames > 0 and not health.last_error and updated_s < stale_after_s
