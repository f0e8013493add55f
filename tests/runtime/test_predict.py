"""Accuracy and golden runs over a folder of real pictures through a real engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.engine import BuildRequest
from edgekit.core.requests import GoldenRequest, PredictRequest
from edgekit.core.tensors import ShapeProfile
from edgekit.errors import SourceError
from edgekit.files import sha256_file
from edgekit.runtime.engines import build_engine
from edgekit.runtime.predict import run_golden, run_predict
from edgekit.runtime.preprocess import Preprocess
from edgekit.runtime.probe import probe_device
from tests.onnx_models import LABELS, SIDE, save_yolov8


@dataclasses.dataclass
class Setup:
    detector: DetectorSpec
    engine_dir: str
    images_dir: Path
    out: Path
    model: Path


@pytest.fixture(params=[1, 2], ids=["batch 1", "batch 2"])
def setup(request, tmp_path) -> Setup:
    batch = request.param
    model = save_yolov8(tmp_path / "model.onnx", batch=batch)
    profile = ShapeProfile.fixed(batch, SIDE, SIDE)
    detector = DetectorSpec("tiny", sha256_file(model), InputSpec("images"), profile, "yolov8", LABELS)
    asked = BuildRequest(detector, "fp32", probe_device().engine_key, str(model), str(tmp_path / "engines"))
    build_engine(asked, probe_device(), silent)
    images_dir = tmp_path / "pictures"
    images_dir.mkdir()
    random = np.random.default_rng(5)
    for name, size in (("b.png", (40, 80)), ("a.png", (60, 60)), ("c.png", (90, 30))):
        cv2.imwrite(str(images_dir / name), random.integers(0, 256, (*size, 3), dtype=np.uint8))
    return Setup(detector, str(tmp_path / "engines" / asked.engine_id), images_dir, tmp_path / "out" / "answer", model)


def silent(what: str, done: int, total: int) -> None:
    pass


def predict(setup: Setup, **more):
    request = PredictRequest(setup.engine_dir, setup.detector, str(setup.images_dir), str(setup.out), **more)
    return run_predict(request, probe_device(), silent)


def test_predictions_are_one_line_a_picture_sorted_by_name(setup: Setup) -> None:
    """The host matches them with labels by name and size."""
    answer = predict(setup, confidence=0.3)
    lines = [json.loads(line) for line in setup.out.read_text().splitlines()]
    assert [(line["image"], line["width"], line["height"]) for line in lines] == [
        ("a.png", 60, 60),
        ("b.png", 80, 40),
        ("c.png", 30, 90),
    ]
    found = [Detections.from_records(line["detections"]) for line in lines]
    assert (3, sum(map(len, found)), 3) == (answer.images, answer.detections, answer.inference.samples)
    assert answer.detections > 0
    for line, detections in zip(lines, found):
        assert (detections.boxes_xyxy[:, 2] <= line["width"]).all()
        assert (detections.scores >= 0.3).all()


def test_unreadable_picture_stops_the_measurement_and_leaves_no_file(setup: Setup) -> None:
    """An accuracy over fewer pictures would be compared with one over all."""
    (setup.images_dir / "b.png").write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"b\.png"):
        predict(setup)
    assert list(setup.out.parent.iterdir()) == []


def test_golden_outputs_equal_the_models(setup: Setup) -> None:
    """These are what an engine is verified against."""
    answer = run_golden(
        GoldenRequest(setup.engine_dir, setup.detector, str(setup.images_dir), str(setup.out)), probe_device(), silent
    )
    assert (answer.images, answer.outputs) == (3, ("output0",))
    session = onnxruntime.InferenceSession(str(setup.model), providers=["CPUExecutionProvider"])
    preprocess = Preprocess(setup.detector.input, SIDE, SIDE)
    with np.load(str(setup.out), allow_pickle=False) as golden:
        assert sorted(golden.files) == ["0/output0", "1/output0", "2/output0"]
        for index, name in enumerate(("a.png", "b.png", "c.png")):
            preprocess(cv2.imread(str(setup.images_dir / name)))
            batch = np.repeat(preprocess.tensor, setup.detector.profile.minimum.batch, 0)
            expected = session.run(None, {"images": batch})[0]
            np.testing.assert_allclose(golden[f"{index}/output0"], expected, rtol=1e-4, atol=1e-4)


def test_golden_with_an_unreadable_picture_leaves_no_file(setup: Setup) -> None:
    """Half a golden file would verify half an engine."""
    (setup.images_dir / "c.png").write_bytes(b"damaged")
    request = GoldenRequest(setup.engine_dir, setup.detector, str(setup.images_dir), str(setup.out))
    with pytest.raises(SourceError, match=r"c\.png"):
        run_golden(request, probe_device(), silent)
    assert list(setup.out.parent.iterdir()) == []
