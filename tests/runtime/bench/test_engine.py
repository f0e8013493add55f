"""The scenario "engine": inference alone, with a CUDA graph and without."""

from __future__ import annotations

import time

import pytest

from edgekit.runtime.host_stages import HostStages
from tests.fakes import FakeEngine, detector_spec

MEMORY = "memory://?width=128&height=96&frames=3"


@pytest.mark.timed
def test_the_rate_is_inferences_times_the_batch(benching):
    """A batch of 4 in 10 ms are just under 400 pictures a second."""
    engine = FakeEngine(detector_spec(max_batch=4), delay_s=0.01)
    answer = benching(engine, "engine", source=MEMORY, batch=4)
    measured = answer.measurement
    assert 120 < measured.engine_rate.fps < 400
    assert measured.rate == measured.engine_rate
    assert (measured.pipeline_rate, measured.pipeline_share, measured.engine_rate_without_graph) == (None, None, None)
    assert (answer.conditions.cuda_graph, answer.conditions.batch) == (None, 4)
    assert measured.frames == pytest.approx(0.5 * measured.engine_rate.fps, rel=0.2)
    assert len(measured.window_fps) == measured.engine_rate.windows


@pytest.mark.timed
def test_its_latency_is_that_of_calls_one_by_one(benching):
    """Calls back to back overlap on a GPU: their rate says nothing of how long one takes."""
    stages = benching(FakeEngine(delay_s=0.005), "engine", source=MEMORY).measurement.stages
    assert set(stages) == {"inference"}
    assert 5 <= stages["inference"].p50_ms < 10


class GraphStages(HostStages):
    """Stages that launch as a CUDA graph, or kernel by kernel, which takes 4 ms longer."""

    def __init__(self, detector, engine, *, use_graphs):
        super().__init__(detector, engine, engine.manifest.profile.optimum)
        self.has_graph = use_graphs
        self.closed = False

    def replay(self, slot, times):
        super().replay(slot, times)
        time.sleep(0.0 if self.has_graph else 0.004 * times)

    def close(self):
        self.closed = True


class GraphEngine(FakeEngine):
    """An engine with CUDA graphs, as TensorRT's is."""

    recordable = True

    def stages(self, detector, batch, *, use_graphs=True):
        made = GraphStages(detector, self, use_graphs=use_graphs and self.recordable)
        self.made = [*getattr(self, "made", []), made]
        return made


@pytest.mark.timed
def test_both_ways_of_launching_are_measured(benching):
    """What a graph is worth differs from board to board."""
    engine = GraphEngine(delay_s=0.004)
    answer = benching(engine, "engine", source=MEMORY, duration_s=0.8)
    measured = answer.measurement
    assert answer.conditions.cuda_graph is True
    assert measured.engine_rate.fps > 1.2 * measured.engine_rate_without_graph.fps
    assert [stages.has_graph for stages in engine.made] == [True, False]
    assert all(stages.closed for stages in engine.made)
    assert engine.closed


def test_an_engine_that_cannot_be_recorded_is_measured_once(benching):
    """Kernel by kernel is all it has; twice the same figure would look like a comparison."""

    class Unrecordable(GraphEngine):
        recordable = False

    engine = Unrecordable()
    answer = benching(engine, "engine", source=MEMORY, duration_s=0.2)
    assert answer.conditions.cuda_graph is False
    assert answer.measurement.engine_rate_without_graph is None
    assert len(engine.made) == 1
