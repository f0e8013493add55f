"""The overlapped pipeline: order, overlap, dropping, errors, stopping."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.tensors import ShapeProfile
from edgekit.errors import EngineError, SourceError, UsageError
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import Pipeline
from tests.fakes import FakeEngine, Greys, detector_spec


def pipeline_for(source, engine=None, batch=1):
    engine = engine or FakeEngine()
    return Pipeline(source, stages_for(engine.detector, engine, batch))


def brightness(detected):
    return round((float(detected.detections.scores[0]) - 0.5) * 2 * 255)


def edgekit_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("edgekit-")]


def test_every_frame_of_a_file_comes_out_once_in_order_with_its_own_answer():
    """Buffers that are reused too early would give a frame the answer of its neighbour."""
    with pipeline_for(Greys(200)) as pipeline:
        frames = list(pipeline)
    assert list(range(200)) == [detected.frame.index for detected in frames]
    assert list(range(200)) == [brightness(detected) for detected in frames]
    assert pipeline.dropped == 0


def test_boxes_are_in_frame_pixels():
    """They would be drawn in the wrong place."""
    engine = FakeEngine(detector_spec(32, 32))
    with pipeline_for(Greys(1), engine) as pipeline:
        (detected,) = pipeline
    np.testing.assert_allclose([[12, 12, 52, 52]], detected.detections.boxes_xyxy, atol=1e-4)


@pytest.mark.timed
def test_stages_overlap():
    """The slowest stage alone should set the pace; in series this would take the sum."""
    frames, step_s = 30, 0.02
    with pipeline_for(Greys(frames, delay_s=step_s), FakeEngine(delay_s=step_s)) as pipeline:
        started_s = time.monotonic()
        for _ in pipeline:
            time.sleep(step_s)
        taken_s = time.monotonic() - started_s
    assert taken_s < 2 * frames * step_s  # 3 x in series


def test_the_engine_is_called_from_one_thread():
    """Engines are not thread-safe."""
    engine = FakeEngine()
    with pipeline_for(Greys(20), engine) as pipeline:
        list(pipeline)
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


@pytest.mark.timed
def test_a_slow_engine_drops_live_frames_and_answers_stay_young():
    """A queue of old frames would grow: detections of seconds ago."""
    engine = FakeEngine(delay_s=0.05)
    with pipeline_for(Greys(60, live=True, fps=100.0), engine) as pipeline:
        frames = list(pipeline)
    indices = [detected.frame.index for detected in frames]
    assert indices == sorted(set(indices))
    assert len(frames) + pipeline.dropped == 60
    assert len(frames) < 25
    # Waiting for the engine's current frame, then its own turn, and one frame interval.
    assert float(np.median([detected.age_ms for detected in frames])) < 2 * 50 + 10 + 30


@pytest.mark.timed
def test_stage_times_are_those_of_the_stages():
    """A benchmark would blame the wrong stage."""
    with pipeline_for(Greys(10, delay_s=0.01), FakeEngine(delay_s=0.03)) as pipeline:
        stages = [detected.stages for detected in pipeline]
    for times in stages:
        assert 10 <= times.capture_ms < 30
        assert 30 <= times.inference_ms < 60
        assert 0 < times.preprocess_ms < 20
        assert times.host_ms == pytest.approx(times.capture_ms + times.preprocess_ms + times.decode_ms)


@pytest.mark.parametrize("count", [1, 4, 7, 8])
def test_batches_cover_every_frame_also_when_the_last_is_short(count):
    """The last frames of a video would be missing or doubled."""
    engine = FakeEngine(detector_spec(max_batch=4))
    with pipeline_for(Greys(count), engine, batch=4) as pipeline:
        frames = list(pipeline)
    assert list(range(count)) == [brightness(detected) for detected in frames]
    assert {4, count % 4 or 4} >= {shape[0] for shape in engine.shapes}


def test_a_fixed_batch_is_padded():
    """An engine built for exactly 4 pictures refuses 3."""
    engine = FakeEngine(replace(detector_spec(), profile=ShapeProfile.fixed(4, 64, 64)))
    with pipeline_for(Greys(6), engine, batch=4) as pipeline:
        assert list(range(6)) == [brightness(detected) for detected in pipeline]
    assert {4} == {shape[0] for shape in engine.shapes}


def test_a_batch_of_a_live_source_is_refused():
    """The first frame would wait for the last one."""
    with pytest.raises(UsageError, match="live"):
        pipeline_for(Greys(1, live=True, fps=10.0), FakeEngine(detector_spec(max_batch=2)), batch=2)


def test_a_batch_the_engine_does_not_take_is_refused_before_the_run():
    """It would fail at the first frame with the engine's words."""
    with pytest.raises(UsageError, match="batch 2"):
        pipeline_for(Greys(1), batch=2)


