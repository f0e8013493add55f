"""The scenario "pipeline": the engine alone and the whole pipeline in turns within one run, so that they compare."""

from __future__ import annotations

import math
from contextlib import closing

from edgekit.core.requests import BenchAnswer
from edgekit.runtime.bench.alone import EngineAlone
from edgekit.runtime.bench.away import AwayLimit, first_frame
from edgekit.runtime.bench.flow import SETTLING_BATCHES, Flow, count
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.bench.samples import Progress
from edgekit.runtime.bench.session import Counts, Session, cuda_graph_of, frame_size
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages

# Short enough that a noisy neighbour hits the engine and the pipeline alike, long against filling the pipeline.
_SLICE_S = 1.0


def measure_pipeline(session: Session) -> BenchAnswer:
    """Measure for about twice duration_s: that long the pipeline, that long the engine alone.

    Both use the same loaded engine in slices of up to a second that alternate. warmup_frames of each, and the frames
    that fill the pipeline at the start of a slice, are left out. on_progress("measuring", seconds done, total) comes
    once a slice.
    """
    request = session.request
    with Replayed(lambda: open_source(request.source)) as source:
        frame = first_frame(source, request.source, session.on_progress)
        with session.loaded() as engine, closing(stages_for(request.detector, engine, request.batch)) as stages:
            turns = _Turns(session, stages, source, frame)
            turns.warm_up(request.warmup_frames)
            turns.alternate(request.duration_s)
            return turns.answer()


class _Turns:
    """One engine's stages and one source, measured in slices that share their slots."""

    def __init__(self, session: Session, stages: Stages, source: Source, frame: Frame) -> None:
        self._session, self._stages, self._source, self._frame = session, stages, source, frame
        self._slots = [stages.make_slot() for _ in range(stages.slots)]
        self._alone = EngineAlone(stages, self._slots[0], frame)
        duration_s = session.request.duration_s
        self._alone_progress, self._flow = Progress(duration_s), Flow(Progress(duration_s))
        self._away = AwayLimit(source)

    def warm_up(self, frames: int) -> None:
        """Bring caches, clocks and allocators to where they stay; nothing of it is counted."""
        self._alone.warm_up(frames)
        with Pipeline(self._source, self._stages, self._slots) as pipeline:
            for number, _ in enumerate(pipeline, 1):
                if number >= frames:
                    break
        self._away.forget()

    def alternate(self, duration_s: float) -> None:
        """Measure each for duration_s, in turns."""
        slices = math.ceil(duration_s / _SLICE_S)
        self._tell()
        for _ in range(slices):
            self._alone.measure(duration_s / slices, self._alone_progress)
            self._tell()
            self._measure_pipeline(duration_s / slices)
            self._tell()

    def answer(self) -> BenchAnswer:
        """The figures of all slices."""
        session, flow = self._session, self._flow
        graph = cuda_graph_of(self._stages)
        return session.answer(
            session.conditions(self._stages.input_size, frame_size(self._frame), cuda_graph=graph),
            Counts(flow.times.frames, sum(flow.dropped.values()), flow.times.detections),
            flow.times.summaries(),
            pipeline_rate=flow.progress.rate(),
            engine_rate=self._alone_progress.rate(),
            window_fps=flow.progress.window_fps(),
            disturbances=(*self._away.disturbances, *flow.disturbances),
        )

    def _measure_pipeline(self, slice_s: float) -> None:
        settle = SETTLING_BATCHES * self._stages.input_size.batch
        with Pipeline(self._source, self._stages, self._slots) as pipeline:
            for _ in count(pipeline, slice_s, self._flow, self._session.watch, settle):
                pass
        self._away.check()

    def _tell(self) -> None:
        total_s = max(1, round(2 * self._session.request.duration_s))
        done_s = round(self._alone_progress.measured_s + self._flow.progress.measured_s)
        self._session.on_progress("measuring", min(total_s, done_s), total_s)
