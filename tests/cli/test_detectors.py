"""`edgekit detectors` shows what can be built, and why the rest cannot."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.verbs.detectors import render_input, render_profile
from edgekit.core.detector import InputSpec
from edgekit.core.tensors import InputSize, ShapeProfile
from tests.onnx_models import save_yolov8


@pytest.fixture
def invoke(tmp_path):
    (tmp_path / "devices.yaml").touch()
    for name, text in (
        ("tiny", "labels: [car, person]"),
        ("absent", "export: make the model"),
        ("wrong", "layout: v99"),
    ):
        folder = tmp_path / "detectors" / name
        folder.mkdir(parents=True)
        (folder / "detector.yaml").write_text(text)
        if name != "absent":
            save_yolov8(folder / "model.onnx")
    return lambda *arguments: CliRunner().invoke(app, ["detectors", "--project", str(tmp_path), *arguments])


def test_the_list_shows_each_state_and_what_to_do(invoke):
    result = invoke()
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.split()}
    assert lines["tiny"].split() == ["tiny", "ready", "yolov8", "1x3x64x64", "2"]
    assert "model missing" in lines["absent"]
    assert "broken" in lines["wrong"]
    assert "  try: make the model" in result.stdout
    assert "v99" in result.stdout


def test_the_list_as_json(invoke):
    listed = {entry["name"]: entry for entry in json.loads(invoke("--json").stdout)["detectors"]}
    assert listed["tiny"]["layout"] == "yolov8"
    assert listed["tiny"]["error"] is None
    assert listed["absent"]["error"]["hint"] == "make the model"
    assert listed["wrong"]["error"]["kind"] == "LayoutError"


def test_one_detector_in_full(invoke):
    result = invoke("tiny")
    for part in ("images (1, 3, 64, 64) float32", "output0 (1, 6, 84) float32", "opset 13", "car, person", "letterbox"):
        assert part in result.stdout
    assert json.loads(invoke("tiny", "--json").stdout)["spec"]["labels"] == ["car", "person"]


@pytest.mark.parametrize(("name", "code"), [("absent", 2), ("nothing", 2), ("wrong", 3)])
def test_one_that_cannot_be_shown_exits_with_its_reason(invoke, name, code):
    assert invoke(name).exit_code == code


def test_sizes_and_preprocessing_in_words():
    sizes = [InputSize(1, 64, 64), InputSize(2, 64, 96), InputSize(4, 128, 128)]
    assert render_profile(ShapeProfile(*sizes)) == "1x3x64x64 to 4x3x128x128, tuned for 2x3x64x96"
    imagenet = InputSpec("x", "stretch", mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    assert render_input(imagenet) == ("stretch, RGB, pixels x 1/255, minus [0.5, 0.5, 0.5], divided by [0.2, 0.2, 0.2]")
    assert render_input(InputSpec("x", "top-left", "bgr", 1.0)) == "top-left, BGR, pixels x 1, border 114"
