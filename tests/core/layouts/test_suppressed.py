"""EfficientNMS and ONNX NonMaxSuppression: the graph has suppressed, the reader must only deal out."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.core.layouts import decode
from edgekit.core.layouts.suppressed import EFFICIENTNMS_NAMES
from edgekit.errors import LayoutError

KEPT = 10


def efficientnms(seed, nc):
    random = np.random.default_rng(seed)
    return (
        np.array([[4], [7]], np.int32),
        random.uniform(0, 96, (2, KEPT, 4)).astype(np.float32),
        random.uniform(0.3, 1, (2, KEPT)).astype(np.float32),
        random.integers(0, nc, (2, KEPT)).astype(np.int32),
    )


@pytest.mark.parametrize("class_type", [np.int32, np.float32], ids=["whole numbers", "floats"])
@pytest.mark.parametrize("nc", [1, 2, 80])
@pytest.mark.parametrize("names", EFFICIENTNMS_NAMES, ids="/".join)
def test_rows_up_to_the_count_are_read(names, nc, class_type, same, context):
    """Rows behind the count are left from an earlier picture: ghosts, if they were read."""
    count, boxes, scores, classes = efficientnms(nc, nc)
    expected = [
        [(boxes[b, k], scores[b, k], classes[b, k]) for k in range(count[b, 0]) if scores[b, k] >= 0.5]
        for b in range(2)
    ]
    outputs = dict(zip(names, (count, boxes, scores, classes.astype(class_type))))
    same(decode("efficientnms", outputs, context(nc)), expected)


@pytest.mark.parametrize("count, found", [([[99]], KEPT), ([[0]], 0), ([[-1]], 0), ([1], 1)])
def test_an_odd_count_is_no_reason_to_fail(count, found, context):
    """More than there are rows, none, -1 from an engine that failed, or (B,) in place of (B, 1)."""
    arrays = (np.array(count, np.int32), np.ones((1, KEPT, 4)), np.ones((1, KEPT)), np.zeros((1, KEPT), np.int32))
    outputs = dict(zip(EFFICIENTNMS_NAMES[0], arrays))
    assert len(decode("efficientnms", outputs, context(1))[0]) == found


@pytest.mark.parametrize(
    "names, shapes",
    [
        (("n", "b", "s", "c"), ((1, 1), (1, 5, 4), (1, 5), (1, 5))),
        (EFFICIENTNMS_NAMES[0], ((1, 1), (1, 5, 4), (1, 5), (1, 4))),
        (EFFICIENTNMS_NAMES[0], ((2, 1), (1, 5, 4), (1, 5), (1, 5))),
    ],
    ids=["unknown names", "unequal lengths", "a count too many"],
)
def test_arrays_that_do_not_belong_together_are_refused(names, shapes, context):
    """Four outputs under other names could be in any order."""
    with pytest.raises(LayoutError):
        decode("efficientnms", {name: np.zeros(shape) for name, shape in zip(names, shapes)}, context(1))


def nms_session(center_point_box):
    """A real graph: boxes and scores go through NonMaxSuppression and come out beside its result."""
    node = helper.make_node(
        "NonMaxSuppression",
        ["boxes_in", "scores_in", "most", "iou", "score"],
        ["selected_indices"],
        center_point_box=center_point_box,
    )
    copies = [helper.make_node("Identity", [f"{name}_in"], [name]) for name in ("boxes", "scores")]
    limits = [
        numpy_helper.from_array(np.array([20], np.int64), "most"),
        numpy_helper.from_array(np.array([0.45], np.float32), "iou"),
        numpy_helper.from_array(np.array([0.2], np.float32), "score"),
    ]
    shapes = {"boxes": [None, None, 4], "scores": [None, None, None]}
    inputs = [helper.make_tensor_value_info(f"{name}_in", TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info("selected_indices", TensorProto.INT64, [None, 3])]
    outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph([node, *copies], "nms", inputs, outputs, limits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


ORDERS = {
    "xyxy": lambda x1, y1, x2, y2: [x1, y1, x2, y2],
    "yxyx": lambda x1, y1, x2, y2: [y1, x1, y2, x2],
    "cxcywh": lambda x1, y1, x2, y2: [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
}


@pytest.mark.parametrize("nc", [1, 2, 80])
@pytest.mark.parametrize("order", sorted(ORDERS))
def test_the_operators_choice_is_dealt_out(order, nc, same, context):
    """The real operator chooses; its rows name picture, class and box, and the order of box values is ours to know."""
    random = np.random.default_rng(nc)
    corner = random.uniform(0, 60, (2, 40, 2))
    xyxy = np.concatenate([corner, corner + random.uniform(5, 30, (2, 40, 2))], axis=2)
    boxes = np.array([[ORDERS[order](*box) for box in picture] for picture in xyxy], np.float32)
    scores = random.random((2, nc, 40)).astype(np.float32)
    session = nms_session(int(order == "cxcywh"))
    selected, *others = session.run(None, {"boxes_in": boxes, "scores_in": scores})
    expected = [
        [(xyxy[b, k], scores[b, c, k], c) for picture, c, k in selected if picture == b and scores[b, c, k] >= 0.5]
        for b in range(2)
    ]
    assert all(expected)
    outputs = dict(zip(("selected_indices", "boxes", "scores"), (selected, *others)))
    same(decode(f"onnx-nms-{order}", outputs, context(nc)), expected)


def test_padding_rows_of_the_operator_are_dropped(context):
    """TensorRT fills a fixed number of rows with -1, which numpy would read as the last box."""
    selected = np.array([[0, 0, 1], [-1, -1, -1], [0, -1, 0], [0, 0, -1], [0, 0, 99], [0, 5, 0]], np.int32)
    outputs = {"selected_indices": selected, "boxes": np.ones((1, 3, 4)), "scores": np.ones((1, 2, 3))}
    assert len(decode("onnx-nms-xyxy", outputs, context(2))[0]) == 1


def test_corners_may_be_given_in_either_order(same, context):
    """The operator allows any diagonal pair."""
    outputs = {
        "selected_indices": np.array([[0, 0, 0]]),
        "boxes": np.array([[[30, 40, 10, 20]]], np.float32),
        "scores": np.ones((1, 1, 1), np.float32),
    }
    same(decode("onnx-nms-xyxy", outputs, context(1)), [[([10, 20, 30, 40], 1.0, 0)]])
