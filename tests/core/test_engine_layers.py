"""The layers of an engine: read from what TensorRT's inspector writes, and summed up."""

from __future__ import annotations

import json

import pytest

from edgekit.core.engine import EngineLayer
from edgekit.core.engine_layers import KindRow, count_kinds, count_precisions, count_tactics, tactic_family
from edgekit.core.inspector import parse_inspector
from edgekit.errors import EngineError
from tests.made_up_engines import layers


def tensor(words: str, key: str = "Format/Datatype") -> dict:
    return {"Name": "t", "Location": "Device", "Dimensions": [1, 8, 4, 4], key: words}


# Written after the examples in NVIDIA's developer guide, "Engine Inspector", and in NVIDIA/TensorRT issue 4020.
CONVOLUTION = {
    "Name": "/backbone/Conv + /backbone/Relu",
    "LayerType": "CaskConvolution",
    "Inputs": [tensor("Thirty-two wide channel vectorized row major Int8 format.")],
    "Outputs": [tensor("Row major linear FP16 format")],
    "Weights": {"Type": "Int8", "Count": 131072},
    "TacticName": "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32",
    "TacticValue": "0x11bde0e1d9f2f35d",
}
REFORMAT = {
    "Name": "Reformatting CopyNode for Input Tensor 0 to /backbone/Conv",
    "LayerType": "Reformat",
    "Inputs": [tensor("Row major linear FP32")],
    "Outputs": [tensor("Row major Int8 format")],
    "TacticValue": "0x00000000000003e8",
}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            CONVOLUTION,
            EngineLayer(CONVOLUTION["Name"], "CaskConvolution", "int8", CONVOLUTION["TacticName"]),
            id="a-convolution-computes-in-its-weights-type",
        ),
        pytest.param(
            REFORMAT,
            EngineLayer(REFORMAT["Name"], "Reformat", "int8", "0x00000000000003e8"),
            id="a-conversion-counts-by-what-it-makes",
        ),
        pytest.param(
            {"Name": "g", "LayerType": "gemm", "Inputs": [tensor("Int8")], "Outputs": [tensor("Half")]},
            EngineLayer("g", "gemm", "int8"),
            id="a-product-computes-in-its-inputs-type",
        ),
        pytest.param(
            {"Name": "k", "LayerType": "kgen", "Inputs": [tensor("Float")], "Outputs": [tensor("Half")]},
            EngineLayer("k", "kgen", "fp16"),
            id="short-type-names-of-10",
        ),
        pytest.param(
            {"Name": "k", "LayerType": "kgen", "Outputs": [tensor("BFloat16", "Datatype")]},
            EngineLayer("k", "kgen", "bf16"),
            id="bfloat16-is-no-float",
        ),
        pytest.param(
            {"Name": "{ForeignNode[a...b]}", "LayerType": "DLA", "Outputs": [tensor("Row major Int8 format")]},
            EngineLayer("{ForeignNode[a...b]}", "DLA", "int8", on_dla=True),
            id="the-dla-is-told",
        ),
        pytest.param("/a/Conv", EngineLayer("/a/Conv", "", ""), id="names-only"),
        pytest.param({"Name": "s", "LayerType": "Shape"}, EngineLayer("s", "Shape", ""), id="nothing-told"),
    ],
)
def test_a_record_of_the_inspector_becomes_a_layer(record, expected):
    """Precisions are what a person looks for: is INT8 really INT8?"""
    assert parse_inspector(json.dumps({"Layers": [record], "Bindings": ["images"]})) == (expected,)


@pytest.mark.parametrize("text", ["", "no json", "{}", "[[", "3", '{"Layers": 3}', "[" * 100_000])
def test_what_is_no_list_of_layers_is_refused(text):
    """Another release may write something else; that must be said, not shown as an engine without layers."""
    with pytest.raises(EngineError):
        parse_inspector(text)


def test_precisions_are_counted_narrowest_first():
    """INT8 first is what an INT8 engine is judged by; what is not told must not vanish."""
    assert count_precisions(layers()) == (("int8", 13), ("fp16", 2), ("", 1))


def test_kinds_are_counted_most_frequent_first():
    """The longest bar belongs on top."""
    rows = count_kinds(layers())
    assert rows[0] == KindRow("CaskConvolution", 13, (("int8", 12), ("fp16", 1)))
    assert sum(row.layers for row in rows) == len(layers())


def test_kernels_are_counted_by_family_and_numbers_left_out():
    """A hundred names that differ in tile sizes tell nobody anything."""
    assert count_tactics(layers()) == (
        ("sm72_xmma_fprop_implicit_gemm_interleaved", 12),
        ("sm72_xmma_fprop_implicit_gemm", 1),
    )


@pytest.mark.parametrize(
    ("tactic", "family"),
    [
        ("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32", "sm80_xmma_fprop_implicit_gemm_interleaved"),
        ("ampere_h16816cudnn_256x64", "ampere"),
        ("generatedNativePointwise", "generatedNativePointwise"),
        ("0x00000000000003e8", ""),
        ("-9018593586369639207", ""),
        ("", ""),
        ("_7", "_7"),
    ],
)
def test_a_kernels_family_is_its_name_without_sizes_and_types(tactic, family):
    assert tactic_family(tactic) == family


def test_no_layers_give_no_counts():
    """An engine of ONNX Runtime has none to tell of."""
    assert count_precisions(()) == count_kinds(()) == count_tactics(()) == ()
