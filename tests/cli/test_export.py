"""`edgekit export`, as a person types it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.control.build import order_engine
from edgekit.control.detectors import load_detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.link import silent
from edgekit.control.local_link import LocalLink
from edgekit.control.project import open_project
from edgekit.core.engine import TensorRTOptions
from tests.made_up_engines import XAVIER, plan_bytes, tensorrt_manifest, write_engine
from tests.tiny_yolo import save_tiny_yolo

DEVICES = """devices:
  local: {kind: local, detector: tiny}
  xavier-nx: {kind: jetson, address: 192.0.2.1, source: /data/a.mp4, detector: tiny}
"""


class XavierLink(LocalLink):
    """This machine in the place of a Xavier NX with one built engine: there is no such board here."""

    def __init__(self, device, root, engine):
        super().__init__(device, root)
        self.engine = engine

    def call(self, verb, request, answer, on_progress=silent):
        made_up = {"probe": XAVIER, "build": self.engine}
        return made_up[verb] if verb in made_up else super().call(verb, request, answer, on_progress)


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "detectors" / "tiny"
    folder.mkdir(parents=True)
    save_tiny_yolo(folder / "model.onnx", batch=None)
    (folder / "detector.yaml").write_text("labels: [car, person]\nlayout: yolov8\n")
    (tmp_path / "devices.yaml").write_text(DEVICES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def xavier(project, monkeypatch):
    """A device with an FP16 engine of the detector; where its folder is."""
    root, here = project / "device", open_project(project)
    link = XavierLink("xavier-nx", root, None)
    order = order_engine(Groundwork(here), link, load_detector(here, "tiny"), XAVIER, "fp16", None, TensorRTOptions())
    engine = dataclasses.replace(tensorrt_manifest("fp16"), engine_id=order.request.engine_id, detector="tiny")
    write_engine(root / "engines" / engine.engine_id, engine)
    link.engine = engine
    monkeypatch.setattr("edgekit.control.connect.link_to", lambda project, device: link)
    return root


def export(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], env={"COLUMNS": "200", "NO_COLOR": "1"})


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_built_engine_becomes_a_model_repository(xavier, project):
    """Lost: the export itself."""
    done = export("triton", "--device", "xavier-nx", "--precision", "fp16", "--out", "models")
    assert done.exit_code == 0, done.output
    folder = project / "models" / "tiny"
    assert files_below(folder) == ["1/model.plan", "README.md", "config.pbtxt", "labels.txt"]
    assert (folder / "1" / "model.plan").read_bytes() == plan_bytes()
    assert 'platform: "tensorrt_plan"' in (folder / "config.pbtxt").read_text()
    assert "xavier-nx" in (folder / "README.md").read_text()
    assert (folder / "labels.txt").read_text() == "car\nperson\n"


def test_a_built_engine_becomes_a_deepstream_configuration(xavier, project):
    done = export("deepstream", "--device", "xavier-nx", "--precision", "fp16", "--out", "ds", "--json")
    told = json.loads(done.stdout)
    assert told["files"] == ["README.md", "config_infer_primary.txt", "labels.txt", "model.plan"]
    assert told["files"] == files_below(project / "ds" / "tiny")
    assert (told["precision"], told["written"]) == ("fp16", True)
    assert "model-engine-file=model.plan" in (project / "ds" / "tiny" / "config_infer_primary.txt").read_text()


def test_without_tensorrt_the_onnx_file_goes_out_and_it_is_said(project):
    """No silent fallback: whoever asked for an engine must see that this is none."""
    done = export("triton", "--out", "models")
    assert done.exit_code == 0, done.output
    assert "local has no TensorRT" in done.output
    assert files_below(project / "models" / "tiny")[0] == "1/model.onnx"
    assert "no TensorRT" not in export("triton", "--onnx", "--out", "b").output


def test_several_models_share_a_repository(project):
    """Triton serves a folder of models; the second export must not touch the first."""
    other = project / "detectors" / "second"
    other.mkdir()
    save_tiny_yolo(other / "model.onnx", batch=None)
    (other / "detector.yaml").write_text("labels: [car, person]\nlayout: yolov8\n")
    assert export("triton", "--onnx", "--out", "models").exit_code == 0
    assert export("triton", "second", "--onnx", "--out", "models").exit_code == 0
    assert sorted(path.name for path in (project / "models").iterdir()) == ["second", "tiny"]


def test_what_is_there_is_replaced_only_with_force(project):
    """A repository that serves is not to change by a repeated command."""
    assert export("triton", "--onnx", "--out", "models").exit_code == 0
    config = project / "models" / "tiny" / "config.pbtxt"
    config.write_text("mine")
    refused = export("triton", "--onnx", "--out", "models")
    assert refused.exit_code == 2 and "--force" in refused.output
    assert config.read_text() == "mine"
    assert export("triton", "--onnx", "--out", "models", "--dry-run").exit_code == 2
    assert export("triton", "--onnx", "--out", "models", "--force").exit_code == 0
    assert config.read_text() != "mine"


@pytest.mark.parametrize("format_", ["triton", "deepstream"])
def test_a_dry_run_writes_nothing_and_names_the_same_files(project, format_):
    dry = json.loads(export(format_, "--onnx", "--out", "out", "--dry-run", "--json").stdout)
    assert not (project / "out").exists() and dry["written"] is False
    assert dry["files"] == json.loads(export(format_, "--onnx", "--out", "out", "--json").stdout)["files"]


def test_a_dry_run_does_not_build(xavier, project):
    """It would keep a board busy for minutes."""
    for path in (xavier / "engines").rglob("*.plan"):
        path.unlink()
    done = export("triton", "--device", "xavier-nx", "--precision", "fp16", "--out", "models", "--dry-run")
    assert done.exit_code == 0 and "would be built first" in done.output
    assert not (project / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("triton", "--counter", "3"), "--counter: not for triton"),
        (("deepstream", "--gpu", "0"), "--gpu: not for deepstream"),
        (("deepstream", "--instances", "2"), "--instances: not for deepstream"),
        (("archive", "tiny", "--precision", "fp16", "--onnx"), "DETECTOR, --precision, --onnx: not for archive"),
        (("triton", "--onnx", "--precision", "int8"), "exported as it is"),
        (("deepstream", "--onnx", "--precision", "int8"), "no INT8 engine"),
        (("triton", "nobody", "--onnx"), "no detector named"),
        (("archive",), "nothing is in service as tiny on local"),
        (("zip",), "zip"),
    ],
)
def test_what_makes_no_sense_is_refused(project, arguments, said):
    """Ignored, an option is believed."""
    done = export(*arguments, "--out", "out")
    assert done.exit_code == 2 and said in done.output, done.output
    assert not (project / "out").exists()


def test_a_place_that_cannot_be_written_is_named(project):
    (project / "file").touch()
    done = export("triton", "--onnx", "--out", "file")
    assert done.exit_code == 2 and "cannot be written" in done.output
