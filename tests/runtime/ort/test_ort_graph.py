"""Model files are judged and taken apart by what they hold, not by the names in them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import BuildError, ModelError
from edgekit.runtime.ort.graph import count_layers, fix_sizes, head_nodes, name_nodes, read_model, unshare_biases
from tests.onnx_models import edit, save_plain, save_yolov8


def head_convolutions(model: onnx.ModelProto):
    kept = head_nodes(model.graph)
    return [node for node in model.graph.node if node.op_type == "Conv" and node.name in kept]


def test_head_of_a_yolov8_is_its_six_last_convolutions_and_the_dfl(tmp_path) -> None:
    """INT8 in these loses accuracy silently; float in more of them loses the speed INT8 is for."""
    model = read_model(save_yolov8(tmp_path / "model.onnx"))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 12
    assert len(head_convolutions(model)) == 7
    assert not {node.name for node in convolutions[:3]} & head_nodes(model.graph)


def test_head_is_found_without_names(tmp_path) -> None:
    """Exporters name nodes as they like, some not at all."""

    def blank(model):
        for node in model.graph.node:
            node.name = ""

    model = read_model(edit(save_yolov8(tmp_path / "model.onnx"), blank))
    name_nodes(model)
    assert len(head_convolutions(model)) == 7
    assert len(model.graph.node) == len({node.name for node in model.graph.node})


def test_sizes_taken_from_a_feature_map_do_not_make_it_head(tmp_path) -> None:
    """Dynamic exports ask the neck for its shape; that must not keep the neck in float."""

    def reshape_by_shape(model):
        nodes = model.graph.node
        relu = next(node for node in nodes if node.op_type == "Relu")
        last = nodes[-1]
        # All values pass through the last convolution; only the shape comes from the first Relu.
        nodes.remove(last)
        nodes.append(helper.make_node("Shape", [relu.output[0]], ["s"], name="shape"))
        nodes.append(helper.make_node("Expand", [last.input[0], "s2"], ["output0"], name="expand"))
        nodes.insert(len(nodes) - 1, helper.make_node("Mul", ["s", "zero_one"], ["s2"], name="mul"))
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 0, 1, 1], np.int64), "zero_one"))

    model = read_model(edit(save_plain(tmp_path / "model.onnx"), reshape_by_shape))
    assert len(head_convolutions(model)) == 1


def test_shared_biases_are_stored_for_each_layer(tmp_path) -> None:
    """A shared bias gets one INT8 scale, and every layer but one would add a wrong number."""

    def share(model):
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        convolutions[1].input[2] = convolutions[0].input[2]

    model = read_model(edit(save_plain(tmp_path / "model.onnx"), share))
    unshare_biases(model)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    first, second = [node.input[2] for node in model.graph.node if node.op_type == "Conv"][:2]
    assert first != second
    np.testing.assert_array_equal(stored[first], stored[second])


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x12\x00"], ids=["empty", "text", "no graph"])
def test_files_that_are_no_model_are_refused(tmp_path, content: bytes) -> None:
    """The error must say so instead of a message of the protobuf parser."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        read_model(path)


def test_weights_in_another_file_are_refused_and_never_opened(tmp_path) -> None:
    """A location such as ../../etc/passwd would be read into the model."""

    def move_out(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    with pytest.raises(ModelError, match="another file"):
        read_model(edit(save_plain(tmp_path / "model.onnx"), move_out))


def test_foreign_operators_are_refused_by_name(tmp_path) -> None:
    """They would need a plugin, which is code from elsewhere."""

    def plugin(model):
        model.graph.node[0].domain = "acme"

    with pytest.raises(ModelError, match="acme::Conv"):
        read_model(edit(save_plain(tmp_path / "model.onnx"), plugin))


def test_profile_fixes_dynamic_sizes(tmp_path) -> None:
    """Known sizes let constants fold; open ones must stay open."""
    model = read_model(save_plain(tmp_path / "model.onnx"))
    fix_sizes(model, "images", ShapeProfile(InputSize(1, 64, 64), InputSize(1, 64, 64), InputSize(4, 64, 64)))
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert tuple(dim.dim_value for dim in dims) == (0, 3, 64, 64)


def test_profile_against_fixed_sizes_is_refused(tmp_path) -> None:
    """Otherwise the build succeeds and the first batch of two fails in the field."""
    model = read_model(save_plain(tmp_path / "model.onnx", shape=(1, 3, 64, 64)))
    with pytest.raises(BuildError, match=r"batch 1 only.*1 to 4"):
        fix_sizes(model, "images", ShapeProfile(InputSize(1, 64, 64), InputSize(1, 64, 64), InputSize(4, 64, 64)))


def test_unknown_picture_input_is_refused_with_the_known_ones(tmp_path) -> None:
    """The name comes from detector.yaml, where it is easily mistyped."""
    with pytest.raises(ModelError, match=r"image.*\n.*images"):
        fix_sizes(read_model(save_plain(tmp_path / "model.onnx")), "image", ShapeProfile.fixed(1, 64, 64))


def test_layers_of_a_float_model_count_as_not_quantised(tmp_path) -> None:
    """The manifest's counts tell a user whether INT8 took place at all."""
    assert count_layers(read_model(save_plain(tmp_path / "model.onnx"))) == (3, 0)
