"""nvinfer's configuration: each key means what the detector is, and what is missing is said."""

from __future__ import annotations

import configparser
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.layouts import LAYOUTS, find_layout
from edgekit.core.tensors import TensorSpec
from edgekit.errors import UsageError
from edgekit.report.exports.deepstream import (
    Building,
    check_feedable,
    config_text,
    deepstream_files,
    normalisation,
    parser_for,
    warnings,
)
from edgekit.report.exports.served import ServedModel
from tests.made_up_engines import tensorrt_manifest

# Keys of [property] and [class-attrs-all], by nvinfer's own gstnvinfer_property_parser.h and NVIDIA's sample files.
# fmt: off
KNOWN_KEYS = {
    "gpu-id", "net-scale-factor", "offsets", "model-color-format", "maintain-aspect-ratio", "symmetric-padding",
    "infer-dims", "batch-size", "model-engine-file", "onnx-file", "network-mode", "network-type", "labelfile-path",
    "num-detected-classes", "process-mode", "gie-unique-id", "interval", "cluster-mode", "parse-bbox-func-name",
    "custom-lib-path", "output-tensor-meta", "enable-dla", "use-dla-core", "workspace-size", "pre-cluster-threshold",
    "nms-iou-threshold", "topk",
}
# fmt: on
ENGINE = tensorrt_manifest()
DETECTOR = DetectorSpec(
    "roadscene", ENGINE.model_sha256, InputSpec("images"), ENGINE.profile, "yolov8", ("car", "bus"), 0.3, 0.5, 100
)
PLAN = ServedModel(DETECTOR, ENGINE.inputs, ENGINE.outputs, ENGINE)
ONNX = replace(PLAN, engine=None)
ROWS = (TensorSpec("output", (None, 300, 6)),)


def with_layout(name, model=PLAN, **changes):
    given = replace(find_layout(name).input, name="images")
    return replace(model, detector=replace(model.detector, layout=name, input=given), **changes)


def read(model, building=Building()):  # noqa: B008  (frozen)
    """[property] and [class-attrs-all], as GLib's key file reader sees them."""
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    parser.read_string(config_text(model, building))
    assert {key for group in parser.sections() for key in parser[group]} <= KNOWN_KEYS
    return parser["property"], parser["class-attrs-all"]


def test_a_plan_is_described_key_by_key():
    """One wrong key, and the boxes are in the wrong place without an error."""
    keys, thresholds = read(PLAN)
    expected = {
        "model-color-format": "0",
        "maintain-aspect-ratio": "1",
        "symmetric-padding": "1",
        "infer-dims": "3;384;640",
        "batch-size": "4",
        "model-engine-file": "model.plan",
        "network-mode": "1",
        "num-detected-classes": "2",
        "labelfile-path": "labels.txt",
        "cluster-mode": "2",
    }
    assert {key: keys[key] for key in expected} == expected
    assert "onnx-file" not in keys and "offsets" not in keys
    assert dict(thresholds) == {"pre-cluster-threshold": "0.3", "nms-iou-threshold": "0.5", "topk": "100"}


@pytest.mark.parametrize(("precision", "mode"), [("fp32", "0"), ("int8", "1"), ("fp16", "2")])
def test_network_mode_is_the_engines_precision(precision, mode):
    """The numbers do not rise with the precision; DeepStream's order is its own."""
    assert read(replace(PLAN, engine=tensorrt_manifest(precision)))[0]["network-mode"] == mode


def test_an_onnx_file_is_built_by_nvinfer_and_found_again():
    """With another engine name it is built anew at each start."""
    keys, _ = read(ONNX, Building("fp32", 512))
    assert (keys["onnx-file"], keys["network-mode"], keys["workspace-size"]) == ("model.onnx", "0", "512")
    assert keys["model-engine-file"] == "model.onnx_b4_gpu0_fp32.engine"
    assert "workspace-size" not in read(ONNX)[0]


@pytest.mark.parametrize(
    ("layout", "geometry"), [("yolov8", ("1", "1")), ("yolox", ("1", "0")), ("rtdetr-ultralytics", ("0", "0"))]
)
def test_geometry_follows_the_layout(layout, geometry):
    """A letterbox on a model that was trained on stretched pictures shifts every box."""
    keys, _ = read(with_layout(layout))
    assert (keys["maintain-aspect-ratio"], keys["symmetric-padding"]) == geometry


