"""Several sources as one: names, opening, closing, and what their frames meet in the pipeline."""

from __future__ import annotations

import time
from collections import Counter

import cv2
import numpy as np
import pytest

from edgekit.core.stream_names import MOST_STREAMS
from edgekit.errors import SourceError, UsageError
from edgekit.runtime.file_sources import PictureSource
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.stream_group import StreamGroup, open_sources
from tests.fakes import FakeEngine, Greys, detector_spec


def group(*members):
    return StreamGroup(members, [chr(ord("a") + index) for index in range(len(members))])


def pipeline_for(source, engine, batch):
    return Pipeline(source, stages_for(engine.detector, engine, batch))


def detect(source, *, delay_s=0.0, batch=4):
    """(detected frames, the pipeline, the engine)."""
    engine = FakeEngine(detector_spec(max_batch=8), delay_s=delay_s)
    with pipeline_for(source, engine, batch) as pipeline:
        frames = list(pipeline)
    return frames, pipeline, engine


def indices(frames, stream):
    return [detected.frame.index for detected in frames if detected.frame.stream == stream]


def test_every_frame_of_every_file_comes_out_once_in_its_stream_s_order():
    """Frames would be lost or swapped between videos."""
    frames, pipeline, engine = detect(group(Greys(90), Greys(40), Greys(7)))
    assert [indices(frames, stream) for stream in "abc"] == [list(range(count)) for count in (90, 40, 7)]
    for detected in frames:
        assert detected.frame.index == round((float(detected.detections.scores[0]) - 0.5) * 2 * 255)
    assert pipeline.dropped == 0
    assert max(shape[0] for shape in engine.shapes) == 4


def test_live_streams_get_equal_shares_of_a_slow_engine():
    """A fast camera would take the engine from the others."""
    rates = (200.0, 100.0, 50.0, 25.0)
    sources = [Greys(int(rate), live=True, fps=rate) for rate in rates]  # a second of each
    frames, pipeline, _ = detect(group(*sources), delay_s=0.05, batch=1)  # 20 a second in all
    counts = Counter(detected.frame.stream for detected in frames)
    assert min(counts[stream] for stream in "abcd") >= 3, counts
    assert [counts[stream] + pipeline.dropped_by_stream[stream] for stream in "abcd"] == [int(rate) for rate in rates]
    assert pipeline.dropped == sum(pipeline.dropped_by_stream.values())


@pytest.mark.timed
def test_a_batch_never_waits_for_a_slow_stream():
    """One frozen camera would make every other camera's frames old."""

    class Frozen(Greys):
        def _read(self):
            while not self._stopped:
                time.sleep(0.01)

    source = group(Greys(40, live=True, fps=80.0), Greys(40, live=True, fps=80.0), Frozen(None, live=True, fps=1.0))
    engine = FakeEngine(detector_spec(max_batch=4), delay_s=0.002)
    seen = []
    with pipeline_for(source, engine, 4) as pipeline:
        for detected in pipeline:
            seen.append(detected)
            if len(seen) == 60:
                pipeline.stop()
    assert float(np.median([detected.age_ms for detected in seen])) < 30
    assert max(shape[0] for shape in engine.shapes) < 4


@pytest.mark.timed
def test_what_is_ready_together_goes_in_one_batch():
    """Eight cameras would cost eight calls of the engine for each round."""
    _, _, engine = detect(group(*[Greys(30, live=True, fps=60.0) for _ in range(4)]), delay_s=0.02)
    sizes = Counter(shape[0] for shape in engine.shapes)
    assert sizes[4] >= 5, sizes


@pytest.mark.timed
def test_live_answers_of_a_group_stay_young():
    """Frames would queue up behind those of the other streams."""
    sources = [Greys(50, live=True, fps=50.0) for _ in range(4)]
    frames, _, _ = detect(group(*sources), delay_s=0.03)
    assert float(np.median([detected.age_ms for detected in frames])) < 2 * 30 + 20 + 20


def test_one_live_stream_that_fails_leaves_the_others_in_peace():
    """One loose cable would end the watch of all cameras."""
    good, bad = Greys(30, live=True, fps=60.0), Greys(None, live=True, fps=60.0, fail_at=4)
    frames, pipeline, _ = detect(group(good, bad))
    assert indices(frames, "a")[-1] == 29
    ((stream, error),) = pipeline.failures
    assert (stream, str(error.what)) == ("b", "the cable came loose")


def test_a_group_whose_every_stream_failed_fails():
    """A run without a single camera would look as if it had ended well."""
    sources = [Greys(None, live=True, fps=60.0, fail_at=count) for count in (2, 5)]
    with pytest.raises(SourceError, match="cable"):
        detect(group(*sources))


def test_a_file_of_a_group_that_fails_ends_the_run_after_its_frames():
    """Half a video's results would pass for all of them."""
    engine = FakeEngine()
    seen = []
    with pipeline_for(group(Greys(None), Greys(20, fail_at=5)), engine, 1) as pipeline, pytest.raises(SourceError):
        for detected in pipeline:
            seen.append(detected)
    assert indices(seen, "b") == [0, 1, 2, 3, 4]


@pytest.mark.timed
@pytest.mark.parametrize("repeat", range(10))
@pytest.mark.parametrize("live", [False, True])
def test_leaving_a_group_early_never_hangs(repeat, live):
    """Eight capture threads that wait would hold eight cameras."""
    sources = [Greys(None, live=live, fps=100.0 if live else None) for _ in range(5)]
    engine = FakeEngine(detector_spec(max_batch=4), delay_s=0.001)
    with pipeline_for(group(*sources), engine, 4) as pipeline:
        for count, _ in enumerate(pipeline):
            if count == 3 * repeat:
                break
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 1.0


def test_a_group_of_files_and_cameras_drops_only_the_cameras_frames():
    """A video's frames would be lost beside a camera."""
    frames, pipeline, _ = detect(group(Greys(40), Greys(40, live=True, fps=200.0)), delay_s=0.01)
    assert indices(frames, "a") == list(range(40))
    assert pipeline.dropped_by_stream["a"] == 0


def test_names_must_differ():
    """Two streams' frames could not be told apart."""
    with pytest.raises(ValueError, match="name of its own"):
        StreamGroup([Greys(1), Greys(1)], ["a", "a"])


def test_what_was_opened_is_closed_when_a_later_source_is_missing(monkeypatch, tmp_path):
    """A camera would stay taken after a typing error in the second address."""
    first = Greys(1)
    closed = []
    first.close = lambda: closed.append(True)
    monkeypatch.setattr(
        "edgekit.runtime.stream_group.open_source",
        lambda uri: first if uri == "a" else (_ for _ in ()).throw(SourceError("missing")),
    )
    with pytest.raises(SourceError, match="missing"):
        open_sources(["a", "b"])
    assert closed == [True]


def test_pictures_alone_are_one_source_in_the_order_given(tmp_path):
    """A pattern without quotes becomes many names: each would be a stream of one frame with a thread of its own."""
    paths = [tmp_path / f"{number}.png" for number in (2, 1, 3)]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    source = open_sources([str(path) for path in paths])
    assert isinstance(source, PictureSource)
    assert [frame.name for frame in source] == ["2.png", "1.png", "3.png"]


def test_too_many_sources_are_refused():
    """Each is a thread; a thousand of them would take the board down."""
    with pytest.raises(UsageError, match="too many"):
        open_sources(["memory://"] * (MOST_STREAMS + 1))
