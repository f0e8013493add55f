"""keep_float: of detector.yaml: what may stand there, what it changes, and writing it without touching the rest."""

from __future__ import annotations

import onnx
import pytest
import yaml

from edgekit.control.detectors import load_detector
from edgekit.control.project import Project
from edgekit.control.sensitivity.keep_float import node_names, with_keep_float, write_keep_float
from edgekit.errors import ConfigError
from edgekit.runtime.ort.graph import name_nodes
from tests.onnx_models import edit, save_yolov8


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "devices.yaml").touch()
    made = tmp_path / "detectors" / "tiny"
    made.mkdir(parents=True)
    save_yolov8(made / "model.onnx")
    return made


def load(folder, text):
    (folder / "detector.yaml").write_text(text)
    return load_detector(Project(folder.parents[1]), "tiny")


def test_a_detector_keeps_the_nodes_it_names_sorted(folder):
    """Their order changes no engine, so it must change no id."""
    assert load(folder, "labels: [car, person]\nkeep_float: [mul5, conv3]\n").keep_float == ("conv3", "mul5")
    assert load(folder, "labels: [car, person]\n").keep_float == ()


def test_a_name_that_is_no_node_is_an_error_with_the_nearest(folder):
    """A typo would leave the layer in 8 bits, and nobody would know."""
    with pytest.raises(ConfigError) as caught:
        load(folder, "labels: [car, person]\nkeep_float: [conv33]\n")
    assert "'conv33' is no node of the model; did you mean 'conv3'?" in str(caught.value.problems)


def test_a_model_trained_for_int8_takes_no_keep_float(folder):
    """Its layers were settled in training: a list without effect would be a promise that nobody keeps."""

    def quantise(model):
        scale = onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, [], [0.1])
        zero = onnx.helper.make_tensor("z", onnx.TensorProto.INT8, [], [0])
        model.graph.initializer.extend([scale, zero])
        model.graph.node[0].input[0] = "dq"
        model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["dq"], "dq"))
        model.graph.node.insert(0, onnx.helper.make_node("QuantizeLinear", ["images", "s", "z"], ["q"], "q"))

    edit(folder / "model.onnx", quantise)
    with pytest.raises(ConfigError) as caught:
        load(folder, "labels: [car, person]\nkeep_float: [conv0]\n")
    assert "trained for INT8" in str(caught.value.problems)


def test_nodes_are_named_as_builders_name_them(tmp_path):
    """A node without a name, or with one that is taken, must be called alike on both sides."""

    def strip(model):
        for index, node in enumerate(model.graph.node):
            node.name = "" if index % 3 == 0 else "twice" if index % 3 == 1 else node.name

    path = edit(save_yolov8(tmp_path / "model.onnx"), strip)
    model = onnx.load(str(path))
    name_nodes(model)
    assert node_names(path) == tuple(node.name for node in model.graph.node)


TEXTS = {
    "absent": "# street\nlabels: [car]   # two\n",
    "no newline at the end": "labels: [car]",
    "block": "labels: [car]\nkeep_float:\n  - a   # why\n  - b\n# about the set\ncalibration: few\n",
    "block without indent": "labels: [car]\nkeep_float:\n- a\n- b\n\n# about the set\ncalibration: few\n",
    "in one line": "keep_float: [a, b]  # two\nlabels: [car]\n",
    "over lines": "keep_float: [a,\n  b]\nlabels: [car]\n",
    "empty": "keep_float: []\nlabels: [car]\n",
    "windows": "labels: [car]\r\nkeep_float: [a]\r\ncalibration: few\r\n",
    "in a text": "export: |\n  keep_float: [a]\nlabels: [car]\n",
    "empty file": "",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("names", [["/net/a/Conv", "true", "with: colon", "é #x"], []], ids=["some", "none"])
def test_only_the_key_changes(tmp_path, text, names):
    """People write comments into these files; a tool that loses them is used once."""
    path = tmp_path / "detector.yaml"
    path.write_bytes(text.encode())
    before = yaml.safe_load(text) or {}
    write_keep_float(path, names)
    after = path.read_bytes().decode()
    wanted = {key: value for key, value in before.items() if key != "keep_float"} | (
        {"keep_float": names} if names else {}
    )
    assert (yaml.safe_load(after) or {}) == wanted
    kept = [line for line in text.splitlines() if line.startswith(("#", "labels", "calib", "export"))]
    assert [line for line in kept if line not in after.splitlines()] == []
    assert ("\r\n" in after) == ("\r\n" in text)
    write_keep_float(path, names)
    assert path.read_bytes().decode() == after


def test_writing_and_taking_back_leaves_the_file_as_it_was(tmp_path):
    """A search that is tried and given up leaves no traces but its comment."""
    text = "# street\nlabels: [car]\nkeep_float:\n  - a\n\n# end\n"
    path = tmp_path / "detector.yaml"
    path.write_text(text)
    write_keep_float(path, ["b"])
    write_keep_float(path, ["a"])
    assert path.read_text() == text.replace("- a", '- "a"')


@pytest.mark.parametrize(
    "text", ["{labels: [car], keep_float: [a]}\n", "labels: [car]\n...\n", '"keep_float": [a]\nlabels: [car]\n']
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone(tmp_path, text):
    """It is said what to write by hand; half a change would be worse than none."""
    path = tmp_path / "detector.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        write_keep_float(path, ["/net/a"])
    assert "keep_float:\n  - /net/a" in caught.value.hint
    assert path.read_text() == text


def test_the_byte_order_mark_of_some_editors_stays(tmp_path):
    """It is no part of the first key."""
    assert with_keep_float("\ufefflabels: [car]\n", ["/a"]).startswith("\ufefflabels: [car]\n")