def test_yolox_gets_bytes_in_bgr():
    keys, _ = read(with_layout("yolox"))
    assert (keys["model-color-format"], float(keys["net-scale-factor"])) == ("1", 1.0)


@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (0.485, 0.456, 0.406)])
def test_nvinfers_formula_gives_our_values(mean):
    """y = net-scale-factor * (x - offset), for every byte, against (x * scale - mean) / std."""
    given = InputSpec("images", mean=mean, std=(0.25, 0.25, 0.25))
    factor, offsets = normalisation(given)
    x = np.arange(256.0)
    for channel in range(3):
        ours = (x * given.scale - given.mean[channel]) / given.std[channel]
        assert np.allclose(factor * (x - offsets[channel]), ours, atol=1e-9)
    keys, _ = read(replace(PLAN, detector=replace(DETECTOR, input=given)))
    written = [float(value) for value in keys.get("offsets", "0;0;0").split(";")]
    assert np.allclose(written, offsets, atol=1e-6) and float(keys["net-scale-factor"]) == factor


def test_a_raw_yolo_gets_no_parser_that_would_read_garbage():
    """DeepStream-Yolo's parser takes rows of six; given (B, 4+nc, 8400) it makes boxes of noise."""
    assert parser_for(PLAN) is None
    keys, _ = read(PLAN)
    assert (keys["network-type"], keys["output-tensor-meta"]) == ("100", "1")
    assert "parse-bbox-func-name" not in keys
    text = deepstream_files(PLAN, Building())["README.md"]
    assert "NvDsInferParseYolo" in text and "would read garbage" in text
    assert any("no known parser library" in line for line in warnings(PLAN))


@pytest.mark.parametrize(("layout", "cluster"), [("deepstream-yolo", "2"), ("yolo-end2end", "4")])
def test_rows_of_six_name_the_parser_and_say_that_it_is_not_included(layout, cluster):
    """Named as if it were there, the first start would end in a missing library without a word why."""
    model = with_layout(layout, outputs=ROWS)
    keys, thresholds = read(model)
    assert (keys["network-type"], keys["cluster-mode"]) == ("0", cluster)
    assert keys["parse-bbox-func-name"] == "NvDsInferParseYolo"
    assert keys["custom-lib-path"] == "libnvdsinfer_custom_impl_Yolo.so"
    assert ("nms-iou-threshold" in thresholds) == (cluster == "2")
    assert "NOT in this folder" in config_text(model, Building())
    assert any("not included" in line for line in warnings(model))


@pytest.mark.parametrize(
    "outputs", [(TensorSpec("o", (None, 300, 38)),), (TensorSpec("o", (None, 300, 6), "float16"),), (*ROWS, *ROWS)]
)
def test_rows_of_another_width_or_type_are_not_for_that_parser(outputs):
    """It steps through memory by six floats, whatever lies there."""
    assert parser_for(with_layout("yolo-end2end", outputs=outputs)) is None


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (with_layout("rfdetr"), "one scale for all channels"),
        (
            replace(PLAN, inputs=(*PLAN.inputs, TensorSpec("orig_target_sizes", (None, 2), "int64"))),
            "orig_target_sizes",
        ),
        (replace(PLAN, inputs=(TensorSpec("images", (None, 3, 384, 640), "float16"),)), "float16"),
    ],
)
def test_what_nvinfer_cannot_feed_is_refused(model, said):
    """A configuration that nearly fits is believed."""
    with pytest.raises(UsageError, match=said):
        check_feedable(model)


def test_differences_that_cost_accuracy_are_told():
    """nvinfer pads with black, and suppresses within classes only."""
    agnostic = replace(PLAN, detector=replace(DETECTOR, class_agnostic_nms=True))
    assert any("black" in line for line in warnings(PLAN))
    assert any("among all classes" in line for line in warnings(agnostic))
    assert not any("black" in line for line in warnings(with_layout("rtdetr-ultralytics")))


def test_a_dla_engine_says_so():
    keys, _ = read(replace(PLAN, dla_core=1))
    assert (keys["enable-dla"], keys["use-dla-core"]) == ("1", "1")


def test_every_layout_is_written_or_refused_in_words():
    """None of ours ends in a traceback."""
    for name in LAYOUTS:
        model = with_layout(name)
        try:
            files = deepstream_files(model, Building())
        except UsageError:
            assert name == "rfdetr"
            continue
        assert files["labels.txt"] == "car\nbus\n" and "None" not in files["README.md"]
