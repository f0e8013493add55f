"""An ONNX model of three convolutions with YOLOv8's outputs, small enough that TensorRT builds it in little time."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# What the oldest supported onnxruntime (1.18) still reads.
_IR_VERSION = 8


def save_tiny_yolo(path: Path, batch: Optional[int] = 1) -> Path:
    """images (batch, 3, 64, 96) -> output0 (batch, 6, 96): two classes, boxes spread over the input. None: dynamic."""
    random = np.random.default_rng(11)
    weights, nodes, source = [], [], "images"
    for index, (into, out, kernel, stride) in enumerate(((3, 8, 4, 4), (8, 8, 3, 1), (8, 6, 2, 2))):
        values = random.normal(0, 2 / (kernel * into**0.5), (out, into, kernel, kernel)).astype(np.float32)
        bias = random.normal(0, 0.3, out).astype(np.float32)
        bias[4:] -= 1.2 * (index == 2)  # of the classes: a part of the anchors is to be above the threshold
        weights += [numpy_helper.from_array(values, f"w{index}"), numpy_helper.from_array(bias, f"b{index}")]
        pads = [1, 1, 1, 1] if kernel == 3 else [0, 0, 0, 0]
        inputs = [source, f"w{index}", f"b{index}"]
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads}
        nodes.append(helper.make_node("Conv", inputs, [f"conv{index}"], name=f"conv{index}", **sizes))
        kind = "Sigmoid" if index == 2 else "Relu"
        nodes.append(helper.make_node(kind, [f"conv{index}"], [f"act{index}"], name=f"act{index}"))
        source = f"act{index}"
    span = np.array([96, 64, 40, 30, 1, 1], np.float32).reshape(1, 6, 1)
    weights += [numpy_helper.from_array(span, "span"), numpy_helper.from_array(np.array([0, 6, 96]), "shape")]
    nodes.append(helper.make_node("Reshape", [source, "shape"], ["table"], name="reshape"))
    nodes.append(helper.make_node("Mul", ["table", "span"], ["output0"], name="scale"))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch or "batch", 3, 64, 96])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch or "batch", 6, 96])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
