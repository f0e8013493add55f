"""Model repositories for Triton: its own schema reads what is written, and means what the engine is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.layouts import LAYOUTS, find_layout
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.errors import UsageError
from edgekit.report.exports.served import ServedModel, preprocessing_lines
from edgekit.report.exports.triton import Serving, config_text, max_batch_size, readme_text, repository_files
from tests.made_up_engines import tensorrt_manifest

SCHEMA = Path(__file__).resolve().parents[2] / "cases" / "triton" / "model_config.descriptor.txt"
GPU, CPU, NVDLA = 1, 2, 0  # ModelInstanceGroup.Kind, and its SecondaryDevice's

ENGINE = tensorrt_manifest()
DETECTOR = DetectorSpec("roadscene", ENGINE.model_sha256, InputSpec("images"), ENGINE.profile, "yolov8", ("car", "bus"))
PLAN = ServedModel(DETECTOR, ENGINE.inputs, ENGINE.outputs, ENGINE)
ONNX = replace(PLAN, engine=None)


@pytest.fixture(scope="module")
def parse():
    """The text form of a config.pbtxt -> ModelConfig, by Triton's own schema; raises for whatever it does not know."""
    file = text_format.Parse(SCHEMA.read_text("utf-8"), descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))
    return lambda text: text_format.Parse(text, kind())


def test_the_schema_refuses_what_triton_would(parse):
    """A check that takes anything checks nothing."""
    with pytest.raises(text_format.ParseError):
        parse("max_batch: 4")


def test_a_plan_with_a_dynamic_batch_is_batched_on_its_gpu(parse):
    """The case of most repositories; a wrong dimension, and Triton refuses to load the model."""
    config = parse(config_text(PLAN, Serving()))
    assert (config.name, config.backend, config.platform) == ("roadscene", "tensorrt", "tensorrt_plan")
    assert config.default_model_filename == "model.plan"
    assert config.version_policy.latest.num_versions == 1
    assert config.max_batch_size == ENGINE.profile.maximum.batch == 4
    (images,), (output,) = config.input, config.output
    assert (images.name, images.data_type, list(images.dims)) == ("images", 11, [3, 384, 640])  # 11: TYPE_FP32
    assert (output.name, output.data_type, list(output.dims)) == ("output0", 11, [12, 5040])
    assert config.HasField("dynamic_batching")
    (group,) = config.instance_group
    assert (group.count, group.kind, list(group.gpus)) == (1, GPU, [0])


def test_an_onnx_file_runs_on_the_processor_unless_a_gpu_is_named(parse):
    """KIND_GPU on a machine without one keeps the whole server from starting."""
    (group,) = parse(config_text(ONNX, Serving(instances=2))).instance_group
    assert (group.count, group.kind, list(group.gpus)) == (2, CPU, [])
    config = parse(config_text(ONNX, Serving(gpus=(0, 2))))
    assert (config.backend, config.default_model_filename) == ("onnxruntime", "model.onnx")
    assert (config.instance_group[0].kind, list(config.instance_group[0].gpus)) == (GPU, [0, 2])


def test_a_plan_for_a_dla_core_names_it(parse):
    """Else the engine's layers look for an accelerator that Triton did not choose."""
    (group,) = parse(config_text(replace(PLAN, dla_core=1), Serving())).instance_group
    (device,) = group.secondary_devices
    assert (device.kind, device.device_id) == (NVDLA, 1)


@pytest.mark.parametrize(
    ("profile", "batch", "expected"),
    [
        (ShapeProfile.fixed(1, 384, 640), None, (1, [3, 384, 640], False)),
        (ShapeProfile.fixed(1, 384, 640), 1, (0, [1, 3, 384, 640], False)),
        (ShapeProfile.fixed(4, 384, 640), 4, (0, [4, 3, 384, 640], False)),
        (ShapeProfile(InputSize(2, 8, 8), InputSize(2, 8, 8), InputSize(4, 8, 8)), None, (0, [-1, 3, 384, 640], False)),
        (ShapeProfile(InputSize(1, 8, 8), InputSize(2, 8, 8), InputSize(8, 8, 8)), None, (8, [3, 384, 640], True)),
    ],
)
def test_batches_are_promised_only_where_the_engine_takes_any_from_one_up(parse, profile, batch, expected):
    """Triton refuses max_batch_size for a fixed first dimension, and an engine refuses less than its minimum."""
    model = ServedModel(
        replace(DETECTOR, profile=profile),
        (TensorSpec("images", (batch, 3, 384, 640)),),
        (TensorSpec("output0", (batch, 12, 5040)),),
    )
    config = parse(config_text(model, Serving()))
    assert (config.max_batch_size, list(config.input[0].dims), config.HasField("dynamic_batching")) == expected


