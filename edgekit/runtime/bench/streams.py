"""The scenario "streams": one stream, two, four and so on through one engine, as a service would run them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.camera_uri import hide_in_text
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import StreamPoint
from edgekit.core.stream_names import MOST_STREAMS, stream_names
from edgekit.core.tensors import InputSize
from edgekit.errors import EdgekitError, UsageError
from edgekit.runtime.bench.away import AwayLimit
from edgekit.runtime.bench.flow import SETTLING_BATCHES, Flow, count
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.bench.samples import Progress
from edgekit.runtime.bench.session import Counts, Session, cuda_graph_of, frame_size
from edgekit.runtime.bench.telling import Teller
from edgekit.runtime.engines import Engine
from edgekit.runtime.frames import Source
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.scene_source import MemorySource
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages, batch_for
from edgekit.runtime.stream_group import StreamGroup
from edgekit.runtime.uris import split_source

Opener = Callable[[], Source]


@dataclass(frozen=True)
class _Point:
    """What one number of streams gave, and what only the last of them is asked for."""

    point: StreamPoint
    flow: Flow
    input_size: InputSize
    frame_size: Tuple[int, int]
    live: bool
    cuda_graph: Optional[bool]
    disturbances: Tuple[str, ...]


def measure_streams(session: Session) -> BenchAnswer:
    """Measure duration_s for each number of streams; all figures but stream_points are of the last, the most.

    Batches are as a service fills them, unless the request asks for more than 1.
    """
    uris = _uris(session.request)
    openers = _openers(uris)
    counts = counts_up_to(len(uris))
    teller = Teller(session.on_progress, len(counts) * session.request.duration_s)
    points: List[_Point] = []
    with session.loaded() as engine:
        for number in counts:
            points.append(_Run(session, engine, openers[:number], uris[:number]).measure(teller, len(points)))
    teller.tell_end(_what(len(uris)))
    last, flow = points[-1], points[-1].flow
    return session.answer(
        session.conditions(last.input_size, last.frame_size, cuda_graph=last.cuda_graph, streams=len(uris)),
        Counts(flow.times.frames, sum(flow.dropped.values()), flow.times.detections),
        flow.times.summaries(last.live),
        pipeline_rate=last.point.rate,
        engine_rate=None,
        window_fps=flow.progress.window_fps(),
        stream_points=tuple(point.point for point in points),
        disturbances=tuple(text for point in points for text in point.disturbances),
    )


def counts_up_to(most: int) -> Tuple[int, ...]:
    """1, 2, 4 and so on, and last `most`."""
    return (*takewhile(lambda number: number < most, (2**power for power in range(most))), most)


def _uris(request: BenchRequest) -> List[str]:
    """One for each stream: the source and those that join it, or the source again and again."""
    joined = [request.source, *request.more_sources]
    uris = joined if request.more_sources else joined * request.streams
    if not 1 <= len(uris) <= MOST_STREAMS:
        raise UsageError(f"{len(uris)} streams", why=f"a service reads 1 to {MOST_STREAMS} at once")
    return uris


def _openers(uris: Sequence[str]) -> List[Opener]:
    """How to open each stream. Pictures in memory are rendered once, and shared by streams of one address."""
    shared: Dict[str, Opener] = {}
    for uri in dict.fromkeys(uris):
        shared[uri] = partial(open_source, uri)
        if split_source(uri)[0] == "memory":
            with closing(open_source(uri)) as source:
                shared[uri] = partial(MemorySource, _round_of(source))
    return [shared[uri] for uri in uris]


def _round_of(source: Source) -> List[np.ndarray]:
    """The pictures of a source that shows them again and again."""
    pictures = [next(source).pixels]
    for frame in source:
        if frame.pixels is pictures[0]:
            break
        pictures.append(frame.pixels)
    return pictures


class _Run:
    """One number of streams, from opening them to closing them."""

    def __init__(self, session: Session, engine: Engine, openers: Sequence[Opener], uris: Sequence[str]) -> None:
        self._session, self._engine, self._openers, self._uris = session, engine, openers, uris
        self._flow = Flow(Progress(session.request.duration_s))
        self._away: List[AwayLimit] = []
        self._frame_size = (0, 0)

    def measure(self, teller: Teller, points_before: int) -> _Point:
        """Raises SourceError if a stream that is no camera cannot be read, or none gives a frame."""
        request, session = self._session.request, self._session
        with ExitStack() as stack:
            source = self._source(stack)
            batch = self._batch(source)
            stages = stack.enter_context(closing(stages_for(request.detector, self._engine, batch)))
            pipeline = stack.enter_context(Pipeline(source, stages))
            stack.callback(source.stop)  # first of all: its threads may be waiting for a camera
            session.watch.restart()
            settle = request.warmup_frames + SETTLING_BATCHES * batch * len(self._openers)
            for frames in count(pipeline, request.duration_s, self._flow, session.watch, settle, self._forget):
                self._frame_size = frame_size(frames[0].frame)
                done_s = points_before * request.duration_s + self._flow.progress.measured_s
                teller.tell(done_s, lambda: _what(len(self._openers)))
            return self._result(pipeline, stages, source.live)

    def _source(self, stack: ExitStack) -> Source:
        members = [stack.enter_context(Replayed(opener)) for opener in self._openers]
        self._away = [AwayLimit(member) for member in members]
        return members[0] if len(members) == 1 else StreamGroup(members, stream_names(self._uris))

    def _batch(self, source: Source) -> int:
        wanted, number = self._session.request.batch, len(self._openers)
        fits = wanted > 1 and not (source.live and number == 1)  # a frame would grow old waiting for others
        return wanted if fits else batch_for(number, self._engine.manifest, live=source.live)

    def _forget(self) -> None:
        for away in self._away:
            away.forget()

    def _result(self, pipeline: Pipeline, stages: Stages, live: bool) -> _Point:
        flow, number = self._flow, len(self._openers)
        if not flow.progress.frames:
            for away in self._away:
                away.check()
        rates = [flow.frames[name] / (flow.progress.measured_s or 1.0) for name in pipeline.dropped_by_stream]
        point = StreamPoint(
            streams=number,
            rate=flow.progress.rate(),
            slowest_fps=round(min(rates), 3),
            fastest_fps=round(max(rates), 3),
            dropped=sum(flow.dropped.values()),
            age=flow.times.summaries().get("end_to_end"),
            cpu_utilisation_pct=self._session.watch.cpu_utilisation_pct,
        )
        told = [text for away in self._away for text in away.disturbances]
        told += flow.disturbances
        told += [f"{name} ended early: {_reason(error)}" for name, error in pipeline.failures]
        disturbances = tuple(f"with {number} streams {text}" for text in told)
        graph = cuda_graph_of(stages)
        return _Point(point, flow, stages.input_size, self._frame_size, live, graph, disturbances)


def _what(streams: int) -> str:
    return f"measuring {streams} stream{'s' * (streams > 1)}"


def _reason(error: BaseException) -> str:
    return hide_in_text(error.what if isinstance(error, EdgekitError) else str(error))
