"""One benchmark run: the versioned file that measuring writes and every report reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional

from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.stats import LatencySummary, Rate

# The headline's definition, printed wherever the headline is.
FPS_MEANS = (
    "frames a second through the whole pipeline (capture, preprocess, inference, decode), not 1000 / inference ms"
)


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
    """What a figure depends on besides device and engine; runs compare only where these agree."""

    source: str
    frame_width: int
    frame_height: int
    batch: int
    input_height: int
    input_width: int
    warmup_frames: int
    duration_s: float
    threads: int  # engine threads on a CPU back end; 0 where the back end decides


@dataclass(frozen=True)
class Measurement:
    """The figures of one run. None means not measured; a zero means that zero was measured."""

    pipeline_rate: Rate
    engine_rate: Rate
    stages: Dict[str, LatencySummary]  # capture, preprocess, inference, decode, host (all but inference), end_to_end
    frames: int
    dropped: int
    detections: int
    engine_load_s: float
    memory_peak_mib: Optional[int] = None
    cpu_utilisation_pct: Optional[float] = None
    power_mean_w: Optional[float] = None

    @property
    def pipeline_share(self) -> float:
        """Pipeline FPS / engine-only FPS of the same engine in the same run; 1 means that nothing is lost."""
        return self.pipeline_rate.fps / self.engine_rate.fps


@dataclass(frozen=True)
class BenchResult:
    """A result file: who ran what, where, when, and what came out."""

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
    schema: int = 1
