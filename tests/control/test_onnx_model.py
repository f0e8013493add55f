"""An ONNX file is understood, or refused with the reason and before anything outside it is touched."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.control import onnx_model
from edgekit.control.onnx_model import inspect_onnx
from edgekit.core.tensors import TensorSpec
from edgekit.errors import ModelError, NotFoundError
from edgekit.files import sha256_file
from tests.onnx_models import edit, save_plain, save_yolov8


@pytest.fixture
def model(tmp_path):
    return save_yolov8(tmp_path / "model.onnx")


def test_the_facts_are_those_of_the_file(model):
    """Layout, engine sizes and digests are all taken from these."""
    facts = inspect_onnx(model)
    assert facts.inputs == (TensorSpec("images", (1, 3, 64, 64), "float32"),)
    assert facts.outputs == (TensorSpec("output0", (1, 6, 84), "float32"),)
    assert (facts.opset, facts.has_qdq, facts.warnings, facts.domains) == (13, False, (), ())
    assert (facts.sha256, facts.file_bytes) == (sha256_file(model), model.stat().st_size)
    weights = [tensor for tensor in onnx.load(str(model)).graph.initializer if tensor.data_type == TensorProto.FLOAT]
    assert facts.parameters == sum(numpy_helper.to_array(tensor).size for tensor in weights)


def test_dynamic_sizes_are_none(tmp_path):
    facts = inspect_onnx(save_plain(tmp_path / "model.onnx"))
    assert facts.inputs[0].shape == (None, 3, None, None)


def test_weights_that_are_listed_as_inputs_are_not_inputs(model):
    """Exporters of IR 3 list every weight among the inputs."""

    def list_weights(proto):
        tensor = proto.graph.initializer[0]
        proto.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))

    assert [spec.name for spec in inspect_onnx(edit(model, list_weights)).inputs] == ["images"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 whatever", "PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!DOCTYPE html>", "web page"),
        (b"ftrt\x00\x00", "TensorRT engine"),
        (b"hello, world", "cannot be read as an ONNX"),
        (bytes(range(256)) * 50, "cannot be read as an ONNX"),
    ],
    ids=["empty", "pytorch", "lfs", "html", "plan", "text", "bytes"],
)
def test_what_is_no_onnx_is_named(tmp_path, content, said):
    """These are the files people really hand over."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        inspect_onnx(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(model, share):
    """A broken copy must not become an engine."""
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError):
        inspect_onnx(model)


def test_missing_folders_and_giants_are_refused(tmp_path, model, monkeypatch):
    with pytest.raises(NotFoundError):
        inspect_onnx(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="not a file"):
        inspect_onnx(tmp_path)
    monkeypatch.setattr(onnx_model, "MAX_MODEL_BYTES", 1024)
    with pytest.raises(ModelError, match="at most 0 MiB"):
        inspect_onnx(model)


def test_weights_outside_the_file_are_never_opened(tmp_path, model):
    """A model from the internet could name /etc/passwd; reading a FIFO would hang this test."""
    fifo = tmp_path / "weights.bin"
    os.mkfifo(fifo)

    def move_out(proto):
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../" + tmp_path.name + "/weights.bin")

    with pytest.raises(ModelError, match="weights in other files") as caught:
        inspect_onnx(edit(model, move_out))
    assert "weights.bin" in caught.value.what


def test_weights_outside_hidden_in_a_branch_are_found(tmp_path):
    """`If` bodies and Constant attributes hold tensors too."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "branch", [], [out])
    node = helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.BOOL, [1])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])],
    )
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match="weights in other files"):
        inspect_onnx(tmp_path / "m.onnx")


def test_foreign_operators_need_permission(model):
    """An engine that cannot be built is better refused here, in words."""

    def make_foreign(proto):
        proto.graph.node[-1].domain = "acme.plugins"
        proto.opset_import.append(helper.make_opsetid("acme.plugins", 1))

    edit(model, make_foreign)
    with pytest.raises(ModelError, match=r"acme\.plugins") as caught:
        inspect_onnx(model)
    assert "allow_domains: [acme.plugins]" in caught.value.hint
    assert inspect_onnx(model, allow_domains=("acme.plugins",)).domains == ("acme.plugins",)


def test_a_graph_the_checker_refuses_is_refused(model):
    """Such a file parses, and fails hours later on the device."""

    def break_it(proto):
        proto.graph.node[3].input[0] = "nobody-makes-this"

    with pytest.raises(ModelError, match="not a valid ONNX model"):
        inspect_onnx(edit(model, break_it))


def test_an_old_opset_is_a_warning(model):
    def age(proto):
        proto.opset_import[0].version = 11

    assert "opset 11" in " ".join(inspect_onnx(edit(save_plain(model), age)).warnings)


def test_a_second_look_reads_the_cache_and_a_damaged_cache_is_ignored(tmp_path, model, monkeypatch):
    """Commands with nothing to do stay fast; a cache is never a reason to fail."""
    cache = tmp_path / "cache"
    facts = inspect_onnx(model, cache_dir=cache)
    monkeypatch.setattr(onnx_model, "_inspect", lambda *_: pytest.fail("inspected again"))
    assert inspect_onnx(model, cache_dir=cache) == facts
    monkeypatch.undo()
    (entry,) = (cache / "models").iterdir()
    entry.write_text('{"sha256": 3}')
    assert inspect_onnx(model, cache_dir=cache) == facts


def test_the_cache_is_by_content_not_by_name(tmp_path, model):
    """A new model under the old name must not be taken for the old one."""
    before = inspect_onnx(model, cache_dir=tmp_path / "cache")
    save_yolov8(model, batch=2)
    assert inspect_onnx(model, cache_dir=tmp_path / "cache").inputs[0].shape[0] == 2 != before.inputs[0].shape[0]
