"""Names of layers, which tie ONNX nodes, TensorRT's network and its engine together."""

from __future__ import annotations

import pytest

from edgekit.core.engine import EngineLayer
from edgekit.core.onnx_nodes import OnnxNode, OnnxNodes
from edgekit.runtime.trt.layers import count_quantised, fused_names, node_of_layer
from edgekit.runtime.trt.parser import ParserProblem, unsupported_model


@pytest.mark.parametrize(
    "layer, node",
    [
        ("/head/Conv", "/head/Conv"),
        ("/head/Conv_17", "/head/Conv"),
        ("/head/Conv_1", "/head/Conv_1"),
        ("/head/Conv_1_9", "/head/Conv_1"),
        ("/head/Conv_x", ""),
        ("/head/Con", ""),
        ("(Unnamed Layer* 3) [Shuffle]", ""),
    ],
)
def test_a_layer_belongs_to_the_node_it_was_made_from(layer, node) -> None:
    """One node too many in float is slow, one too few loses boxes."""
    assert node == node_of_layer(layer, {"/head/Conv", "/head/Conv_1"})


def test_fused_layers_are_taken_apart() -> None:
    """How many convolutions got INT8 is counted by the names inside a fused layer's name."""
    fused = "/m.0/conv/Conv + PWN(PWN(/m.0/act/Sigmoid), /m.0/act/Mul) || /m.1/conv/Conv"
    expected = {"/m.0/conv/Conv", "/m.0/act/Sigmoid", "/m.0/act/Mul", "/m.1/conv/Conv"}
    assert expected == fused_names(fused)
    assert {"a/Conv", "b/Concat"} == fused_names("{ForeignNode[a/Conv...b/Concat]}")


def test_only_weighted_layers_in_int8_are_counted_and_each_once() -> None:
    """The report says how much of the network is quantised."""
    layers = [
        EngineLayer("a + act", "CaskConvolution", "int8"),
        EngineLayer("a || b", "CaskConvolution", "int8"),
        EngineLayer("c", "CaskConvolution", "fp16"),
        EngineLayer("pool", "TiledPooling", "int8"),
    ]
    assert count_quantised(layers, {"a", "b", "c", "d"}) == 2


@pytest.mark.parametrize(
    "problem, hint",
    [
        (ParserProblem(0, "r", "Resize", "Assertion failed: unsupported mode"), "coordinate_transformation_mode"),
        (ParserProblem(0, "n", "NonMaxSuppression", "No importer registered for op"), "without suppression inside"),
        (ParserProblem(0, "c", "Magic", "Plugin not found, are the plugin name and version correct?"), "--plugin"),
        (ParserProblem(0, "i", "Cast", "type INT64 is not supported"), "64 bit integers"),
        (ParserProblem(-1, "", "", "the model has an unsupported opset version"), "opset 13 to 17"),
    ],
    ids=["Resize", "suppression", "custom operator", "64 bit", "opset"],
)
def test_the_usual_causes_get_a_hint(problem, hint) -> None:
    """TensorRT's own text is about its source code."""
    nodes = OnnxNodes((OnnxNode(problem.name, problem.operator),), {"": 13})
    error = unsupported_model([problem], nodes, "8.5.2")
    assert hint in error.hint
    assert problem.text in error.why


def test_an_opset_from_the_future_is_said() -> None:
    """The importers of a newer opset are missing one by one; the opset is the cause."""
    error = unsupported_model(
        [ParserProblem(0, "a", "Gelu", "x")], OnnxNodes((OnnxNode("a", "Gelu"),), {"": 23}), "8.5.2"
    )
    assert "opset 23: export with opset 13 to 17" in error.hint
