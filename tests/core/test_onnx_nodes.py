"""Reading an ONNX file without the package onnx, compared with that package."""

from __future__ import annotations

import pytest

from edgekit.core.onnx_nodes import OnnxNode, OnnxNodes, read_onnx_nodes
from edgekit.errors import ModelError

onnx = pytest.importorskip("onnx")
from tests.onnx_models import save_plain, save_yolov8  # noqa: E402


@pytest.mark.parametrize("save", [save_yolov8, save_plain])
def test_nodes_and_opsets_are_what_the_package_reads(tmp_path, save) -> None:
    """A wrong name would put a parser's error at another node."""
    content = save(tmp_path / "model.onnx").read_bytes()
    model = onnx.load_from_string(content)
    found = read_onnx_nodes(content)
    assert [(node.name, node.op_type) for node in model.graph.node] == [(n.name, n.operator) for n in found.nodes]
    assert found.opset == 13


def test_custom_domains_and_their_versions_are_told(tmp_path) -> None:
    """They decide whether a plugin is missing."""
    model = onnx.load(str(save_plain(tmp_path / "model.onnx")))
    model.opset_import.extend([onnx.helper.make_opsetid("com.acme", 3)])
    model.graph.node.append(onnx.helper.make_node("Magic", ["x"], ["y"], name="m", domain="com.acme"))
    found = read_onnx_nodes(model.SerializeToString())
    assert OnnxNode("m", "Magic", "com.acme") == found.nodes[-1]
    assert found.opsets == {"": 13, "com.acme": 3}
    assert (found.nodes[-1].custom, found.nodes[0].custom) == (True, False)


def test_bytes_that_are_no_model_are_refused(tmp_path) -> None:
    """They come over a network; whatever they are, the answer is an error and not a hang."""
    content = save_plain(tmp_path / "model.onnx").read_bytes()
    for broken in (b"\xff" * 40, content[: len(content) // 2], b"\x3a\xff\xff\xff\xff\x0f", b"\x38\x01"):
        with pytest.raises(ModelError):
            read_onnx_nodes(broken)
    assert OnnxNodes((), {}) == read_onnx_nodes(b"")
    assert read_onnx_nodes(b"").opset == 0
