"""What is exported is the file that the manifest names, and a folder is there whole or not at all."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from edgekit.control.build import order_engine
from edgekit.control.detectors import load_detector
from edgekit.control.export import Source, check_free, choose_source, copy_model, make_ready, new_folder
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import silent
from edgekit.control.local_link import LocalLink
from edgekit.control.project import Project
from edgekit.core.engine import TensorRTOptions
from edgekit.errors import DeviceError, UsageError
from tests.made_up_engines import XAVIER, plan_bytes, tensorrt_manifest, write_engine
from tests.tiny_yolo import save_tiny_yolo

LOCAL = Device("local", "local", "tiny", "tiny", ())


class XavierLink(LocalLink):
    """This machine, where its board is asked for a Xavier NX: there is none here. XAVIER says what is made up."""

    def call(self, verb, request, answer, on_progress=silent):
        if verb == "probe":
            return XAVIER
        return super().call(verb, request, answer, on_progress)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "detectors" / "tiny"
    folder.mkdir(parents=True)
    save_tiny_yolo(folder / "model.onnx", batch=None)
    (folder / "detector.yaml").write_text("labels: [car, person]\nlayout: yolov8\n")
    return Project(tmp_path)


@pytest.fixture
def link(tmp_path):
    return XavierLink("xavier", tmp_path / "device")


def built(project, link):
    """The source of an FP16 engine that lies on the device; its plan is made up."""
    ground = Groundwork(project)
    order = order_engine(ground, link, load_detector(project, "tiny"), XAVIER, "fp16", None, TensorRTOptions())
    engine = dataclasses.replace(tensorrt_manifest("fp16"), engine_id=order.request.engine_id)
    write_engine(project.root / "device" / "engines" / engine.engine_id, engine)
    return Source(order.detector, order), engine


def test_the_engine_of_a_device_with_tensorrt_is_chosen(project, link):
    """The very engine that the device builds and verifies, not another of that precision."""
    _, engine = built(project, link)
    chosen = choose_source(Groundwork(project), LOCAL, link, silent, detector="tiny", precision="fp16")
    assert chosen.order.request.engine_id == engine.engine_id and chosen.is_there
    shutil.rmtree(project.root / "device")
    assert not chosen.is_there


def test_the_engine_comes_whole_or_not_at_all(project, link, tmp_path):
    """Half a plan in a repository keeps a server from starting."""
    source, engine = built(project, link)
    copy_model(source, engine, tmp_path / "out" / "model.plan", silent)
    assert (tmp_path / "out" / "model.plan").read_bytes() == plan_bytes()
    there = tmp_path / "device" / "engines" / engine.engine_id / "engine.plan"
    there.write_bytes(plan_bytes()[:-1])
    with pytest.raises(DeviceError, match="not the file"):
        copy_model(source, engine, tmp_path / "out" / "again.plan", silent)


def test_without_tensorrt_the_detectors_own_file_is_taken(project, tmp_path):
    """An engine of ONNX Runtime runs on one release and one processor; a server has others."""
    link = LocalLink("local", tmp_path / "device")
    source = choose_source(Groundwork(project), LOCAL, link, silent)
    assert source.order is None and "no TensorRT" in source.because
    assert make_ready(source, silent) is None
    copy_model(source, None, tmp_path / "model.onnx", silent)
    assert (tmp_path / "model.onnx").read_bytes() == source.detector.model_path.read_bytes()


def test_with_onnx_no_device_is_asked(project):
    """The board may be away; the file is here."""

    class Away:
        def __getattr__(self, name):
            raise AssertionError(f"{name} was asked of the device")

    assert choose_source(Groundwork(project), LOCAL, Away(), silent, onnx=True).order is None


def test_a_model_that_changed_meanwhile_is_not_exported(project, link, tmp_path):
    source = Source(load_detector(project, "tiny"))
    source.detector.model_path.write_bytes(b"another")
    with pytest.raises(DeviceError):
        copy_model(source, None, tmp_path / "model.onnx", silent)


def test_a_folder_appears_whole_under_its_name(tmp_path):
    """A server that polls its repository must not meet half a model."""
    with new_folder(tmp_path / "models" / "tiny", "mark", force=False) as part:
        (part / "mark").write_text("1")
        assert not (tmp_path / "models" / "tiny").exists()
    assert (tmp_path / "models" / "tiny" / "mark").read_text() == "1"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]


def test_a_failure_leaves_nothing_and_keeps_the_old(tmp_path):
    """The export of yesterday serves on."""
    with new_folder(tmp_path / "tiny", "mark", force=False) as part:
        (part / "mark").write_text("old")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "tiny", "mark", force=True) as part:
        (part / "mark").write_text("new")
        raise RuntimeError
    assert (tmp_path / "tiny" / "mark").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_force_replaces_all_of_an_earlier_export(tmp_path):
    for text in ("old", "new"):
        with new_folder(tmp_path / "tiny", "mark", force=text == "new") as part:
            (part / "mark").write_text(text)
            (part / text).touch()
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == ["mark", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_an_earlier_export_stays_without_force(tmp_path):
    (tmp_path / "tiny").mkdir()
    check_free(tmp_path / "tiny", "mark", force=False)  # empty: nothing is lost
    (tmp_path / "tiny" / "mark").touch()
    with pytest.raises(UsageError) as refusal:
        check_free(tmp_path / "tiny", "mark", force=False)
    assert "--force" in refusal.value.hint


def test_even_force_deletes_no_folder_that_is_not_ours(tmp_path):
    """`--out ~` with a detector named as a folder of photographs."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "photo.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "tiny")
    (tmp_path / "file").touch()
    for name in ("tiny", "link", "file"):
        with pytest.raises(UsageError, match="no earlier export"):
            check_free(tmp_path / name, "mark", force=True)
