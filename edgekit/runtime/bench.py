"""The verb `bench`: the engine alone and the whole pipeline, measured in turns within one run."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List

import numpy as np

from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import Conditions, Measurement
from edgekit.core.stats import Rate, summarise_latency, summarise_rate
from edgekit.core.tensors import InputSize
from edgekit.errors import UsageError
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.engines import Engine, load_engine
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import DetectedFrame, Pipeline, StageTimes
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages
from edgekit.runtime.usage import CpuMeter, memory_peak_mib, reset_memory_peak

# Short enough that a noisy neighbour hits the engine and the pipeline alike, long against filling the pipeline.
_SLICE_S = 1.0

# Looking at the clock, and waking up after a GPU, must be nothing beside what is timed.
_CHUNK_S = 0.01

# Batches at the start of a slice that were under way before the pipeline ran at its own pace.
_SETTLING_BATCHES = 4
_WINDOWS = 10


@dataclass
class _Samples:
    """What the slices of one kind brought. times_s leave out the gaps between slices."""

    times_s: List[float] = field(default_factory=lambda: [0.0])
    stages: List[StageTimes] = field(default_factory=list)
    ages_ms: List[float] = field(default_factory=list)
    detections: int = 0
    dropped: int = 0

    def add_intervals(self, finished_s: List[float], frames: int) -> None:
        """Append a slice by the moments at which so many more frames were finished."""
        for took_s in np.diff(finished_s):
            start_s, step_s = self.times_s[-1], float(took_s) / frames
            self.times_s.extend(start_s + step_s * (row + 1) for row in range(frames))

    @property
    def measured_s(self) -> float:
        return self.times_s[-1]

    @property
    def frames(self) -> int:
        return len(self.times_s) - 1


class Replayed(Source):
    """Sources opened one after the other, as often as needed, so that a short file can be measured for long.

    close() ends the one that is open.
    """

    def __init__(self, open_again: Callable[[], Source]) -> None:
        super().__init__()
        self._open_again = open_again
        self._current = open_again()
        self.live, self.fps, self.size = self._current.live, self._current.fps, self._current.size
        self.ready = self._current.ready

    def __next__(self) -> Frame:
        """The next frame; after the last one the first again. Raises SourceError as the source does."""
        try:
            return next(self._current)
        except StopIteration:
            if self._stopped:
                raise
        self._current.close()
        self._current = self._open_again()
        return next(self._current)

    def stop(self) -> None:
        """End the stream at the next frame."""
        super().stop()
        self._current.stop()

    def close(self) -> None:
        """Close the source that is open."""
        self._current.close()


def run_bench(request: BenchRequest, profile: DeviceProfile, on_progress: OnProgress) -> BenchAnswer:
    """Measure one engine for about twice duration_s: that long the pipeline, that long the engine alone.

    Both use the same loaded engine in slices of up to a second that alternate. warmup_frames of each, and the frames
    that fill the pipeline at the start of a slice, are left out. on_progress("measuring", seconds done, total) comes
    once a slice.
    """
    if request.duration_s <= 0 or request.warmup_frames < 0:
        raise UsageError(
            f"cannot measure for {request.duration_s} s after {request.warmup_frames} frames",
            hint="a duration above 0 and a warm-up of 0 frames or more",
        )
    limit_cv_threads()
    with Replayed(lambda: open_source(request.source)) as source:
        reset_memory_peak()  # rendering pictures for memory:// takes more than running the engine
        started_s = time.monotonic()
        engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
        load_s = time.monotonic() - started_s
        with closing(engine):
            return measure(request, engine, source, load_s, on_progress)


def measure(
    request: BenchRequest, engine: Engine, source: Source, engine_load_s: float, on_progress: OnProgress
) -> BenchAnswer:
    """The measuring itself, for an engine that is loaded and a source that does not end."""
    with closing(stages_for(request.detector, engine, request.batch)) as stages:
        bench = _Bench(stages, source)
        bench.warm_up(request.warmup_frames)
        total_s = max(1, round(2 * request.duration_s))
        on_progress("measuring", 0, total_s)
        for _ in bench.alternate(request.duration_s):
            on_progress("measuring", min(total_s, round(bench.measured_s)), total_s)
        return BenchAnswer(_conditions(request, stages.input_size, bench.first_frame), bench.measurement(engine_load_s))


def _conditions(request: BenchRequest, size: InputSize, frame: Frame) -> Conditions:
    frame_height, frame_width = frame.pixels.shape[:2]
    return Conditions(
        source=request.source, frame_width=frame_width, frame_height=frame_height, batch=size.batch,
        input_height=size.height, input_width=size.width, warmup_frames=request.warmup_frames,
        duration_s=request.duration_s, threads=request.threads,
    )  # fmt: skip


class _Bench:
    """One engine's stages and one source, measured in slices that share their slots."""

    def __init__(self, stages: Stages, source: Source) -> None:
        self.first_frame: Frame = next(source)
        self._stages, self._source = stages, source
        self._slots = [stages.make_slot() for _ in range(stages.slots)]
        self._calls = 1  # of the engine between two looks at the clock
        self._cpu = CpuMeter()
        self._alone, self._pipeline = _Samples(), _Samples()

    @property
    def measured_s(self) -> float:
        return self._alone.measured_s + self._pipeline.measured_s

    def warm_up(self, frames: int) -> None:
        """Bring caches, clocks and allocators to where they stay; nothing of it is counted."""
        slot, batch = self._filled_slot(), self._stages.input_size.batch
        if frames:
            self._stages.replay(slot, -(-frames // batch))
        self._calls = self._calls_for(slot, _CHUNK_S)
        with Pipeline(self._source, self._stages, self._slots) as pipeline:
            for count, _ in enumerate(pipeline, 1):
                if count >= frames:
                    return

    def alternate(self, duration_s: float) -> Iterator[None]:
        """Measure each for duration_s; yields after every slice."""
        slices = math.ceil(duration_s / _SLICE_S)
        for _ in range(slices):
            self._measure_alone(duration_s / slices)
            yield
            self._measure_pipeline(duration_s / slices)
            yield

    def measurement(self, engine_load_s: float) -> Measurement:
        """The figures of all slices so far."""
        stages = self._pipeline.stages
        columns: Dict[str, List[float]] = {
            "capture": [times.capture_ms for times in stages],
            "preprocess": [times.preprocess_ms for times in stages],
            "inference": [times.inference_ms for times in stages],
            "decode": [times.decode_ms for times in stages],
            "host": [times.host_ms for times in stages],
            "end_to_end": self._pipeline.ages_ms,
        }
        summaries = {name: summarise_latency(values) for name, values in columns.items()}
        return Measurement(
            pipeline_rate=_rate(self._pipeline),
            engine_rate=_rate(self._alone),
            stages={name: summary for name, summary in summaries.items() if summary is not None},
            frames=self._pipeline.frames,
            dropped=self._pipeline.dropped,
            detections=self._pipeline.detections,
            engine_load_s=round(engine_load_s, 4),
            memory_peak_mib=memory_peak_mib(),
            cpu_utilisation_pct=self._cpu.utilisation_pct,
        )

    def _filled_slot(self) -> Any:
        slot = self._slots[0]
        for row in range(self._stages.input_size.batch):
            self._stages.preprocess(self.first_frame, slot, row)
        return slot

    def _calls_for(self, slot: Any, duration_s: float) -> int:
        """How often the engine runs in about duration_s; at least once."""
        calls = 1
        while True:
            started_s = time.monotonic()
            self._stages.replay(slot, calls)
            if time.monotonic() - started_s >= duration_s:
                return calls
            calls *= 2

    def _measure_alone(self, slice_s: float) -> None:
        """The engine on a batch that is ready, call after call: the most this engine can give."""
        slot = self._filled_slot()
        self._stages.replay(slot, 1)
        finished_s = [time.monotonic()]
        while finished_s[-1] - finished_s[0] < slice_s or len(finished_s) < 3:
            self._stages.replay(slot, self._calls)
            finished_s.append(time.monotonic())
        self._alone.add_intervals(finished_s, self._stages.input_size.batch * self._calls)

    def _measure_pipeline(self, slice_s: float) -> None:
        batch = self._stages.input_size.batch
        settling = _SETTLING_BATCHES * batch
        finished_s: List[float] = []
        with Pipeline(self._source, self._stages, self._slots) as pipeline:
            for count, detected in enumerate(pipeline):
                if count < settling:
                    continue
                if count == settling:
                    self._cpu.start()
                    dropped_before = pipeline.dropped
                # Frames of a batch come out together: its end is the moment that counts.
                if count % batch == 0:
                    finished_s.append(detected.finished_s)
                self._note(detected)
                if finished_s[-1] - finished_s[0] >= slice_s and len(finished_s) >= 3:
                    break
            self._cpu.stop()
            self._pipeline.dropped += pipeline.dropped - dropped_before
        self._pipeline.add_intervals(finished_s, batch)

    def _note(self, detected: DetectedFrame) -> None:
        self._pipeline.stages.append(detected.stages)
        self._pipeline.ages_ms.append(detected.age_ms)
        self._pipeline.detections += len(detected.detections)


def _rate(samples: _Samples) -> Rate:
    rate = summarise_rate(samples.times_s, _WINDOWS)
    if rate is None:
        raise UsageError(f"only {samples.frames} frames were measured", hint="measure for longer")
    return rate
