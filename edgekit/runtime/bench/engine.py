"""The scenario "engine": inference on a batch that lies ready, nothing copied; with a CUDA graph and without one.

It is what trtexec measures, and what no camera ever sees. ONNX Runtime has no graphs: one kind is measured there.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, closing
from typing import Any, Dict, List, Optional

from edgekit.core.requests import BenchAnswer
from edgekit.core.stats import LatencySummary, summarise_latency
from edgekit.runtime.bench.alone import EngineAlone
from edgekit.runtime.bench.away import first_frame
from edgekit.runtime.bench.samples import Progress
from edgekit.runtime.bench.session import Counts, Session, cuda_graph_of, frame_size
from edgekit.runtime.engines import Engine
from edgekit.runtime.frames import Frame
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.sources import open_source
from edgekit.runtime.stages import Stages

_SLICE_S = 1.0
# Of each slice, for timing calls one by one.
_LATENCY_SHARE = 0.2
_MOST_LATENCIES = 100_000


def measure_engine(session: Session) -> BenchAnswer:
    """Measure the engine for duration_s with its CUDA graph, and as long without where it has one, in turns.

    stages holds "inference" alone: calls one by one, by the GPU's own clock where there is one.
    """
    request = session.request
    frame = _frame(session)
    with ExitStack() as stack:
        engine = stack.enter_context(session.loaded())
        stages = stack.enter_context(closing(stages_for(request.detector, engine, request.batch)))
        alone = EngineAlone(stages, stages.make_slot(), frame)
        alone.warm_up(request.warmup_frames)
        plain = _without_graph(session, engine, stages, stack)
        launched = None if plain is None else EngineAlone(plain, plain.make_slot(), frame)
        if launched is not None:
            launched.warm_up(request.warmup_frames)
        return _measure(session, stages, alone, launched, frame_size(frame))


def _frame(session: Session) -> Frame:
    """One frame of a source that is not held any longer: its pictures would be in the memory peak."""
    uri = session.request.source
    with open_source(uri) as source:
        return first_frame(source, uri, session.on_progress)


def _without_graph(session: Session, engine: Engine, stages: Stages, stack: ExitStack) -> Optional[Stages]:
    """Stages of the same engine that launch it kernel by kernel; None where the others do that too."""
    if not cuda_graph_of(stages):
        return None
    maker: Any = engine  # TensorRT's: that it can do without is no part of the protocol
    request = session.request
    plain: Stages = stack.enter_context(closing(maker.stages(request.detector, request.batch, use_graphs=False)))
    return plain


def _measure(
    session: Session, stages: Stages, alone: EngineAlone, launched: Optional[EngineAlone], size: Any
) -> BenchAnswer:
    duration_s = session.request.duration_s
    progress, without = Progress(duration_s), Progress(duration_s)
    latencies_ms: List[float] = []
    slices = math.ceil(duration_s / _SLICE_S)
    total_s = max(1, round(duration_s * (1 if launched is None else 2)))
    for _ in range(slices):
        _tell(session, progress, without, total_s)
        alone.measure(duration_s / slices, progress, session.watch)
        if len(latencies_ms) < _MOST_LATENCIES:
            latencies_ms.extend(alone.latencies_ms(_LATENCY_SHARE * duration_s / slices))
        if launched is not None:
            launched.measure(duration_s / slices, without)
    _tell(session, progress, without, total_s)
    return session.answer(
        session.conditions(stages.input_size, size, cuda_graph=cuda_graph_of(stages)),
        Counts(progress.frames),
        _stages(latencies_ms),
        pipeline_rate=None,
        engine_rate=progress.rate(),
        engine_rate_without_graph=None if launched is None else without.rate(),
        window_fps=progress.window_fps(),
    )


def _stages(latencies_ms: List[float]) -> Dict[str, LatencySummary]:
    summary = summarise_latency(latencies_ms)
    return {} if summary is None else {"inference": summary}


def _tell(session: Session, progress: Progress, without: Progress, total_s: int) -> None:
    done_s = round(progress.measured_s + without.measured_s)
    session.on_progress("measuring the engine", min(done_s, total_s), total_s)
