"""Small real ONNX models for tests: random weights, the structure of the real ones, milliseconds to run."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
LABELS = ("car", "person")
_REG_MAX = 4
# What the oldest supported onnxruntime (1.18) still reads.
_IR_VERSION = 8


class _Net:
    """Gathers nodes and weights of one graph."""

    def __init__(self, seed: int) -> None:
        self.nodes: List[onnx.NodeProto] = []
        self.weights: List[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: object) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=name, **attributes))
        return names[0]

    def conv(self, source: str, channels: Tuple[int, int], kernel: int, stride: int = 1) -> str:
        into, out = channels
        weight = self._random.normal(0, 1 / (kernel * into**0.5), (out, into, kernel, kernel)).astype(np.float32)
        bias = self._random.normal(0, 0.2, out).astype(np.float32)
        inputs = [source, self.constant(weight), self.constant(bias)]
        return self.add("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)

    def silu(self, source: str) -> str:
        return self.add("Mul", [source, self.add("Sigmoid", [source])])

    def shape(self, *dims: int) -> str:
        return self.constant(np.array(dims, np.int64))

    def save(self, path: Path, shape: Sequence[object], output: str, output_shape: Sequence[object]) -> Path:
        self.nodes.append(helper.make_node("Identity", [output], ["output0"], name="last"))
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, output_shape)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        return path


def save_yolov8(path: Path, *, seed: int = 0, batch: int = 1) -> Path:
    """YOLOv8's structure at 64 x 64 with two classes: SiLU backbone, three strides, DFL; output0 (batch, 6, 84).

    Five convolutions, six that the head ends in, and the DFL projection.
    """
    net = _Net(seed)
    level = net.silu(net.conv("images", (3, 8), 3, 2))
    level = net.silu(net.conv(level, (8, 16), 3, 2))
    boxes, classes, centres, strides = [], [], [], []
    for stride in (8, 16, 32):
        level = net.silu(net.conv(level, (16, 16), 3, 2))
        cells = SIDE // stride
        boxes.append(net.add("Reshape", [net.conv(level, (16, 4 * _REG_MAX), 1), net.shape(batch, -1, cells**2)]))
        classes.append(net.add("Reshape", [net.conv(level, (16, len(LABELS)), 1), net.shape(batch, -1, cells**2)]))
        ys, xs = np.mgrid[:cells, :cells].reshape(2, -1) + 0.5
        centres.append(np.stack([xs, ys]))
        strides.append(np.full(cells**2, stride))
    grid = net.constant(np.concatenate(centres, 1)[None].astype(np.float32))
    stride_row = net.constant(np.concatenate(strides)[None, None].astype(np.float32))
    decoded = net.add("Mul", [_dfl(net, net.add("Concat", boxes, axis=2), grid, batch), stride_row])
    scores = net.add("Sigmoid", [net.add("Concat", classes, axis=2)])
    table = net.add("Concat", [decoded, scores], axis=1)
    return net.save(path, [batch, 3, SIDE, SIDE], table, [batch, 4 + len(LABELS), 84])


def _dfl(net: _Net, distances: str, grid: str, batch: int) -> str:
    """Left, top, right, bottom distributions -> centre x, centre y, width, height in cells."""
    split = net.add("Reshape", [distances, net.shape(batch, 4, _REG_MAX, -1)])
    likely = net.add("Softmax", [net.add("Transpose", [split], perm=[0, 2, 1, 3])], axis=1)
    bins = net.constant(np.arange(_REG_MAX, dtype=np.float32).reshape(1, _REG_MAX, 1, 1))
    sides = net.add("Reshape", [net.add("Conv", [likely, bins]), net.shape(batch, 4, -1)])
    first = net.add("Split", [sides], outputs=2, axis=1)
    low, high = net.add("Sub", [grid, first]), net.add("Add", [grid, first[:-1] + "1"])
    middle = net.add("Div", [net.add("Add", [low, high]), net.constant(np.float32(2).reshape(1))])
    return net.add("Concat", [middle, net.add("Sub", [high, low])], axis=1)


def add_outlier(path: Path) -> Path:
    """Give `save_yolov8` a channel between its first two convolutions, conv0 and conv3, that is far larger than the
    others and means nothing: the model answers nearly as before, and 8 bits between the two lose all the rest."""

    def change(model: onnx.ModelProto) -> None:
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        nodes = {node.name: node for node in model.graph.node}
        bias, weights = stored[nodes["conv0"].input[2]], stored[nodes["conv3"].input[1]]
        raised, blind = numpy_helper.to_array(bias).copy(), numpy_helper.to_array(weights).copy()
        raised[0], blind[:, 0] = 500.0, 0.0
        bias.CopyFrom(numpy_helper.from_array(raised, bias.name))
        weights.CopyFrom(numpy_helper.from_array(blind, weights.name))

    return edit(path, change)


def save_head_only(path: Path) -> Path:
    """YOLOv8's output at 64 x 64, two classes, from three convolutions: all are the head's last, none to quantise."""
    net = _Net(seed=1)
    parts = []
    for stride in (8, 16, 32):
        maps = net.conv("images", (3, 6), 3, stride)
        parts.append(net.add("Reshape", [maps, net.shape(1, 6, (SIDE // stride) ** 2)]))
    table = net.add("Sigmoid", [net.add("Concat", parts, axis=2)])
    return net.save(path, (1, 3, SIDE, SIDE), table, (1, 6, 84))


def save_plain(path: Path, *, shape: Sequence[object] = ("batch", 3, "height", "width"), seed: int = 0) -> Path:
    """Three convolutions with Relu, sizes dynamic unless given; output0 (batch, 2, height / 2, width / 2)."""
    net = _Net(seed)
    hidden = net.add("Relu", [net.conv("images", (3, 8), 3, 2)])
    hidden = net.add("Relu", [net.conv(hidden, (8, 8), 3)])
    return net.save(path, shape, net.conv(hidden, (8, 2), 1), [shape[0], 2, None, None])


def edit(path: Path, change: object) -> Path:
    """Load a saved model, let `change(model)` alter it, and save it again."""
    model = onnx.load(str(path), load_external_data=False)
    change(model)  # type: ignore[operator]
    path.write_bytes(model.SerializeToString())
    return path


def dims_of(path: Path) -> Tuple[Optional[int], ...]:
    """The sizes of a model's first input; None where they are dynamic."""
    shape = onnx.load(str(path)).graph.input[0].type.tensor_type.shape
    return tuple(dim.dim_value or None for dim in shape.dim)
