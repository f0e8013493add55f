"""Models made for TensorRT: pairs where its fusions want them, the head in float, and proof that they still answer."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path
from typing import Dict, List, Optional

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.requests import PrepareRequest
from edgekit.core.tensors import ShapeProfile
from edgekit.errors import BuildError, CalibrationError, ModelError, UsageError
from edgekit.files import sha256_file
from edgekit.runtime.ort import quantise
from edgekit.runtime.ort.graph import head_nodes, name_nodes, read_model
from edgekit.runtime.prepare import run_prepare
from tests.onnx_models import LABELS, SIDE, edit, save_head_only, save_yolov8


def write_pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for index in range(count):
        small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:02}.png"), cv2.resize(small, (96, 72)))
    return folder


def request_for(model: Path, precision: str = "int8", route: str = "explicit", **more) -> PrepareRequest:
    detector = DetectorSpec(
        "tiny", sha256_file(model), InputSpec("images"), ShapeProfile.fixed(1, SIDE, SIDE), "yolov8", LABELS
    )
    given = {"typed": False, "calibration_dir": str(write_pictures(model.parent / "set")), **more}
    return PrepareRequest(detector, str(model), str(model.parent / "out" / "q.onnx"), precision, route, **given)


def silent(what: str, done: int, total: int) -> None:
    pass


def prepared(request: PrepareRequest) -> onnx.ModelProto:
    run_prepare(request, silent)
    return onnx.load(request.out_path)


def run(model: onnx.ModelProto, seed: int = 3) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    small = np.random.default_rng(seed).random((8, 8, 3)).astype(np.float32)
    picture = cv2.resize(small, (SIDE, SIDE)).transpose(2, 0, 1)[None]
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"images": picture})[0]


def producers(model: onnx.ModelProto) -> Dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def scale_into(model: onnx.ModelProto, node: onnx.NodeProto, index: int = 0) -> Optional[float]:
    """The scale of the pair that a node reads, None where it reads float."""
    source = producers(model).get(node.input[index])
    if source is None or source.op_type != "DequantizeLinear":
        return None
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    return float(numpy_helper.to_array(stored[source.input[1]]).max())


def nodes_of(model: onnx.ModelProto, op: str) -> List[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == op]


def with_block(model) -> None:
    """Put YOLOv8's block into a saved model: SiLU -> Split -> bottleneck with a residual sum -> Concat -> Conv."""
    nodes, random = list(model.graph.node), np.random.default_rng(9)
    entry = next(node for node in nodes if node.op_type == "Mul")
    head = entry.output[0]
    later = nodes[nodes.index(entry) + 1 :]
    weights = {"bw": (4, 4, 3, 3), "cw": (8, 12, 1, 1)}
    for name, shape in weights.items():
        array = random.normal(0, 0.3, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    model.graph.initializer.append(numpy_helper.from_array(np.array([4, 4]), "halves"))
    block = [
        helper.make_node("Split", [head, "halves"], ["ba", "bb"], name="split", axis=1),
        helper.make_node("Conv", ["bb", "bw"], ["bc"], name="inner", pads=[1] * 4),
        helper.make_node("Sigmoid", ["bc"], ["bs"], name="inner_sigmoid"),
        helper.make_node("Mul", ["bc", "bs"], ["bm"], name="inner_mul"),
        helper.make_node("Add", ["bb", "bm"], ["badd"], name="residual"),
        helper.make_node("Concat", ["ba", "bb", "badd"], ["bcat"], name="join", axis=1),
        helper.make_node("Conv", ["bcat", "cw"], ["bout"], name="leave"),
    ]
    for node in later:
        for index, name in enumerate(node.input):
            if name == head:
                node.input[index] = "bout"
    at = nodes.index(entry) + 1
    del model.graph.node[:]
    model.graph.node.extend(nodes[:at] + block + later)


def test_pairs_are_symmetric_and_per_channel_with_float_biases(tmp_path) -> None:
    """TensorRT refuses zero points, and pairs on biases break the fusion with the layer."""
    model = prepared(request_for(save_yolov8(tmp_path / "model.onnx")))
    onnx.checker.check_model(model, full_check=True)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    made_by = producers(model)
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    for node in pairs:
        assert stored[node.input[2]].dtype == np.int8
        assert not stored[node.input[2]].any()
        assert (stored[node.input[1]] > 0).all()
    for layer in nodes_of(model, "Conv"):
        if scale_into(model, layer) is not None:
            weight_pair = made_by[layer.input[1]]
            weights = stored[made_by[weight_pair.input[0]].input[0]]
            assert stored[weight_pair.input[1]].shape == (weights.shape[0],)
            assert layer.input[2] in stored


def test_prepared_model_answers_like_the_float_one(tmp_path) -> None:
    """The scales are only worth something if the detections stay."""
    path = save_yolov8(tmp_path / "model.onnx")
    request = request_for(path)
    answer = run_prepare(request, silent)
    assert answer.prepared is not None
    assert answer.prepared.sha256 == sha256_file(request.out_path)
    assert (answer.prepared.layers_total, answer.prepared.layers_quantised) == (12, 5)
    assert answer.prepared.calibration_images == 3
    assert answer.prepared.quantiser == f"onnxruntime {onnxruntime.__version__} weighted percentile"
    expected, found = run(onnx.load(str(path))), run(onnx.load(request.out_path))
    assert np.abs(found[:, :4] - expected[:, :4]).max() < 0.03 * SIDE
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() < 0.03
    assert not np.array_equal(found, expected)
    assert sorted(path.name for path in Path(request.out_path).parent.iterdir()) == ["q.onnx"]


def test_no_pair_lies_in_the_head_or_inside_an_activation(tmp_path) -> None:
    """Boxes in pixels do not fit 8 bits; a pair between Conv and SiLU costs TensorRT its fusion."""
    model = prepared(request_for(save_yolov8(tmp_path / "model.onnx")))
    made_by = producers(model)
    readers = {node.op_type for node in model.graph.node for name in node.input if name in made_by}
    assert readers
    for node in model.graph.node:
        if any(made_by[name].op_type == "DequantizeLinear" for name in node.input if name in made_by):
            assert node.op_type == "Conv"
            assert node.name not in head_nodes(model.graph)


@pytest.mark.parametrize(
    ("placement", "into_sum"), [("weighted", [True, False]), ("sums", [True, True]), ("all", [True, True])]
)
def test_residual_sum_reads_its_shortcut_in_8_bits(tmp_path, placement: str, into_sum: List[bool]) -> None:
    """The shortcut is there in 8 bits already; the other side is fused into the layer before unless a pair cuts it."""
    path = edit(save_yolov8(tmp_path / "model.onnx"), with_block)
    model = prepared(request_for(path, quantiser=f"onnxruntime:{placement}"))
    residual = next(node for node in model.graph.node if node.name == "residual")
    assert [scale_into(model, residual, index) is not None for index in (0, 1)] == into_sum
    sigmoid = next(node for node in model.graph.node if node.name == "inner_sigmoid")
    assert (scale_into(model, sigmoid) is not None) == (placement == "all")


def test_tensors_that_meet_in_a_concat_share_one_scale(tmp_path) -> None:
    """TensorRT moves the Q behind a Concat to its inputs; two scales on one of them mean a conversion each frame."""
    model = prepared(request_for(edit(save_yolov8(tmp_path / "model.onnx"), with_block)))
    by_name = {node.name: node for node in model.graph.node}
    scales = {scale_into(model, by_name[name]) for name in ("inner", "leave", "residual")}
    assert len(scales) == 1
    assert None not in scales


def test_methods_give_different_scales_and_are_named(tmp_path, monkeypatch) -> None:
    """A method that is ignored would be compared with itself and found equal."""
    # So few values has this model that the usual share would be all of them.
    monkeypatch.setattr(quantise, "_SHARE", 0.99)
    path = save_yolov8(tmp_path / "model.onnx")
    found = {}
    for method in ("percentile", "minmax", "entropy"):
        request = request_for(path, quantiser=f"onnxruntime:weighted:{method}")
        answer = run_prepare(request, silent)
        assert answer.prepared is not None
        assert answer.prepared.quantiser.endswith(method)
        model = onnx.load(request.out_path)
        found[method] = [scale_into(model, node) for node in nodes_of(model, "Conv")]
    assert len({tuple(scales) for scales in found.values()}) == 3
    largest = [scale or 0.0 for scale in found["minmax"]]
    assert all((scale or 0.0) <= most for scale, most in zip(found["percentile"], largest))


def test_standard_output_carries_progress_and_nothing_else(tmp_path, capsys) -> None:
    """ONNX Runtime's histogram prints between the steps; either on the wrong stream breaks the protocol."""
    request = request_for(save_yolov8(tmp_path / "m.onnx"), quantiser="onnxruntime:weighted:entropy")
    steps = []

    def told(what: str, done: int, total: int) -> None:
        steps.append(f"{what} {done} {total}")
        print(steps[-1])

    run_prepare(request, told)
    assert capsys.readouterr().out.splitlines() == steps
    assert "calibrating 3 3" in steps


@pytest.mark.parametrize("text", ["tensorflow", "onnxruntime:best", "onnxruntime:all:guess", "modelopt:minmax", ""])
def test_unknown_quantisers_are_refused_with_the_known_ones(tmp_path, text: str) -> None:
    """A typing error must not end in the default."""
    with pytest.raises(UsageError, match="weighted"):
        run_prepare(request_for(save_yolov8(tmp_path / "model.onnx"), quantiser=text), silent)


def test_missing_modelopt_is_named_with_the_command_that_brings_it(tmp_path, monkeypatch) -> None:
    """It is an extra that few hosts have."""
    monkeypatch.setitem(sys.modules, "modelopt", None)
    monkeypatch.setitem(sys.modules, "modelopt.onnx.quantization", None)
    request = request_for(save_yolov8(tmp_path / "model.onnx"), quantiser="modelopt")
    with pytest.raises(BuildError, match="ModelOpt is not installed.*\n.*\n.*quantisation"):
        run_prepare(request, silent)
    assert not Path(request.out_path).exists()


def test_modelopt_gets_every_picture_and_the_head_by_exact_names(tmp_path, monkeypatch) -> None:
    """Its patterns are regular expressions: "cv2.1/Conv" would also exclude "cv2x1/Conv_7".

    The stand-in takes the arguments of modelopt.onnx.quantization.quantize, version 0.47.0, and copies the model.
    """
    seen = {}

    def quantize(onnx_path, calibration_data_reader, nodes_to_exclude, output_path, **more):
        reader = calibration_data_reader
        reader.get_first()
        seen["batches"] = len(list(iter(reader.get_next, None)))
        seen["excluded"], seen["more"] = nodes_to_exclude, more
        model = onnx.load(onnx_path)
        quantise_one(model, nodes_of(model, "Conv")[0])
        onnx.save(model, output_path)

    package = types.ModuleType("modelopt")
    package.__version__ = "0.47.0"
    module = types.ModuleType("modelopt.onnx.quantization")
    module.quantize = quantize
    monkeypatch.setitem(sys.modules, "modelopt", package)
    monkeypatch.setitem(sys.modules, "modelopt.onnx", types.ModuleType("modelopt.onnx"))
    monkeypatch.setitem(sys.modules, "modelopt.onnx.quantization", module)
    path = save_yolov8(tmp_path / "model.onnx")
    answer = run_prepare(request_for(path, quantiser="modelopt:entropy"), silent)
    assert answer.prepared is not None
    assert answer.prepared.quantiser == "modelopt 0.47.0 entropy"
    assert (seen["batches"], seen["more"]["calibration_method"]) == (3, "entropy")
    # ONNX Runtime folds the Identity at the end away.
    assert {pattern[:-1] for pattern in seen["excluded"]} == head_nodes(read_model(path).graph) - {"last"}
    assert all(pattern.endswith("$") for pattern in seen["excluded"])


def quantise_one(model: onnx.ModelProto, layer: onnx.NodeProto) -> None:
    for name, array in (("s", np.float32(0.01)), ("z", np.int8(0))):
        model.graph.initializer.append(numpy_helper.from_array(np.array(array), name))
    at = list(model.graph.node).index(layer)
    for index in (0, 1):
        source = layer.input[index]
        layer.input[index] = f"{source}_d"
        model.graph.node.insert(at, helper.make_node("QuantizeLinear", [source, "s", "z"], [f"{source}_q"]))
        model.graph.node.insert(
            at + 1, helper.make_node("DequantizeLinear", [f"{source}_q", "s", "z"], [f"{source}_d"])
        )


def test_nodes_named_in_keep_float_stay_in_float(tmp_path) -> None:
    """This is the way to save a layer that loses too much in 8 bits."""
    path = save_yolov8(tmp_path / "model.onnx")
    first = nodes_of(onnx.load(str(path)), "Conv")[0].name
    answer = run_prepare(request_for(path, keep_float=(first,)), silent)
    assert answer.prepared is not None
    assert answer.prepared.layers_quantised == 4
    with pytest.raises(BuildError, match="no-such-node"):
        run_prepare(request_for(path, keep_float=("no-such-node",)), silent)


def test_model_with_nothing_to_quantise_is_refused(tmp_path) -> None:
    """An INT8 engine without a layer in INT8 would be FP16 under another name."""
    with pytest.raises(BuildError, match="nothing in this model"):
        run_prepare(request_for(save_head_only(tmp_path / "model.onnx")), silent)


def test_no_pictures_are_refused_and_nothing_is_left(tmp_path) -> None:
    """Scales have to come from somewhere."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), calibration_dir=None)
    with pytest.raises(CalibrationError):
        run_prepare(request, silent)
    assert list(Path(request.out_path).parent.iterdir()) == []


def test_model_that_answers_nan_is_refused(tmp_path) -> None:
    """A damaged weight must be told of here, not by a detector that finds nothing."""

    def poison(model):
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
        bias.CopyFrom(numpy_helper.from_array(np.full(8, np.nan, np.float32), "w1"))

    request = request_for(edit(save_yolov8(tmp_path / "model.onnx"), poison))
    with pytest.raises(CalibrationError, match="NaN"):
        run_prepare(request, silent)


def test_another_file_than_the_detectors_is_refused(tmp_path) -> None:
    """The engine would carry the digest of a model that it does not come from."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"))
    Path(request.model_path).write_bytes(save_yolov8(tmp_path / "other.onnx", seed=1).read_bytes())
    with pytest.raises(ModelError, match="not the model of"):
        run_prepare(request, silent)


