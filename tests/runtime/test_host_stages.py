"""The stages on the CPU: what a slot keeps, and what a caller may keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import UsageError
from edgekit.runtime.frames import Frame
from edgekit.runtime.host_stages import HostStages, stages_for
from edgekit.runtime.stages import batch_for
from tests.fakes import FakeEngine, detector_spec


def grey(value):
    return Frame(np.full((64, 64, 3), value, np.uint8), 0, 0.0, "grey")


def launched(stages, *values):
    slot = stages.make_slot()
    fits = [stages.preprocess(grey(value), slot, row) for row, value in enumerate(values)]
    stages.launch(slot, len(values))
    return slot, fits


def values_of(collected):
    return [round((float(found.scores[0]) - 0.5) * 2 * 255) for found in collected.detections]


def test_a_slot_keeps_its_outputs_while_the_engine_goes_on():
    """Engines write each answer over the last one; frames would get their neighbour's objects."""
    engine = FakeEngine()
    stages = stages_for(engine.detector, engine)
    first, fits = launched(stages, 10)
    launched(stages, 200)
    assert values_of(stages.collect(first, fits)) == [10]


def test_detections_stay_when_their_slot_is_used_again():
    """What is still on its way to a file would change under the sink's hands."""
    engine = FakeEngine()
    stages = stages_for(engine.detector, engine)
    slot, fits = launched(stages, 10)
    collected = stages.collect(slot, fits)
    boxes = collected.detections[0].boxes_xyxy.copy()
    stages.preprocess(grey(200), slot, 0)
    stages.launch(slot, 1)
    assert values_of(collected) == [10]
    np.testing.assert_array_equal(boxes, collected.detections[0].boxes_xyxy)


def test_other_thresholds_hold_for_what_is_collected_from_then_on():
    """A batch that is in the engine meanwhile is decoded by them too; no frame is lost."""
    engine = FakeEngine()
    stages = stages_for(engine.detector, engine)
    slot, fits = launched(stages, 10)
    assert len(stages.collect(slot, fits).detections[0]) == 1
    stages.retune(replace(engine.detector, confidence=0.9))
    assert len(stages.collect(slot, fits).detections[0]) == 0


def test_batches_of_changing_length_answer_for_their_own_rows():
    """Of several cameras, every batch has another length; rows of the batch before would come up again."""
    engine = FakeEngine(detector_spec(max_batch=4))
    stages = stages_for(engine.detector, engine, 4)
    slot = stages.make_slot()
    for values in ([1, 2, 3, 4], [50], [60, 70, 80], [90, 100]):
        fits = [stages.preprocess(grey(value), slot, row) for row, value in enumerate(values)]
        stages.launch(slot, len(values))
        assert values == values_of(stages.collect(slot, fits))
    assert [shape[0] for shape in engine.shapes] == [4, 1, 3, 2]


@pytest.mark.timed
def test_inference_is_timed_without_what_is_around_it():
    """The engine would be blamed for the copies, or the copies hidden in it."""
    engine = FakeEngine(delay_s=0.02)
    stages = stages_for(engine.detector, engine)
    slot, fits = launched(stages, 1)
    collected = stages.collect(slot, fits)
    assert 20 <= collected.inference_ms < 40
    assert collected.waited_ms == 0


def test_replay_runs_the_engine_so_many_times_on_the_whole_batch():
    """The engine's own rate would be that of another batch."""
    engine = FakeEngine(detector_spec(max_batch=3))
    stages = stages_for(engine.detector, engine, 3)
    stages.replay(stages.make_slot(), 5)
    assert [shape[0] for shape in engine.shapes] == [3] * 5


def test_an_engine_s_own_stages_are_taken_where_it_has_some():
    """A GPU would wait for the CPU's letterbox."""
    engine = FakeEngine(detector_spec(max_batch=2))
    assert isinstance(stages_for(engine.detector, engine, 2), HostStages)
    asked = []
    engine.stages = lambda detector, batch: asked.append((detector, batch)) or "its own"
    assert stages_for(engine.detector, engine, 2) == "its own"
    assert asked == [(engine.detector, 2)]


def test_a_batch_outside_the_profile_is_refused_before_the_engine_is_asked():
    """The engine's own words would come, at the first frame."""
    engine = FakeEngine()
    engine.stages = lambda detector, batch: pytest.fail("asked")
    with pytest.raises(UsageError, match="batch 2"):
        stages_for(engine.detector, engine, 2)


@pytest.mark.parametrize(("streams", "batch"), [(1, 2), (3, 3), (4, 4), (9, 4)])
@pytest.mark.parametrize("live", [True, False])
def test_the_batch_for_some_streams_is_what_the_engine_takes(streams, batch, live):
    """Nine cameras would be refused by an engine for four."""
    manifest = replace(FakeEngine().manifest, profile=ShapeProfile(*(InputSize(count, 64, 64) for count in (2, 4, 4))))
    assert batch == batch_for(streams, manifest, live=live)


def test_live_frames_go_one_by_one_where_a_processor_does_the_work():
    """Four cameras' frames would all be as old as the last of them, and no more of them would be taken."""
    manifest = replace(FakeEngine(detector_spec(max_batch=8)).manifest, backend="onnxruntime")
    assert batch_for(4, manifest, live=True) == 1 and batch_for(4, manifest, live=False) == 4
    assert batch_for(4, replace(manifest, backend="tensorrt"), live=True) == 4
