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
from edgekit.core.requests import DetectRequest
from edgekit.core.wire import to_wire
from edgekit.errors import SourceError
from edgekit.files import sha256_file
from edgekit.runtime.detect import run_detect
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device
from tests.fakes import FakeEngine, detector_spec
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
