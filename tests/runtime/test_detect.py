"""The verb detect, with a real engine, a real process and real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.engine import BuildRequest
from edgekit.core.events import EventSettings
from edgekit.core.requests import DetectRequest, PlaceEvents
from edgekit.core.wire import to_wire
from edgekit.core.zones import Zone
from edgekit.errors import EngineError, SourceError
from edgekit.files import sha256_file
from edgekit.runtime.detect import run_detect
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device
from edgekit.runtime.stream_group import StreamGroup
from tests.fakes import FakeEngine, Greys, detector_spec
from tests.onnx_models import save_yolov8

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE = None  # nothing of the device matters to a fake engine


def quiet(what, done, total):
    pass


@pytest.fixture()
def fake_engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr("edgekit.runtime.detect.load_engine", lambda *arguments, **options: engine)
    return engine


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(engine folder, detector) of a tiny network that ONNX Runtime runs."""
    folder = tmp_path_factory.mktemp("engine")
    model = save_yolov8(folder / "tiny.onnx")
    detector = replace(detector_spec(), model_sha256=sha256_file(model), confidence=0.0)
    profile = probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(model), str(folder / "engines"))
    return folder / "engines" / build_engine(request, profile, quiet).engine_id, detector


def records_in(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def save_pictures(folder, count):
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 64, 3), number, np.uint8))
    return folder