@pytest.mark.parametrize(
    ("precision", "route", "typed"),
    [("fp32", "plain", False), ("fp16", "plain", False), ("int8", "calibrator", False), ("fp32", "plain", True)],
)
def test_model_that_can_be_used_as_it_is_is_not_written(tmp_path, precision: str, route: str, typed: bool) -> None:
    """The device then takes the detector's own file, which it may have already."""
    path = save_yolov8(tmp_path / "model.onnx")
    request = request_for(path, precision, route, typed=typed)
    answer = run_prepare(request, silent)
    assert answer.prepared is None
    assert not Path(request.out_path).exists()
    assert set(answer.head_layers) == head_nodes(read_model(path).graph)


def test_head_of_a_model_without_names_is_told_by_a_named_copy(tmp_path) -> None:
    """TensorRT's layers are known by the nodes' names: without any, the calibrator would put the head into INT8."""

    def blank(model):
        for node in model.graph.node:
            node.name = ""

    path = edit(save_yolov8(tmp_path / "model.onnx"), blank)
    assert run_prepare(request_for(path, "fp16", "plain"), silent).prepared is None
    request = request_for(path, "int8", "calibrator")
    answer = run_prepare(request, silent)
    copy = onnx.load(request.out_path)
    assert answer.prepared is not None
    assert (answer.prepared.quantiser, answer.prepared.layers_quantised) == ("", 0)
    assert set(answer.head_layers) == head_nodes(copy.graph)
    np.testing.assert_array_equal(run(copy), run(onnx.load(str(path))))


