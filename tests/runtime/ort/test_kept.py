"""Nodes kept in float: found again after folding, with their activations, and reading floats."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.requests import PrepareRequest
from edgekit.core.tensors import ShapeProfile
from edgekit.core.verification import golden_distance
from edgekit.errors import BuildError
from edgekit.files import sha256_file
from edgekit.runtime.ort.engine import open_session
from edgekit.runtime.ort.fold import fold
from edgekit.runtime.ort.graph import unshare_biases
from edgekit.runtime.ort.kept import kept_nodes, with_activations
from edgekit.runtime.ort.prepare import run_prepare
from edgekit.runtime.ort.proof import plain_session
from edgekit.runtime.ort.quantise import calibrate, quantise
from tests.onnx_models import LABELS, SIDE, add_outlier, save_yolov8


def silent(what, done, total):
    pass


def write_pictures(folder: Path, count: int = 3) -> str:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for index in range(count):
        small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:02}.png"), cv2.resize(small, (96, 72)))
    return str(folder)


def detector_of(path: Path) -> DetectorSpec:
    return DetectorSpec(
        "tiny", sha256_file(path), InputSpec("images"), ShapeProfile.fixed(1, SIDE, SIDE), "yolov8", LABELS
    )


def picture() -> np.ndarray:
    small = np.random.default_rng(3).random((8, 8, 3)).astype(np.float32)
    return np.ascontiguousarray(cv2.resize(small, (SIDE, SIDE)).transpose(2, 0, 1)[None])


def statically_quantised(path: Path, names) -> onnx.ModelProto:
    """What ONNX Runtime's back end makes of a model, with the nodes `names` kept in float."""
    original = onnx.load(str(path))
    folded = path.with_name("folded.onnx")
    inputs = fold(original, folded, 13)
    pictures = write_pictures(path.parent / "set")
    ranges = calibrate(folded, inputs, detector_of(path), pictures, path.parent, silent)
    model = onnx.load(str(folded))
    unshare_biases(model)
    kept = kept_nodes(original.graph, model.graph, names)
    return quantise(model, ranges, kept, reduce_range=True)


def distance(path: Path, model: onnx.ModelProto) -> float:
    feed = {"images": picture()}
    expected = plain_session(path).run(None, feed)[0]
    session = open_session(model.SerializeToString(), optimise=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    return golden_distance({"output0": expected}, {"output0": session.run(None, feed)[0]})


def sources(model: onnx.ModelProto, name: str) -> "list[str]":
    """The operators that a node's changing inputs come out of."""
    makers = {tensor: node.op_type for node in model.graph.node for tensor in node.output}
    node = next(node for node in model.graph.node if node.name == name)
    return [makers[tensor] for tensor in node.input if tensor in makers]


def test_onnx_runtimes_quantiser_leaves_kept_nodes_floats_to_read(tmp_path) -> None:
    """It rounds a tensor once for all readers: a layer in float that reads 8 bits would mend nothing."""
    path = save_yolov8(tmp_path / "model.onnx")
    assert "DequantizeLinear" in sources(statically_quantised(path, ()), "conv3")
    kept = statically_quantised(path, ("conv3",))
    assert sources(kept, "conv3") == ["Mul"]
    assert set(sources(kept, "mul5")) == {"Conv", "Sigmoid"}  # its activation stays in float with it
    assert "DequantizeLinear" in sources(kept, "conv6")


def test_keeping_the_layers_beside_an_outlier_mends_the_static_route(tmp_path) -> None:
    """The case that keep_float is there for; the first two layers are the ones that 8 bits destroy."""
    path = add_outlier(save_yolov8(tmp_path / "model.onnx"))
    harmed = distance(path, statically_quantised(path, ()))
    mended = distance(path, statically_quantised(path, ("conv0", "conv3")))
    assert mended < harmed / 50


def test_keeping_the_layer_behind_an_outlier_mends_the_explicit_route(tmp_path) -> None:
    """Pairs stand at the inputs of layers there: the reader alone is enough."""
    path = add_outlier(save_yolov8(tmp_path / "model.onnx"))
    found = []
    for kept in ((), ("conv3",)):
        out = tmp_path / f"out{len(kept)}" / "q.onnx"
        pictures = write_pictures(tmp_path / "set")
        request = PrepareRequest(
            detector_of(path), str(path), str(out), "int8", "explicit", False, pictures, keep_float=kept
        )
        run_prepare(request, silent)
        found.append(distance(path, onnx.load(str(out))))
    assert found[1] < found[0] / 50


def test_a_calibrator_is_told_of_the_activations_too(tmp_path) -> None:
    """TensorRT fuses SiLU into a layer only if both may compute in one precision."""
    path = save_yolov8(tmp_path / "model.onnx")
    plain = PrepareRequest(detector_of(path), str(path), str(tmp_path / "q.onnx"), "int8", "calibrator", False)
    kept = PrepareRequest(**{**vars(plain), "keep_float": ("conv3",)})
    before, after = (set(run_prepare(request, silent).head_layers) for request in (plain, kept))
    assert after - before == {"conv3", "sigmoid4", "mul5"}
    with pytest.raises(BuildError, match="no-such-node"):
        run_prepare(PrepareRequest(**{**vars(plain), "keep_float": ("no-such-node",)}), silent)


def test_an_activation_that_also_reads_something_else_is_left(tmp_path) -> None:
    """A gate of two branches belongs to neither."""
    graph = onnx.load(str(save_yolov8(tmp_path / "model.onnx"))).graph
    graph.node.append(helper.make_node("Mul", ["conv3", "conv0"], ["both"], name="both"))
    assert with_activations(graph, {"conv3"}) == {"conv3", "sigmoid4", "mul5"}


def test_a_node_that_folding_merges_is_found_where_it_went(tmp_path) -> None:
    """Exporters leave batch norms and MatMul with Add; people name what their own file shows."""
    random = np.random.default_rng(0)
    stored = {
        "w": random.normal(size=(4, 3, 3, 3)),
        "scale": random.random(4) + 0.5,
        "shift": random.normal(size=4),
        "mean": random.normal(size=4),
        "var": random.random(4) + 0.5,
        "m": random.normal(size=(8, 5)),
        "b": random.normal(size=5),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], name="norm"),
        helper.make_node("Relu", ["n"], ["r"], name="relu"),
        helper.make_node("ReduceMean", ["r"], ["flat"], name="mean", axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["flat", "m"], ["p"], name="product"),
        helper.make_node("Add", ["p", "b"], ["y"], name="sum"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    fold(model, tmp_path / "folded.onnx", 13)
    folded = onnx.load(str(tmp_path / "folded.onnx")).graph
    assert len(folded.node) < len(nodes)
    operators = {node.name: node.op_type for node in folded.node}
    assert {operators[name] for name in kept_nodes(graph, folded, ["conv"])} == {"Conv", "Relu"}
    assert {operators[name] for name in kept_nodes(graph, folded, ["product"])} == {"Gemm"}


def test_a_node_of_which_nothing_is_left_is_refused(tmp_path) -> None:
    """A wish that cannot be met is no success."""
    path = save_yolov8(tmp_path / "model.onnx")
    original = onnx.load(str(path)).graph
    original.node.append(helper.make_node("Relu", ["w1"], ["unused"], name="of-constants"))
    with pytest.raises(BuildError, match="of-constants"):
        kept_nodes(original, onnx.load(str(path)).graph, ["of-constants"])
