"""FP16 in the model itself: numbers must survive it, and pixels must not lose their places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Set

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import BuildError, CalibrationError
from edgekit.runtime.ort.fold import fold
from edgekit.runtime.ort.graph import name_nodes, read_model
from edgekit.runtime.ort.half import HALF_OPSET, box_arithmetic, overflowing, to_half
from tests.onnx_models import SIDE, edit, save_plain, save_yolov8

ONE = {"images": np.random.default_rng(5).random((1, 3, SIDE, SIDE), dtype=np.float32)}


def folded(path: Path) -> onnx.ModelProto:
    model = read_model(path)
    name_nodes(model)
    out = path.with_name("folded.onnx")
    fold(model, out, HALF_OPSET)
    return onnx.load(str(out))


def run(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, ONE)[0]


def types_into(model: onnx.ModelProto, names: Set[str]) -> Set[int]:
    """Element types of all tensors that the named nodes read and that shape inference knows."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.input]}
    known.update({tensor.name: tensor.data_type for tensor in graph.initializer})
    return {known[name] for node in graph.node if node.name in names for name in node.input if name in known}


def test_half_model_answers_like_the_float_one_and_takes_the_same_input(tmp_path) -> None:
    """The device feeds FP32 and reads FP32; in between a wrong cast shows as a wrong number."""
    model = folded(save_yolov8(tmp_path / "model.onnx"))
    half = to_half(model, set())
    onnx.checker.check_model(half, full_check=True)
    assert half.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert half.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    expected, found = run(model), run(half)
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() < 5e-3
    assert np.abs(found[:, :4] - expected[:, :4]).max() < 0.1
    assert not np.array_equal(found, expected)


def test_all_weights_outside_the_kept_nodes_are_half(tmp_path) -> None:
    """TensorRT 11 runs what is left in FP32 in FP32, at half the speed and without a word."""
    model = folded(save_yolov8(tmp_path / "model.onnx"))
    half = to_half(model, box_arithmetic(model.graph))
    convolutions = {node.name for node in half.graph.node if node.op_type == "Conv"} - box_arithmetic(model.graph)
    assert len(convolutions) == 11
    assert types_into(half, convolutions) == {TensorProto.FLOAT16}


def test_box_arithmetic_stays_whole_in_fp32(tmp_path) -> None:
    """Above 512 FP16 knows only every half pixel; one cast back and forth is enough to lose the rest."""
    model = folded(save_yolov8(tmp_path / "model.onnx"))
    kept = box_arithmetic(model.graph)
    half = to_half(model, kept)
    assert types_into(half, kept) <= {TensorProto.FLOAT, TensorProto.INT64}
    # One cast at the input, one behind each of the six last convolutions, none between two kept nodes.
    assert Counter(node.op_type for node in half.graph.node)["Cast"] == 7


def test_layers_with_numbers_beyond_fp16_are_named(tmp_path) -> None:
    """65504 is the end; an infinity there becomes NaN in the next layer and the detector goes blind."""

    def blow_up(model):
        weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w2")
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1e6), "w2"))

    model = folded(edit(save_plain(tmp_path / "model.onnx", shape=(1, 3, SIDE, SIDE)), blow_up))
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    named = overflowing(tmp_path / "folded.onnx", [ONE], tmp_path)
    assert convolutions[0] not in named
    assert {convolutions[1], convolutions[2]} <= named
    assert np.isfinite(run(to_half(model, named))).all()
    assert not np.isfinite(run_unfused(to_half(model, set()))).all()


def run_unfused(model: onnx.ModelProto) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, ONE)[0]


def test_nan_is_refused_when_ranges_are_measured(tmp_path) -> None:
    """A range of NaN would pass every comparison and become a scale."""

    def poison(model):
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
        bias.CopyFrom(numpy_helper.from_array(np.full(8, np.nan, np.float32), "w1"))

    folded(edit(save_plain(tmp_path / "model.onnx", shape=(1, 3, SIDE, SIDE)), poison))
    with pytest.raises(CalibrationError, match="NaN"):
        overflowing(tmp_path / "folded.onnx", [ONE], tmp_path)


def test_output_that_is_read_inside_as_well_stays_whole(tmp_path) -> None:
    """Renaming it for the cast at the end must not leave its other readers without it."""

    def second_output(model):
        relu = next(node for node in model.graph.node if node.op_type == "Relu")
        model.graph.output.append(helper.make_tensor_value_info(relu.output[0], TensorProto.FLOAT, [1, 8, None, None]))

    model = folded(edit(save_plain(tmp_path / "model.onnx", shape=(1, 3, SIDE, SIDE)), second_output))
    np.testing.assert_allclose(run(to_half(model, set())), run(model), atol=0.02)


def test_models_with_branches_are_refused(tmp_path) -> None:
    """Types inside a branch would not be changed with those around it."""

    def branch(model):
        last = model.graph.node[-1]
        value = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        one = helper.make_graph([helper.make_node("Identity", [last.input[0]], ["b"], name="b")], "g", [], [value])
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        model.graph.node.append(
            helper.make_node("If", ["yes"], [last.output[0]], name="if", then_branch=one, else_branch=one)
        )
        model.graph.node.remove(last)

    model = read_model(edit(save_plain(tmp_path / "model.onnx"), branch))
    with pytest.raises(BuildError) as error:
        to_half(model, set())
    assert "If" in error.value.why