def test_model_trained_for_int8_passes_through(tmp_path) -> None:
    """Its scales were learned with its weights; its head is still found behind the pairs of its layers."""
    plain = request_for(save_yolov8(tmp_path / "model.onnx"))
    expected_head = run_prepare(plain, silent).head_layers
    trained = Path(plain.out_path)
    for route in ("trained", "explicit"):
        answer = run_prepare(request_for(trained, route=route, calibration_dir=None), silent)
        assert answer.prepared is None
        assert answer.head_layers == expected_head


@pytest.mark.parametrize(
    ("precision", "route"), [("fp16", "plain"), ("int8", "explicit"), ("int8", "trained")], ids=str
)
def test_strongly_typed_models_are_half_and_still_answer(tmp_path, precision: str, route: str) -> None:
    """TensorRT 11 runs FP32 what the model says is FP32."""
    path = save_yolov8(tmp_path / "model.onnx")
    expected = run(onnx.load(str(path)))
    if route == "trained":
        made = request_for(path)
        run_prepare(made, silent)
        path = Path(made.out_path)
    request = dataclasses.replace(request_for(path, precision, route, typed=True), out_path=str(tmp_path / "h.onnx"))
    answer = run_prepare(request, silent)
    model = onnx.load(request.out_path)
    onnx.checker.check_model(model, full_check=True)
    assert answer.prepared is not None
    assert answer.prepared.layers_quantised == (0 if precision == "fp16" else 5)
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    half = [name for name, kind in stored.items() if kind == TensorProto.FLOAT16]
    assert len(half) >= 11
    found = run(model)
    assert found.dtype == np.float32
    assert np.abs(found[:, :4] - expected[:, :4]).max() < 0.03 * SIDE
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() < 0.03


def test_half_scales_keep_the_largest_value(tmp_path) -> None:
    """A scale rounded down would clip the largest weight of each channel."""
    model = prepared(request_for(save_yolov8(tmp_path / "model.onnx"), typed=True))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in nodes_of(model, "QuantizeLinear"):
        if node.input[0] in stored:
            weights, scale = (stored[name].astype(np.float64) for name in node.input[:2])
            assert scale.size == weights.shape[0]
            assert (np.abs(weights).reshape(len(weights), -1).max(1) <= 127.5 * scale).all()


def test_names_are_given_without_changing_those_that_are_there(tmp_path) -> None:
    """keep_float and head_layers name nodes of the file that the person has."""
    path = save_yolov8(tmp_path / "model.onnx")
    before = [node.name for node in onnx.load(str(path)).graph.node]
    model = read_model(path)
    name_nodes(model)
    assert [node.name for node in model.graph.node] == before
    after = {node.name for node in prepared(request_for(path)).graph.node}
    assert {name for name in before if name.startswith(("conv", "mul", "sigmoid"))} <= after
