"""Which layout a model is in: known where it can be known, refused where a guess would show wrong boxes."""

from __future__ import annotations

import pytest

from edgekit.core.layouts import LAYOUTS, count_classes, identify_layout
from edgekit.core.tensors import TensorSpec
from edgekit.errors import LayoutError

COCO = "{" + ", ".join(f"{k}: 'class {k}'" for k in range(80)) + "}"


def specs(**shapes):
    """Outputs by name; a name that ends in _int holds whole numbers."""
    return [
        TensorSpec(name.replace("_int", ""), shape, "int64" if name.endswith("_int") else "float32")
        for name, shape in shapes.items()
    ]


def images(height=640, width=640, name="images"):
    return [TensorSpec(name, (None, 3, height, width))]


def ultralytics(description="Ultralytics YOLO11n model trained on coco.yaml", **others):
    return {"author": "Ultralytics", "description": description, "task": "detect", "stride": "32", **others}


RTDETR_INPUTS = [*images(), TensorSpec("orig_target_sizes", (None, 2), "int64")]
PADDLE_INPUTS = [*images(name="image"), TensorSpec("im_shape", (None, 2)), TensorSpec("scale_factor", (None, 2))]
KNOWN = [
    # id, expected, outputs, inputs, number of classes, metadata
    ("YOLOv5", "yolov5", specs(output0=(1, 25200, 85)), images(), 80, {}),
    ("YOLOv5 without labels", "yolov5", specs(output0=(1, 25200, 85)), images(), None, {}),
    ("YOLOv5, batch and rows dynamic, its own metadata", "yolov5", specs(output0=(None, 25200, 6)), images(), 1,
     {"stride": "32", "names": "{0: 'hole'}"}),
    ("YOLOv5 with raw heads beside", "yolov5",
     specs(output=(1, 25200, 85), a=(1, 3, 80, 80, 85), b=(1, 3, 40, 40, 85)), images(), 80, {}),
    ("YOLOv5-seg", "yolov5", specs(output0=(1, 25200, 117), output1=(1, 32, 160, 160)), images(), 80, {}),
    ("YOLOv5 P6", "yolov5", specs(output=(1, 102000, 85)), images(1280, 1280), 80, {}),
    ("YOLOv7, one class, input called images", "yolov5", specs(output=(1, 25200, 6)), images(), 1, {}),
    ("YOLOv8", "yolov8", specs(output0=(1, 84, 8400)), images(), 80, {}),
    ("YOLOv8 without labels", "yolov8", specs(output0=(1, 84, 8400)), images(), None, {}),
    ("YOLOv8, names in the metadata", "yolov8", specs(output0=(1, 84, 8400)), images(), None, {"names": COCO}),
    ("YOLOv8, everything dynamic but the classes", "yolov8", specs(output0=(None, 84, None)),
     [TensorSpec("images", (None, 3, None, None))], 80, {}),
    ("YOLOv8, 640 x 384", "yolov8", specs(output0=(1, 7, 5040)), images(384, 640), 3, {}),
    ("YOLOv8 for two classes", "yolov8", specs(output0=(1, 6, 8400)), images(), 2, {}),
    ("YOLOv8-p2", "yolov8", specs(output0=(1, 84, 34000)), images(), 80, {}),
    ("YOLOv8-seg", "yolov8", specs(output0=(1, 116, 8400), output1=(1, 32, 160, 160)), images(), 80, {}),
    ("YOLOv8-pose", "yolov8", specs(output0=(1, 56, 8400)), images(), 1, {}),
    ("YOLOv8-pose of hands, by its task", "yolov8", specs(output0=(1, 68, 8400)), images(), 1,
     ultralytics(task="pose")),
    ("transposed YOLOv8", "yolov8-transposed", specs(output0=(1, 8400, 84)), images(), 80, {}),
    ("YOLOv10", "yolo-end2end", specs(output0=(1, 300, 6)), images(), 80, {}),
    ("YOLO26 for two classes, by its metadata", "yolo-end2end", specs(output0=(1, 300, 6)), images(), 2,
     ultralytics("Ultralytics model", end2end="True")),
    ("YOLO11 with nms=True for two classes", "yolo-end2end", specs(output0=(1, 300, 6)), images(), 2,
     ultralytics("Ultralytics model", end2end="False", args="{'batch': 1, 'nms': True}")),
    ("YOLOv10 for two classes, by its description", "yolo-end2end", specs(output0=(1, 300, 6)), images(), 2,
     ultralytics("Ultralytics YOLOv10n model")),
    ("YOLO26, rows static and size dynamic", "yolo-end2end", specs(output0=(None, 300, 6)),
     [TensorSpec("images", (None, 3, None, None))], 80, {}),
    ("YOLO26-seg end to end", "yolo-end2end", specs(output0=(1, 300, 38), output1=(1, 32, 160, 160)), images(), 80, {}),
    ("YOLO26-pose end to end", "yolo-end2end", specs(output0=(1, 300, 57)), images(), 1, ultralytics(task="pose")),
    ("RT-DETR, D-FINE, DEIM", "rtdetr",
     specs(labels_int=(None, 300), boxes=(None, 300, 4), scores=(None, 300)), RTDETR_INPUTS, 80, {}),
    ("RT-DETR from Ultralytics", "rtdetr-ultralytics", specs(output0=(1, 300, 84)), images(), 80, {}),
    ("the same for two classes, by its description", "rtdetr-ultralytics", specs(output0=(1, 300, 6)), images(), 2,
     ultralytics("Ultralytics RT-DETR-l model")),
    ("the same for two classes, not end to end", "rtdetr-ultralytics", specs(output0=(1, 300, 6)), images(), 2,
     ultralytics("Ultralytics best model", end2end="False")),
    ("RT-DETR from Ultralytics for 365 classes", "rtdetr-ultralytics", specs(output0=(1, 300, 369)), images(), 365, {}),
    ("RT-DETR from Paddle", "rtdetr-paddle", specs(a=(None, 6), b_int=(None,)), PADDLE_INPUTS, 80, {}),
    ("RF-DETR", "rfdetr", specs(dets=(1, 300, 4), labels=(1, 300, 91)), images(560, 560, "input"), 80, {}),
    ("RF-DETR-seg", "rfdetr", specs(dets=(1, 200, 4), labels=(1, 200, 91), masks=(1, 200, 108, 108)),
     images(432, 432, "input"), 90, {}),
    ("DeepStream-Yolo", "deepstream-yolo", specs(output=(None, 8400, 6)), images(name="input"), 80, {}),
    ("DeepStream-Yolo from YOLOv5", "deepstream-yolo", specs(output=(None, 25200, 6)), images(name="input"), 80, {}),
    ("ONNX NMS on centre boxes", "onnx-nms-cxcywh",
     specs(selected_indices_int=(None, 3), boxes=(1, 8400, 4), scores=(1, 80, 8400)), images(), 80,
     {"center_point_box": "1"}),
] + [
    (f"EfficientNMS as {names[1]}", "efficientnms",
     [TensorSpec(names[0], (1, 1), "int32"), TensorSpec(names[1], (1, 100, 4)), TensorSpec(names[2], (1, 100)),
      TensorSpec(names[3], (1, 100), "int32")], images(), 80, {})
    for names in (
        ("num_detections", "detection_boxes", "detection_scores", "detection_classes"),
        ("num_dets", "det_boxes", "det_scores", "det_classes"),
        ("num_dets", "bboxes", "scores", "labels"),
        ("num", "boxes", "scores", "classes"),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    "expected, outputs, inputs, nc, metadata", [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN]
)
def test_a_layout_is_known_by_what_the_model_declares(expected, outputs, inputs, nc, metadata):
    """A wrong reader shows wrong boxes without an error; each row is an export that people have."""
    assert identify_layout(outputs, inputs=inputs, num_classes=nc, metadata=metadata) == expected


AMBIGUOUS = [
    ("(1, 300, 6) for two classes", {"yolo-end2end", "rtdetr-ultralytics"},
     specs(output0=(1, 300, 6)), images(), 2, {}),
    ("(1, 300, 6) without labels", {"yolo-end2end", "rtdetr-ultralytics"},
     specs(output0=(1, 300, 6)), images(), None, {}),
    ("YOLOX", {"yolox", "yolox-decoded"}, specs(output=(1, 8400, 85)), images(), 80, {}),
    ("YOLOX at 416", {"yolox", "yolox-decoded"}, specs(output=(1, 3549, 85)), images(416, 416), 80, {}),
    ("(1, 8400, 85) without labels", {"yolox", "yolox-decoded", "yolov8-transposed"},
     specs(output=(1, 8400, 85)), images(), None, {}),
    ("(1, 8400, 6) for one class, input called input", {"yolox", "yolox-decoded", "deepstream-yolo"},
     specs(output=(1, 8400, 6)), images(name="input"), 1, {}),
    ("(1, 8400, 6) for two classes, input called input", {"yolov8-transposed", "deepstream-yolo"},
     specs(output=(1, 8400, 6)), images(name="input"), 2, {}),
    ("(1, 25200, 6) for one class, input called input", {"yolov5", "deepstream-yolo"},
     specs(output=(1, 25200, 6)), images(name="input"), 1, {}),
    ("dynamic rows with objectness", {"yolov5", "yolox", "yolox-decoded"},
     specs(output=(None, None, 85)), images(), 80, {}),
    ("ONNX NMS whose boxes may be in two orders", {"onnx-nms-xyxy", "onnx-nms-yxyx"},
     specs(selected_indices_int=(None, 3), boxes=(1, 8400, 4), scores=(1, 80, 8400)), images(), 80,
     {"center_point_box": "0"}),
    ("ONNX NMS whose boxes may be in any order", {"onnx-nms-xyxy", "onnx-nms-yxyx", "onnx-nms-cxcywh"},
     specs(selected_indices_int=(None, 3), boxes=(1, 8400, 4), scores=(1, 80, 8400)), images(), 80, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    "candidates, outputs, inputs, nc, metadata", [row[1:] for row in AMBIGUOUS], ids=[row[0] for row in AMBIGUOUS]
)
def test_what_fits_several_layouts_is_refused_and_each_is_named(candidates, outputs, inputs, nc, metadata):
    """Half of the guesses would be wrong; one line in detector.yaml settles it for good."""
    with pytest.raises(LayoutError) as caught:
        identify_layout(outputs, inputs=inputs, num_classes=nc, metadata=metadata)
    assert {name for name in LAYOUTS if f"  {name}:" in caught.value.why} == candidates
    assert all(name in caught.value.what for name in candidates)
    assert "`layout:` in detector.yaml" in caught.value.hint
    for name in candidates:
        assert identify_layout(outputs, inputs=inputs, num_classes=nc, metadata=metadata, override=name) == name


UNKNOWN = [
    ("a classifier", specs(logits=(1, 1000)), images(), None),
    ("no outputs", [], images(), None),
    ("other labels than the head has", specs(output0=(1, 84, 8400)), images(), 10),
    ("oriented boxes without metadata", specs(output0=(1, 20, 8400)), images(), 15),
    ("anchors of another input size", specs(output0=(1, 84, 8400)), images(416, 416), 80),
    ("every dimension dynamic", specs(output0=(None, None, None)), images(), 80),
    ("RT-DETR names, no sizes input", specs(labels_int=(1, 300), boxes=(1, 300, 4), scores=(1, 300)), images(), 80),
    ("four outputs under other names", specs(n=(1, 1), b=(1, 100, 4), s=(1, 100), c=(1, 100)), images(), 80),
]


@pytest.mark.parametrize("outputs, inputs, nc", [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_what_fits_no_layout_is_refused_with_what_was_seen(outputs, inputs, nc):
    """People paste this message into an issue: shapes and known layouts must be in it."""
    with pytest.raises(LayoutError, match="no known layout") as caught:
        identify_layout(outputs, inputs=inputs, num_classes=nc)
    assert all(str(spec) in caught.value.why for spec in [*outputs, *inputs])
    assert all(name in caught.value.why for name in LAYOUTS)


@pytest.mark.parametrize("task", ["obb", "classify"])
def test_models_for_other_tasks_are_refused_by_name(task):
    """Oriented boxes drawn upright would look like a bad model."""
    with pytest.raises(LayoutError, match=task):
        identify_layout(specs(output0=(1, 20, 8400)), inputs=images(), num_classes=15, metadata=ultralytics(task=task))


def test_an_override_that_is_no_layout_is_refused():
    """A typing error in detector.yaml must not fall back to guessing."""
    with pytest.raises(LayoutError, match="yolov88"):
        identify_layout(specs(output0=(1, 84, 8400)), inputs=images(), num_classes=80, override="yolov88")


def test_the_file_name_is_never_asked_for():
    """The same graph under another name is the same model; so the signature has no name to look at."""
    with pytest.raises(TypeError):
        identify_layout(specs(output0=(1, 84, 8400)), path="yolov8n.onnx")


@pytest.mark.parametrize(
    "layout, outputs, metadata, expected",
    [
        ("yolov8", specs(output0=(1, 84, 8400)), {}, 80),
        ("yolov8", specs(output0=(1, 116, 8400), output1=(1, 32, 160, 160)), {}, 80),
        ("yolov8", specs(output0=(1, 56, 8400)), {"names": "{0: 'person'}"}, 1),
        ("yolov8", specs(output0=(1, 56, 8400)), {"task": "pose"}, None),
        ("yolov5", specs(output0=(1, 25200, 85)), {}, 80),
        ("yolox", specs(output0=(1, 8400, 85)), {}, 80),
        ("rtdetr-ultralytics", specs(output0=(1, 300, 84)), {}, 80),
        ("rfdetr", specs(dets=(1, 300, 4), labels=(1, 300, 91)), {}, 91),
        ("onnx-nms-xyxy", specs(selected_indices_int=(None, 3), boxes=(1, 9, 4), scores=(1, 80, 9)), {}, 80),
        ("yolo-end2end", specs(output0=(1, 300, 6)), {}, None),
        ("yolov8", specs(output0=(None, None, None)), {"names": "not a literal"}, None),
    ],
)
def test_classes_are_counted_where_the_model_says_them(layout, outputs, metadata, expected):
    """Without labels a person should be told how many to write, and never a number that was guessed."""
    assert count_classes(layout, outputs, inputs=images(), metadata=metadata) == expected
