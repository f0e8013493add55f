"""One benchmark run: the versioned file that measuring writes and every report reads.

Schema 1: pipeline runs without power and preflight. Schema 2 adds scenarios, energy, events, preflight and rounds; a
file of schema 1 is read as a run for which these were not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.preflight import Preflight
from edgekit.core.stats import LatencySummary, Rate

SCHEMA = 2

# The headline's definition, printed wherever the headline is; by scenario, see Conditions.scenario.
FPS_MEANS = (
    "frames a second through the whole pipeline (capture, preprocess, inference, decode), not 1000 / inference ms"
)
FPS_MEANS_OF = {
    "pipeline": FPS_MEANS,
    "engine": "inferences a second times the batch, nothing copied: what the engine could give, no camera ever sees it",
    "camera": "frames a second from a live source through the whole pipeline; the source's own rate is the limit",
    "streams": "frames a second of all streams together through the whole pipeline and one engine",
    "soak": FPS_MEANS + ", over the whole soak",
}
SCENARIOS = tuple(FPS_MEANS_OF)


@dataclass(frozen=True)
class Accuracy:
    """COCO average precision on a frozen, labelled set; 0 to 1. All by name -> mAP50-95.

    per_stratum: as of core.strata, beside the conditions. per_size: small, medium, large by the area of the labelled
    box in the picture: below 32 x 32 px, below 96 x 96 px, and above (cocodataset.org, detection evaluation).
    """

    dataset: str
    dataset_sha256: str
    images: int
    map50_95: float
    map50: float
    per_condition: Dict[str, float]
    per_class: Dict[str, float]
    per_stratum: Dict[str, float] = field(default_factory=dict)
    per_size: Dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """What a figure depends on besides device and engine; runs compare only where these agree.

    None is "could not be found out", and agrees with None alone.
    """

    source: str
    frame_width: int
    frame_height: int
    batch: int
    input_height: int
    input_width: int
    warmup_frames: int
    duration_s: float
    threads: int  # engine threads on a CPU back end; 0 where the back end decides
    scenario: str = "pipeline"  # one of SCENARIOS
    streams: int = 1  # of "streams": the most that ran at once
    cuda_graph: Optional[bool] = None  # None: the back end has no such thing
    clocks_locked: Optional[bool] = None
    governor: Optional[str] = None  # of the processors' clocks: "performance", "schedutil"


@dataclass(frozen=True)
class Energy:
    """What was drawn while frames were counted, from samples of a power sensor.

    of: whose power it is, "module input", "GPU board"; sensor: "INA3221", "tegrastats", "NVML", "RAPL".
    joules: by the trapezoid rule; error_joules: what sampling cannot know, half the width of the interval that holds
    the true value if power stays between neighbouring samples (core/energy.py). frames: counted in the same time.
    idle_w: mean before anything was loaded.
    """

    of: str
    sensor: str
    samples: int
    sampled_s: float
    longest_gap_s: float
    mean_w: float
    max_w: float
    joules: float
    error_joules: float
    frames: int
    idle_w: Optional[float] = None
    rails_w: Dict[str, float] = field(default_factory=dict)  # mean by rail, as the board names it

    @property
    def joules_per_frame(self) -> Optional[float]:
        """All that was drawn, for each frame; None without frames."""
        return self.joules / self.frames if self.frames else None

    @property
    def joules_per_frame_above_idle(self) -> Optional[float]:
        """What a frame costs beyond a device that is only switched on; None if its idle power was not measured."""
        if self.idle_w is None or not self.frames:
            return None
        return (self.joules - self.idle_w * self.sampled_s) / self.frames


@dataclass(frozen=True)
class MachineRun:
    """How the machine fared while frames were counted."""

    temperature_start_c: Optional[float] = None
    temperature_max_c: Optional[float] = None
    hottest_zone: str = ""
    gpu_utilisation_pct: Optional[float] = None  # mean
    gpu_memory_peak_mib: Optional[int] = None  # of this process, where it is told apart from main memory
    memory_available_low_mib: Optional[int] = None  # the least that was left to programs
    gpu_clock_mhz: Optional[Tuple[float, float]] = None  # the lowest and the highest seen


@dataclass(frozen=True)
class StreamPoint:
    """So many streams at once through one engine."""

    streams: int
    rate: Rate  # all streams together
    slowest_fps: float
    fastest_fps: float
    dropped: int
    age: Optional[LatencySummary] = None  # from capture to detections
    cpu_utilisation_pct: Optional[float] = None

    @property
    def fairness(self) -> float:
        """Slowest / fastest stream; 1 is fair."""
        return self.slowest_fps / self.fastest_fps if self.fastest_fps else 1.0


@dataclass(frozen=True)
class SoakPart:
    """An equal part of a soak, in order."""

    started_s: float  # after the beginning
    fps: float
    p99_ms: Optional[float]
    memory_mib: Optional[int] = None
    temperature_c: Optional[float] = None
    watts: Optional[float] = None


@dataclass(frozen=True)
class Soak:
    """A long run in parts. Trends are per hour with their 95 % interval, None where there are too few parts."""

    parts: Tuple[SoakPart, ...]
    fps_trend_pct: Optional[Tuple[float, float, float]] = None  # (per hour, low, high), of the mean rate
    memory_trend_mib: Optional[Tuple[float, float, float]] = None


@dataclass(frozen=True)
class Measurement:
    """The figures of one run. None means not measured; a zero means that zero was measured.

    pipeline_rate is None in the scenario "engine", engine_rate in "camera", "streams" and "soak".
    disturbances: what happened in the run that forbids comparing it: throttling, over-current, a clock that changed.
    """

    pipeline_rate: Optional[Rate]
    engine_rate: Optional[Rate]
    stages: Dict[str, LatencySummary]  # capture, preprocess, inference, decode, host (all but inference), end_to_end
    frames: int
    dropped: int
    detections: int
    engine_load_s: float
    memory_peak_mib: Optional[int] = None
    cpu_utilisation_pct: Optional[float] = None
    power_mean_w: Optional[float] = None
    energy: Optional[Energy] = None
    machine: Optional[MachineRun] = None
    disturbances: Tuple[str, ...] = ()
    window_fps: Tuple[float, ...] = ()  # of the headline's rate, by window in order
    engine_rate_without_graph: Optional[Rate] = None  # launched kernel by kernel, in the scenario "engine"
    source_fps: Optional[float] = None  # what a live source says it gives
    stream_points: Tuple[StreamPoint, ...] = ()
    soak: Optional[Soak] = None

    @property
    def rate(self) -> Rate:
        """The headline: through the pipeline, or in the scenario "engine" of the engine alone."""
        rate = self.pipeline_rate or self.engine_rate
        if rate is None:
            raise ValueError("a run without a rate")
        return rate

    @property
    def pipeline_share(self) -> Optional[float]:
        """Pipeline FPS / engine-only FPS of the same engine in the same run; 1 means that nothing is lost."""
        if self.pipeline_rate is None or self.engine_rate is None:
            return None
        return self.pipeline_rate.fps / self.engine_rate.fps


@dataclass(frozen=True)
class BenchResult:
    """A result file: who ran what, where, when, and what came out.

    session: of all results of one call of `edgekit bench`; with --rounds the engines take turns, and results of one
    session and round are pairs. What a killed run leaves behind is no result: see control/bench.
    """

    result_id: str
    created_utc: str
    device: str
    profile: DeviceProfile
    engine: EngineManifest
    conditions: Conditions
    measurement: Measurement
    accuracy: Optional[Accuracy] = None
    git_commit: Optional[str] = None
    note: str = ""
    git_branch: Optional[str] = None
    session: str = ""
    round: int = 0
    preflight: Optional[Preflight] = None
    scenario_name: str = ""  # of bench/scenarios/<name>.yaml
    schema: int = SCHEMA

    @property
    def comparable(self) -> bool:
        """Whether it may stand beside others: nothing disturbed it."""
        return not self.measurement.disturbances