@pytest.mark.parametrize("batch", [1, 4])
def test_an_error_of_the_source_arrives_after_the_frames_before_it(batch):
    """People would see a hang or a bare end instead of the reason."""
    engine = FakeEngine(detector_spec(max_batch=4))
    seen = []
    with pipeline_for(Greys(20, fail_at=5), engine, batch) as pipeline, pytest.raises(SourceError, match="cable"):
        for detected in pipeline:
            seen.append(detected.frame.index)
    assert seen == [0, 1, 2, 3, 4]
    assert edgekit_threads() == []


def test_an_error_of_the_engine_arrives_and_ends_all_threads():
    """An engine that fails in its thread would leave the caller waiting for ever."""

    def fail(number):
        if number == 3:
            raise EngineError("out of memory")

    engine = FakeEngine(on_call=fail)
    with pipeline_for(Greys(100), engine) as pipeline, pytest.raises(EngineError, match="out of memory"):
        list(pipeline)
    assert edgekit_threads() == []


def test_an_error_in_preprocessing_is_the_original_one():
    """Its type tells our mistake from the user's."""

    class Broken(Greys):
        def _read(self):
            return np.zeros((4, 4), np.uint8), "flat", None

    with pipeline_for(Broken(5)) as pipeline, pytest.raises(ValueError, match="expected a frame"):
        list(pipeline)


@pytest.mark.timed
@pytest.mark.parametrize("live", [False, True])
def test_leaving_early_ends_all_threads_quickly(live):
    """`detect --frames 10` would leave threads that hold the camera."""
    with pipeline_for(Greys(None, live=live, fps=200.0 if live else None), FakeEngine(delay_s=0.002)) as pipeline:
        for count, _ in enumerate(pipeline):
            if count == 5:
                break
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 1.0
    assert edgekit_threads() == []


@pytest.mark.parametrize("live", [False, True])
def test_stop_lets_frames_on_their_way_come_out(live):
    """A signal would tear a video's last frames."""
    source = Greys(None, live=live, fps=200.0 if live else None)
    seen = []
    with pipeline_for(source, FakeEngine(delay_s=0.005)) as pipeline:
        for detected in pipeline:
            seen.append(detected.frame.index)
            if len(seen) == 10:
                pipeline.stop()
    assert 10 <= len(seen) <= 16
    if not live:
        assert list(range(len(seen))) == seen


def test_close_is_safe_before_the_start_and_twice():
    """Cleaning up after a failure would fail itself."""
    pipeline = pipeline_for(Greys(3))
    pipeline.close()
    pipeline.close()


def test_starting_and_ending_many_pipelines_never_hangs():
    """A race at the end of a stream shows once in hundreds."""
    for count in range(150):
        with pipeline_for(Greys(count % 7)) as pipeline:
            assert count % 7 == sum(1 for _ in pipeline)
    assert edgekit_threads() == []


def test_memory_does_not_grow_with_the_stream():
    """A service would die after days."""
    try:
        with pipeline_for(Greys(1200)) as pipeline:
            frames = iter(pipeline)
            for _ in range(200):
                next(frames)
            gc.collect()
            tracemalloc.start()
            for _ in range(900):
                next(frames)
            gc.collect()
            grown_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()  # once the threads ended: older Pythons crash if one of them allocates meanwhile
    assert grown_bytes < 300_000  # 900 frames are 11 MB