def test_the_answer_counts_what_the_sinks_hold(tmp_path, fake_engine):
    """The summary would not match the file."""
    pictures = save_pictures(tmp_path / "in", 5)
    (pictures / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out.jsonl"
    request = DetectRequest("x", fake_engine.detector, str(pictures), (f"jsonl:{out}",))
    answer = run_detect(request, PROFILE, quiet)
    assert (answer.frames, answer.detections, answer.dropped, answer.per_label) == (5, 5, 0, (("car", 5),))
    assert (str(out),) == answer.written
    assert "broken.png" in answer.skipped[0]
    assert [f"{number}.png" for number in range(5)] == [record["name"] for record in records_in(out)]
    assert answer.rate.fps > 0
    assert answer.frame_age.samples == 5
    assert fake_engine.closed


@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_no_more_frames_are_taken_than_asked_for(tmp_path, fake_engine, wanted):
    """`--frames 3` on an endless source would never end, or write four lines."""
    out = tmp_path / "out.jsonl"
    source = "memory://?width=64&height=64&frames=2"
    request = DetectRequest("x", fake_engine.detector, source, (f"jsonl:{out}",), wanted)
    assert wanted == run_detect(request, PROFILE, quiet).frames
    assert wanted == len(records_in(out))


def test_progress_comes_about_once_a_second_with_the_total(fake_engine, tmp_path):
    """A long run would look dead."""
    fake_engine.delay_s = 0.035
    events = []
    request = DetectRequest("x", fake_engine.detector, str(save_pictures(tmp_path / "in", 40)))
    run_detect(request, PROFILE, lambda *event: events.append(event))
    assert 1 <= len(events) <= 3
    what, done, total = events[0]
    assert (what, total) == ("detecting", 40)
    assert 5 < done < 40


def test_a_source_that_does_not_exist_is_told_before_the_engine_is_loaded(tmp_path, monkeypatch):
    """Loading an engine takes seconds on a board."""
    monkeypatch.setattr("edgekit.runtime.detect.load_engine", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(SourceError, match="no file"):
        run_detect(DetectRequest("x", detector_spec(), str(tmp_path / "no.mp4")), PROFILE, quiet)


def test_a_real_engine_runs_from_source_to_sinks(tmp_path, built):
    """Each part may work alone and the whole not."""
    engine_dir, detector = built
    source = "scenes://?width=128&height=96&frames=6&live=0"
    sinks = (f"jsonl:{tmp_path}/o.jsonl", f"video:{tmp_path}/o.avi", f"images:{tmp_path}/pictures")
    request = DetectRequest(str(engine_dir), detector, source, sinks)
    answer = run_detect(request, probe_device(), quiet)
    assert (answer.frames, len(answer.written)) == (6, 3)
    assert 6 * 84 >= answer.detections > 0
    records = records_in(tmp_path / "o.jsonl")
    boxes = np.array([found["box_xyxy"] for record in records for found in record["detections"]])
    assert boxes.min() >= 0
    assert (boxes.max(axis=0) <= [128, 96, 128, 96]).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_completes_the_files_of_a_real_process(tmp_path, built, number):
    """Ending an endless run is its only end: its results must survive that."""
    engine_dir, detector = built
    sinks = (f"jsonl:{tmp_path}/o.jsonl", f"video:{tmp_path}/o.avi")
    source = "memory://?width=128&height=96&frames=2"
    (tmp_path / "request.json").write_text(json.dumps(to_wire(DetectRequest(str(engine_dir), detector, source, sinks))))
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit.runtime", "detect", str(tmp_path / "request.json")],
        cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert b"progress" in process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == 130
    indices = [record["index"] for record in records_in(tmp_path / "o.jsonl")]
    assert list(range(len(indices))) == indices
    assert len(indices) > 1
    assert cv2.VideoCapture(str(tmp_path / "o.avi")).read()[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.avi", "o.jsonl", "request.json"]


def test_detecting_twice_gives_the_same_answer(tmp_path, built):
    """A race between stages would show as answers that change from run to run."""
    engine_dir, detector = built
    texts = []
    for run in range(2):
        out = tmp_path / f"{run}.jsonl"
        request = DetectRequest(
            str(engine_dir), detector, "scenes://?width=128&height=96&frames=40&live=0", (f"jsonl:{out}",)
        )
        run_detect(request, probe_device(), quiet)
        texts.append([record["detections"] for record in records_in(out)])
    assert texts[0] == texts[1]


def streams_of(answer):
    return [(each.stream, each.frames, each.dropped, each.detections, each.error) for each in answer.streams]


def test_several_files_share_the_engine_s_batches(tmp_path, monkeypatch):
    """Two cameras would need two engines; or one's frames would be written under the other's name."""
    engine = FakeEngine(detector_spec(max_batch=4))
    monkeypatch.setattr("edgekit.runtime.detect.load_engine", lambda *_, **__: engine)
    folders = [str(save_pictures(tmp_path / name, count)) for name, count in (("front", 7), ("back", 3))]
    sinks = (f"jsonl:{tmp_path}/o.jsonl", f"video:{tmp_path}/o.avi", f"images:{tmp_path}/drawn")
    request = DetectRequest("x", engine.detector, folders[0], sinks, more_sources=(folders[1],))
    answer = run_detect(request, PROFILE, quiet)
    assert streams_of(answer) == [("front", 7, 0, 7, ""), ("back", 3, 0, 3, "")]
    assert (answer.frames, answer.detections, answer.batch) == (10, 10, 2)
    assert max(shape[0] for shape in engine.shapes) == 2
    records = records_in(tmp_path / "o.jsonl")
    for name, count in (("front", 7), ("back", 3)):
        assert [f"{number}.png" for number in range(count)] == [
            record["name"] for record in records if record["stream"] == name
        ]
    assert {f"{tmp_path}/o-front.avi", f"{tmp_path}/o-back.avi"} < set(answer.written)
    assert len(list((tmp_path / "drawn").glob("front-*.png"))) == 7


def test_one_source_is_told_as_before(tmp_path, fake_engine):
    """Whatever reads the lines of one camera would meet a field it does not know."""
    out = tmp_path / "out.jsonl"
    request = DetectRequest("x", fake_engine.detector, str(save_pictures(tmp_path / "in", 1)), (f"jsonl:{out}",))
    assert run_detect(request, PROFILE, quiet).streams == ()
    assert list(records_in(out)[0]) == ["index", "name", "age_ms", "detections"]


def test_live_sources_run_in_partial_batches_through_a_real_engine(tmp_path, built):
    """Cameras never deliver at the same moment: a batch that waits for all of them makes every frame old."""
    engine_dir, detector = built
    sources = [f"scenes://?seed={seed}&width=128&height=96&fps={fps}&frames=20" for seed, fps in ((1, 40), (2, 20))]
    request = DetectRequest(
        str(engine_dir), detector, sources[0], (f"jsonl:{tmp_path}/o.jsonl",), more_sources=(sources[1],)
    )
    answer = run_detect(request, probe_device(), quiet)
    assert [each.frames + each.dropped for each in answer.streams] == [20, 20]
    assert [each.stream for each in answer.streams] == ["scenes", "scenes-2"]
    for name in ("scenes", "scenes-2"):
        indices = [record["index"] for record in records_in(tmp_path / "o.jsonl") if record["stream"] == name]
        assert indices == sorted(set(indices))


def test_a_live_stream_that_fails_is_named_and_the_others_go_on(monkeypatch, fake_engine, caplog):
    """Nobody would know that a camera is blind, or all would be blind for one."""
    good, bad = Greys(30, live=True, fps=20.0), Greys(None, live=True, fps=50.0, fail_at=3)
    group = StreamGroup([good, bad], ["good", "bad"])
    monkeypatch.setattr("edgekit.runtime.detect.open_sources", lambda uris: group)
    request = DetectRequest("x", fake_engine.detector, "a", more_sources=("b",))
    answer = run_detect(request, PROFILE, quiet)
    assert [(each.stream, each.frames + each.dropped, each.error) for each in answer.streams] == [
        ("good", 30, ""),
        ("bad", 3, "the cable came loose"),
    ]
    assert answer.skipped == ("bad ended early: the cable came loose",)
    assert "bad ended early: the cable came loose" in caplog.text


def test_a_file_that_fails_among_others_ends_the_run(monkeypatch, fake_engine):
    """Half a video's results would pass for all of them."""
    group = StreamGroup([Greys(None), Greys(50, fail_at=5)], ["good", "bad"])
    monkeypatch.setattr("edgekit.runtime.detect.open_sources", lambda uris: group)
    with pytest.raises(SourceError, match="cable"):
        run_detect(DetectRequest("x", fake_engine.detector, "a", more_sources=("b",)), PROFILE, quiet)


@pytest.mark.parametrize(
    ("streams", "largest", "asked", "batch"), [(1, 8, 0, 1), (3, 8, 0, 3), (3, 2, 0, 2), (2, 8, 4, 4)]
)
def test_the_batch_is_that_of_the_sources_as_far_as_the_engine_takes_it(
    tmp_path, monkeypatch, streams, largest, asked, batch
):
    """An engine for two would refuse three cameras, or one for eight would serve them one by one."""
    engine = FakeEngine(detector_spec(max_batch=largest))
    monkeypatch.setattr("edgekit.runtime.detect.load_engine", lambda *_, **__: engine)
    first, *rest = [str(save_pictures(tmp_path / str(number), 4)) for number in range(streams)]
    request = DetectRequest("x", engine.detector, first, more_sources=tuple(rest), batch=asked)
    assert batch == run_detect(request, PROFILE, quiet).batch


def test_objects_are_followed_and_what_they_do_is_counted(tmp_path, fake_engine):
    """The answer would promise events that no file holds."""
    whole = Zone("picture", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    pictures, out = save_pictures(tmp_path / "in", 6), tmp_path / "out.jsonl"
    told = tmp_path / "events.jsonl"
    request = DetectRequest(
        "x", fake_engine.detector, str(pictures), (f"jsonl:{out}", f"events:{told}"), events=EventSettings((whole,))
    )
    answer = run_detect(request, PROFILE, quiet)
    assert answer.objects == 1 and answer.events == (PlaceEvents("enter", "picture", "", 1),)
    assert [record["kind"] for record in records_in(told)] == ["enter"]
    assert [record["detections"][0]["track_id"] for record in records_in(out)] == [0, 1, 1, 1, 1, 1]


def test_without_zones_nothing_is_followed(tmp_path, fake_engine):
    """Who asks for boxes alone should not pay for more, nor find numbers that mean nothing."""
    out = tmp_path / "out.jsonl"
    request = DetectRequest("x", fake_engine.detector, str(save_pictures(tmp_path / "in", 2)), (f"jsonl:{out}",))
    assert run_detect(request, PROFILE, quiet).objects is None
    assert all("track_id" not in item for record in records_in(out) for item in record["detections"])


def test_cameras_keep_the_names_that_they_were_given(tmp_path, fake_engine):
    """Zones that are of the camera "north" would be of nobody."""
    out, folders = tmp_path / "out.jsonl", [save_pictures(tmp_path / name, 2) for name in ("a", "b")]
    request = DetectRequest(
        "x", fake_engine.detector, str(folders[0]), (f"jsonl:{out}",), more_sources=(str(folders[1]),), names=("n", "s")
    )
    answer = run_detect(request, PROFILE, quiet)
    assert [stream.stream for stream in answer.streams] == ["n", "s"]
    assert {record["stream"] for record in records_in(out)} == {"n", "s"}


def spoil(engine, monkeypatch, calls):
    """NaN in the answers of these calls."""
    answer = engine.infer

    def infer(tensors):
        number = len(engine.shapes)
        outputs = answer(tensors)
        return {name: np.where(number in calls, np.nan, output) for name, output in outputs.items()}

    monkeypatch.setattr(engine, "infer", infer)


def test_a_frame_without_numbers_is_left_out_and_said(tmp_path, fake_engine, monkeypatch):
    """NaN finds nothing, and looks in the file like an empty street."""
    spoil(fake_engine, monkeypatch, {0})
    out = tmp_path / "out.jsonl"
    request = DetectRequest("x", fake_engine.detector, str(save_pictures(tmp_path / "in", 5)), (f"jsonl:{out}",))
    answer = run_detect(request, PROFILE, quiet)
    assert (answer.frames, answer.bad_frames, len(records_in(out))) == (4, 1, 4)
    assert answer.skipped == ("1 frames left out: the engine's answer was NaN or infinite",)


def test_an_engine_that_gives_no_numbers_at_all_is_an_error(tmp_path, fake_engine, monkeypatch):
    """A run of nothing but NaN would end well with nothing found."""
    spoil(fake_engine, monkeypatch, set(range(100)))
    out = tmp_path / "out.jsonl"
    request = DetectRequest("x", fake_engine.detector, str(save_pictures(tmp_path / "in", 5)), (f"jsonl:{out}",))
    with pytest.raises(EngineError, match="NaN or infinite"):
        run_detect(request, PROFILE, quiet)
    assert not out.exists()