def test_outputs_that_hold_the_rows_of_a_whole_batch_are_never_batched():
    """Triton would hand each client the first rows of the others."""
    outputs = (TensorSpec("selected", (None, 3), "int64"), TensorSpec("boxes", (None, 9, 4)))
    model = replace(ONNX, outputs=outputs, detector=replace(DETECTOR, layout="onnx-nms-xyxy"))
    assert max_batch_size(model) == 0
    assert max_batch_size(ONNX) == 4


def test_every_layout_of_ours_makes_a_configuration_that_triton_reads(parse):
    """A layout forgotten in a table fails here, not at a user's."""
    for name, layout in LAYOUTS.items():
        sides = layout.side_inputs(1, 640, 384)
        extra = tuple(TensorSpec(key, (None, *value.shape[1:]), str(value.dtype)) for key, value in sides.items())
        spec = replace(DETECTOR, layout=name, input=replace(layout.input, name="images"))
        model = ServedModel(spec, (TensorSpec("images", (None, 3, 384, 640)), *extra), ENGINE.outputs, ENGINE)
        config = parse(config_text(model, Serving()))
        assert [item.name for item in config.input] == ["images", *sides]
        text = readme_text(model, Serving())
        assert all(f"`{key}`" in text for key in sides) and layout.description in text


def test_names_may_hold_quotes_backslashes_and_other_scripts(parse):
    """Tensor names come out of a model file that someone else made."""
    odd = 'out"put\\n:0\n面'
    model = replace(PLAN, outputs=(TensorSpec(odd, (None, 4)),))
    assert parse(config_text(model, Serving())).output[0].name == odd


def test_a_type_that_triton_lacks_is_refused():
    with pytest.raises(UsageError, match="complex64"):
        config_text(replace(PLAN, outputs=(TensorSpec("a", (None, 4), "complex64"),)), Serving())


def test_the_readme_says_where_the_plan_runs_and_how_a_picture_goes_in():
    """Whoever has to guess the letterbox loses accuracy and never learns why."""
    text = repository_files(PLAN, Serving())["README.md"]
    for words in (
        "xavier-nx, compute capability 7.2, TensorRT 8.5.2.2, Jetson Linux 35.4.1",
        ENGINE.file_sha256,
        "60 of 64 layers compute in INT8, with scales from 300 pictures",
        "grey 114",
        "order RGB",
        "byte * 0.003921568627",
        "becomes 640 x 360, its corner at left 0, top 12",
        "suppress among the boxes of each class",
        "IoU 0.45",
    ):
        assert words in text, words
    assert "None" not in text


@pytest.mark.parametrize("name", ["yolov8", "yolox", "rtdetr", "rfdetr"])
def test_the_steps_in_the_readme_lead_to_our_own_input(name):
    """A client that follows them, word by word, feeds the network what edgekit feeds it."""
    pytest.importorskip("cv2")
    from edgekit.runtime.preprocess import Preprocess

    given = replace(find_layout(name).input, name="images")
    model = replace(ONNX, detector=replace(DETECTOR, layout=name, input=given))
    steps = " ".join(preprocessing_lines(model))
    frame = np.random.default_rng(3).integers(0, 256, (90, 130, 3), np.uint8)
    ours = Preprocess(given, 64, 96)
    ours(frame)
    assert np.abs(_as_told(steps, frame, 64, 96) - ours.tensor[0]).max() < 1e-5


def _as_told(steps, frame, height, width):
    """A client written from the README alone: it does what the words in `steps` say."""
    import cv2

    rows, columns = frame.shape[:2]
    known = {"w": columns, "h": rows, "W": width, "H": height, "floor": math.floor}
    if " r = " in steps:
        known["r"] = eval(steps.split(" r = ")[1].split(" 2. ")[0], known)
    size = eval(steps.split("resize to ")[1].split(", halves")[0].split(", at least")[0].split(" without")[0], known)
    left = top = 0
    if "left = round" in steps:
        left, top = (
            eval(steps.split(f"{side} = ")[1].split(", top")[0].split(" 4. ")[0].replace(words, str(used)), known)
            for side, words, used in (("left", "resized width", size[0]), ("top", "resized height", size[1]))
        )
    picture = np.full((height, width, 3), 114 if "grey 114" in steps else 0, np.uint8)
    picture[top : top + size[1], left : left + size[0]] = cv2.resize(frame, size)
    picture = picture[:, :, ::-1] if "order RGB" in steps else picture
    words = steps.split("value = byte * ")[1].split(" 6. ")[0].split(" 5. ")[0].split(" 7. ")[0]
    values = picture * float(words.split(",")[0].split()[0])
    if "minus the mean" in words:
        values = values - np.array([float(one) for one in words.split("minus the mean ")[1].split(", ")[:3]])
    if "divided by" in words:
        values = values / np.array([float(one) for one in words.split("divided by ")[1].split(", ")[:3]])
    return values.transpose(2, 0, 1)
