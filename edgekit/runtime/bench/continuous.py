"""One source through one pipeline without a break: what the scenarios "camera" and "soak" count."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Tuple

from edgekit.core.requests import BenchAnswer
from edgekit.core.results import Conditions
from edgekit.core.stats import Rate
from edgekit.runtime.bench.away import AwayLimit, first_frame
from edgekit.runtime.bench.flow import SETTLING_BATCHES, Flow, count
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.bench.samples import Progress
from edgekit.runtime.bench.session import Counts, Session, cuda_graph_of, frame_size
from edgekit.runtime.bench.telling import Teller
from edgekit.runtime.frames import Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sources import open_source


@dataclass(frozen=True, eq=False)
class Continuous:
    """What was counted. stated_fps: what the source says it gives, if it is a live one and says so."""

    flow: Flow
    conditions: Conditions
    live: bool
    stated_fps: Optional[float]
    disturbances: Tuple[str, ...]

    @property
    def offered_fps(self) -> float:
        """What came from the source, frames that were left out included."""
        offered = self.flow.times.frames + sum(self.flow.dropped.values())
        seconds = self.flow.progress.measured_s
        return offered / seconds if seconds else 0.0

    def answer(self, session: Session, rate: Rate, **figures: Any) -> BenchAnswer:
        """figures: fields of Measurement beside those of every continuous run."""
        counts = Counts(self.flow.times.frames, sum(self.flow.dropped.values()), self.flow.times.detections)
        return session.answer(
            self.conditions,
            counts,
            self.flow.times.summaries(self.live),
            pipeline_rate=rate,
            engine_rate=None,
            window_fps=self.flow.progress.window_fps(),
            disturbances=self.disturbances,
            **figures,
        )


def run_continuously(
    session: Session,
    what: Callable[[Flow], str],
    on_batch: Callable[[List[DetectedFrame], Flow], None] = lambda batch, flow: None,
    check: Callable[[Source], None] = lambda source: None,
) -> Continuous:
    """Count for duration_s; on_progress(what(flow), seconds done, total) every second, on_batch after each batch.

    check: raises for a source that is of no use. A camera that stays away ends the run, which is told as a disturbance.
    Raises SourceError if nothing was counted.
    """
    request = session.request
    with Replayed(lambda: open_source(request.source)) as source:
        check(source)
        frame = first_frame(source, request.source, session.on_progress)
        away = AwayLimit(source)
        with session.loaded() as engine, closing(stages_for(request.detector, engine, request.batch)) as stages:
            flow = Flow(Progress(request.duration_s))
            settle = request.warmup_frames + SETTLING_BATCHES * stages.input_size.batch
            teller = Teller(session.on_progress, request.duration_s)
            with Pipeline(source, stages) as pipeline:
                for batch in count(pipeline, request.duration_s, flow, session.watch, settle, away.forget):
                    on_batch(batch, flow)
                    teller.tell(flow.progress.measured_s, lambda: what(flow))
                teller.tell_end(what(flow))
                source.stop()  # first of all: its thread may be waiting for a camera
                graph = cuda_graph_of(stages)
            if not flow.progress.frames:
                away.check()
            conditions = session.conditions(stages.input_size, frame_size(frame), cuda_graph=graph)
    stated_fps = source.fps if source.live else None
    return Continuous(flow, conditions, source.live, stated_fps, (*away.disturbances, *flow.disturbances))
