"""The yardstick of engines: the model itself, fed by code that shares nothing with the device's."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgekit.control.detectors import load_detector
from edgekit.control.project import Project
from edgekit.control.reference import golden_distance_to, reference_outputs
from edgekit.core.engine import BuildRequest
from edgekit.core.requests import GoldenRequest
from edgekit.errors import VerifyError
from edgekit.runtime.engines import build_engine
from edgekit.runtime.predict import run_golden
from edgekit.runtime.probe import probe_device
from tests.onnx_models import save_yolov8


@pytest.fixture
def detector(tmp_path):
    folder = tmp_path / "detectors" / "tiny"
    folder.mkdir(parents=True)
    save_yolov8(folder / "model.onnx")
    (folder / "detector.yaml").write_text("labels: [car, person]\n")
    return load_detector(Project(tmp_path), "tiny")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for index, (height, width) in enumerate([(48, 100), (100, 48), (64, 64)]):
        cv2.imwrite(str(folder / f"{index}.png"), rng.integers(0, 255, (height, width, 3), np.uint8))
    return folder


def quiet(what, done, total):
    pass


@pytest.mark.parametrize("geometry", ["letterbox", "top-left", "stretch"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_device_and_reference_agree_though_they_share_no_code(detector, pictures, tmp_path, geometry, colour):
    """A shifted letterbox or swapped channels on the device would show as distance, and only here."""
    spec = replace(detector.spec, input=replace(detector.spec.input, geometry=geometry, colour=colour))
    profile, out = probe_device(), tmp_path / "golden.npz"
    request = BuildRequest(spec, "fp32", profile.engine_key, str(detector.model_path), str(tmp_path / "engines"))
    engine = build_engine(request, profile, quiet)
    folder = str(tmp_path / "engines" / engine.engine_id)
    run_golden(GoldenRequest(folder, spec, str(pictures), str(out)), profile, quiet)
    expected = reference_outputs(detector.model_path, spec, sorted(pictures.iterdir()))
    assert golden_distance_to(spec, expected, out) < 1e-6
    other = replace(spec, input=replace(spec.input, colour="bgr" if colour == "rgb" else "rgb"))
    swapped = reference_outputs(detector.model_path, other, sorted(pictures.iterdir()))
    assert golden_distance_to(spec, swapped, out) > 1e-6


def test_rows_of_finished_detections_may_change_places(detector, tmp_path):
    """YOLOv10, YOLO26, RT-DETR: the best 300 sorted by score; two equal scores swap for a rounding error."""
    spec = replace(detector.spec, layout="yolo-end2end")
    rows = np.array([[[1, 1, 20, 20, 0.9, 0], [30, 30, 60, 60, 0.9, 1], [0, 0, 0, 0, 0, 0]]], np.float32)
    np.savez(tmp_path / "golden.npz", **{"0/output0": rows[:, [1, 0, 2]]})
    assert golden_distance_to(spec, [{"output0": rows}], tmp_path / "golden.npz") == 0.0
    rows[0, 1, 0] = np.nan
    np.savez(tmp_path / "golden.npz", **{"0/output0": rows})
    assert golden_distance_to(spec, [{"output0": np.nan_to_num(rows)}], tmp_path / "golden.npz") == 1.0


def test_a_picture_that_cannot_be_read_is_named(detector, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(VerifyError, match=r"x\.png"):
        reference_outputs(detector.model_path, detector.spec, [tmp_path / "x.png"])
