"""What every scenario works with: the request, the engine while it is loaded, and how figures become an answer."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Optional, Protocol, Tuple, runtime_checkable

from edgekit.core.camera_uri import hide_credentials
from edgekit.core.device import DeviceProfile
from edgekit.core.preflight import Preflight
from edgekit.core.preflight_rules import clocks_locked_of
from edgekit.core.progress import OnProgress
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import Conditions, Measurement
from edgekit.core.stats import LatencySummary
from edgekit.core.tensors import InputSize
from edgekit.runtime.bench.watch import Watch
from edgekit.runtime.engines import Engine, load_engine
from edgekit.runtime.frames import Frame
from edgekit.runtime.stages import Stages
from edgekit.runtime.usage import memory_peak_mib, reset_memory_peak


@dataclass(frozen=True)
class Counts:
    """Of the frames that were counted."""

    frames: int
    dropped: int = 0
    detections: int = 0


@dataclass(eq=False)
class Session:
    """One measurement, from the look at the idle machine to the answer."""

    request: BenchRequest
    profile: DeviceProfile
    preflight: Preflight
    watch: Watch
    on_progress: OnProgress
    engine_load_s: float = 0.0

    @contextmanager
    def loaded(self) -> Iterator[Engine]:
        """The engine, for as long as this is entered. The memory peak begins here.

        Sources are opened before: rendering pictures for memory:// takes more than running the engine.
        """
        reset_memory_peak()
        started_s = time.monotonic()
        engine = load_engine(self.request.engine_dir, self.request.detector, self.profile, threads=self.request.threads)
        self.engine_load_s = time.monotonic() - started_s
        with closing(engine):
            yield engine

    def answer(
        self, conditions: Conditions, counts: Counts, stages: Dict[str, LatencySummary], **figures: Any
    ) -> BenchAnswer:
        """figures: fields of Measurement; those that every scenario has are filled in here. Ends the watch.

        counts: of the frames whose energy is told.
        """
        watched = self.watch.finish(counts.frames)
        disturbances: Tuple[str, ...] = figures.pop("disturbances", ())
        measurement = Measurement(
            stages=stages,
            frames=counts.frames,
            dropped=counts.dropped,
            detections=counts.detections,
            engine_load_s=round(self.engine_load_s, 4),
            memory_peak_mib=memory_peak_mib(),
            cpu_utilisation_pct=watched.cpu_utilisation_pct,
            power_mean_w=watched.energy.mean_w if watched.energy else None,
            energy=watched.energy,
            machine=watched.machine,
            disturbances=(*watched.disturbances, *disturbances),
            **figures,
        )
        return BenchAnswer(conditions, measurement, self.preflight)

    def conditions(
        self, size: InputSize, frame_size: Tuple[int, int], *, cuda_graph: Optional[bool], streams: int = 1
    ) -> Conditions:
        """frame_size: (width_px, height_px) of the source's frames."""
        request = self.request
        source = ", ".join(map(hide_credentials, (request.source, *request.more_sources)))
        return Conditions(
            source=source, frame_width=frame_size[0], frame_height=frame_size[1], batch=size.batch,
            input_height=size.height, input_width=size.width, warmup_frames=request.warmup_frames,
            duration_s=request.duration_s, threads=request.threads, scenario=request.scenario, streams=streams,
            cuda_graph=cuda_graph, clocks_locked=clocks_locked_of(self.preflight),
            governor=self.preflight.value("governor"),
        )  # fmt: skip


def frame_size(frame: Frame) -> Tuple[int, int]:
    """(width_px, height_px)."""
    height, width = frame.pixels.shape[:2]
    return width, height


def cuda_graph_of(stages: Stages) -> Optional[bool]:
    """Whether the engine's work is launched as a CUDA graph; None where there is no such thing. Ask with slots made."""
    return stages.has_graph if isinstance(stages, _GraphStages) else None


@runtime_checkable
class _GraphStages(Protocol):
    """Stages on a GPU."""

    @property
    def has_graph(self) -> bool: ...
