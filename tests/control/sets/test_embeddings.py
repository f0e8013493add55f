"""An embedding is taken where the network begins to enlarge again, and the model's own answers stay what they were."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.control.detectors import load_detector
from edgekit.control.project import Project, package_data_root
from edgekit.control.reference import reference_outputs
from edgekit.control.sets.embeddings import Backbone, backbone_tensor, pooled
from edgekit.core.layouts import LAYOUTS
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.postprocess import detections_from_outputs
from edgekit.errors import ModelError
from tests.made_up_sets import make_project, save_scene
from tests.tiny_yolo import save_tiny_yolo


def graph(nodes, side=32):
    """A model of these nodes on one picture; weights of 4 channels everywhere."""
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, (4, into, 1, 1), [0.1] * 4 * into)
        for name, into in (("first", 3), ("later", 4))
    ]
    weights.append(helper.make_tensor("twice", TensorProto.FLOAT, (4,), [1, 1, 2, 2]))
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])


def node(kind, source, out, *more, **attributes):
    return helper.make_node(kind, [source, *more], [out], **attributes)


def test_the_shipped_detector_gives_the_last_map_of_its_backbone():
    """Named in the model's own words, so the rule can be checked by eye."""
    detector = load_detector(Project(package_data_root()), "roadscene")
    model = onnx.load(str(detector.model_path))
    assert backbone_tensor(model, "images") == "/net/backbone/stage5/stage5.2/leave/act/Mul_output_0"


def test_what_is_enlarged_first_is_the_deepest_map():
    model = graph(
        [
            node("Conv", "images", "c1", "first"),
            node("Relu", "c1", "r1"),
            node("MaxPool", "r1", "deep", kernel_shape=[4, 4], strides=[4, 4]),
            node("Resize", "deep", "wide", "", "twice", mode="nearest"),
            node("Conv", "wide", "out", "later"),
        ]
    )
    assert backbone_tensor(model, "images") == "deep"


def test_a_picture_enlarged_before_the_first_convolution_is_no_feature_map():
    """Some exports resize their input themselves."""
    model = graph(
        [
            node("Resize", "images", "larger", "", "twice", mode="nearest"),
            node("Conv", "larger", "c1", "first", strides=[2, 2]),
            node("Relu", "c1", "deep"),
            node("Resize", "deep", "out", "", "twice", mode="nearest"),
        ]
    )
    assert backbone_tensor(model, "images") == "deep"


def test_a_network_without_a_pyramid_gives_its_last_coarse_map(tmp_path):
    model = onnx.load(str(save_tiny_yolo(tmp_path / "model.onnx")))
    assert backbone_tensor(model, "images") == "act2"


def test_a_model_without_a_feature_map_is_refused():
    with pytest.raises(ModelError, match="no feature map") as caught:
        backbone_tensor(graph([node("Relu", "images", "out")]), "images")
    assert "--detector none" in caught.value.hint


def test_pooling_keeps_mean_and_spread_of_each_channel_and_never_infinity():
    maps = np.zeros((2, 4, 4), np.float32)
    maps[0, :2] = 2.0
    maps[1] = 1e9
    assert pooled(maps).tolist() == [1.0, 65_000.0 // 32 * 32, 1.0, 0.0]
    assert pooled(maps).dtype == np.float16


@pytest.fixture
def detector(tmp_path):
    return load_detector(make_project(tmp_path), "tiny")


def test_the_detections_are_the_models_own(detector, tmp_path):
    """Objects that the strata count must be what the detector finds, not what an added output changed."""
    path = save_scene(tmp_path / "a.png", "day", 1)
    seen = Backbone(detector.model_path, detector.spec).see(path, 320, 180)
    (outputs,) = reference_outputs(detector.model_path, detector.spec, [path])
    best = detector.spec.profile.optimum
    fit = GEOMETRIES[detector.spec.input.geometry](320, 180, best.width, best.height)
    (expected,) = detections_from_outputs(detector.spec, outputs, [fit])
    assert LAYOUTS[detector.spec.layout].needs_nms
    np.testing.assert_allclose(seen.found.boxes_xyxy, expected.boxes_xyxy, atol=0.01)
    assert seen.network_scale == best.width / 320


def test_alike_pictures_have_near_embeddings(detector, tmp_path):
    """The same picture saved anew lies nearer than another one; equal pictures lie in one point."""
    first = save_scene(tmp_path / "a.png", "day", 1)
    again: Path = tmp_path / "b.jpg"
    assert cv2.imwrite(str(again), cv2.imread(str(first)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    other = save_scene(tmp_path / "c.png", "night", 2)
    backbone = Backbone(detector.model_path, detector.spec)
    one, two, three, same = (
        backbone.see(path, 320, 180).embedding.astype(float) for path in (first, again, other, first)
    )
    assert np.array_equal(one, same)
    assert np.linalg.norm(one - two) < 0.5 * np.linalg.norm(one - three)
