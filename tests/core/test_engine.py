"""Engines: what makes two of them the same, and when one may not run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest, check_fits
from edgekit.core.tensors import ShapeProfile, TensorSpec
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError, EngineMismatchError

DETECTOR = DetectorSpec("roadscene", "a" * 64, InputSpec("images"), ShapeProfile.fixed(1, 384, 640), "yolov8", ("car",))
REQUEST = BuildRequest(
    DETECTOR, "int8", "x86_64-avx2-ort1.20", "/m/model.onnx", "/m/engines", "/m/calib", calibration_sha256="c" * 64
)
MANIFEST = EngineManifest(
    engine_id="e" * 16,
    engine_key="xavier-nx-sm72-trt8.5.2-l4t35.6",
    detector="roadscene",
    backend="tensorrt",
    precision="int8",
    file_name="engine.plan",
    file_sha256="f" * 64,
    file_bytes=1,
    model_sha256="a" * 64,
    calibration_sha256=None,
    calibration_images=0,
    options_sha256="0" * 64,
    profile=ShapeProfile.fixed(1, 384, 640),
    inputs=(TensorSpec("images", (1, 3, 384, 640)),),
    outputs=(TensorSpec("output0", (1, 5, 5040)),),
    tool_versions={"tensorrt": "8.5.2"},
    build_s=1.5,
    created_utc="2001-01-01T00:00:00Z",
    layers_total=3,
    layers_quantised=2,
)
PROFILE = DeviceProfile(
    module="orin-nano-8gb",
    backend="tensorrt",
    backend_version="10.3.0",
    python="3.10.12",
    edgekit="0.1",
    cpu_count=6,
    memory_total_mib=7620,
    memory_available_mib=6000,
    disk_free_mib=9000,
    sm=87,
    l4t="36.4.3",
    power_mode="15W",
)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(REQUEST, precision="fp32"), id="precision"),
        pytest.param(replace(REQUEST, engine_key="other"), id="device"),
        pytest.param(replace(REQUEST, calibration_sha256="d" * 64), id="calibration-pictures"),
        pytest.param(replace(REQUEST, keep_float=("/head/conv",)), id="layers-kept-in-float"),
        pytest.param(replace(REQUEST, detector=replace(DETECTOR, model_sha256="b" * 64)), id="model"),
        pytest.param(replace(REQUEST, detector=replace(DETECTOR, profile=ShapeProfile.fixed(2, 384, 640))), id="batch"),
        pytest.param(
            replace(REQUEST, detector=replace(DETECTOR, input=InputSpec("images", colour="bgr"))), id="colours"
        ),
    ],
)
def test_whatever_changes_the_engine_changes_its_id(changed):
    """A stale engine under an unchanged name would be shipped without a rebuild."""
    assert changed.engine_id != REQUEST.engine_id


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(replace(REQUEST, model_path="/elsewhere/model.onnx", engines_dir="/tmp/e"), id="paths"),
        pytest.param(replace(REQUEST, calibration_dir="/other"), id="folder-of-the-same-pictures"),
        pytest.param(
            replace(REQUEST, detector=replace(DETECTOR, confidence=0.6, labels=("auto",))), id="thresholds-and-labels"
        ),
    ],
)
def test_what_does_not_change_the_engine_keeps_its_id(same):
    """A second deploy must find the first build: minutes instead of nothing."""
    assert same.engine_id == REQUEST.engine_id


def test_calibration_pictures_matter_to_int8_alone():
    """New calibration pictures must not rebuild FP32."""
    float_request = replace(REQUEST, precision="fp32")
    assert float_request.engine_id == replace(float_request, calibration_sha256="d" * 64).engine_id


def test_an_unknown_precision_is_refused():
    """A typo must not reach a device."""
    with pytest.raises(ValueError, match="expected one of fp32, fp16, int8, got 'int4'"):
        replace(REQUEST, precision="int4")
    with pytest.raises(ConfigError, match="int4"):
        from_wire(BuildRequest, {**to_wire(REQUEST), "precision": "int4"})


def test_request_and_manifest_survive_the_wire():
    """They are files on two machines."""
    assert from_wire(BuildRequest, json.loads(json.dumps(to_wire(REQUEST)))) == REQUEST
    assert from_wire(EngineManifest, json.loads(json.dumps(to_wire(MANIFEST)))) == MANIFEST


def test_an_engine_fits_where_it_was_built():
    """The ordinary case raises nothing, with or without the model at hand."""
    check_fits(MANIFEST, MANIFEST.engine_key)
    check_fits(MANIFEST, MANIFEST.engine_key, model_sha256="a" * 64)


def test_an_engine_of_another_device_is_refused_with_the_command_that_mends_it():
    """TensorRT would crash or, worse, run with tactics timed elsewhere."""
    with pytest.raises(EngineMismatchError) as caught:
        check_fits(MANIFEST, "orin-nano-8gb-sm87-trt10.3.0-l4t36.4.3")
    assert "xavier-nx-sm72" in caught.value.what
    assert "orin-nano-8gb-sm87" in caught.value.what
    assert caught.value.hint == "edgekit build roadscene --precision int8"


def test_an_engine_of_an_older_model_is_refused():
    """The model was retrained and the engine was not."""
    with pytest.raises(EngineMismatchError, match=r"aaaaaaaaaaaa.*bbbbbbbbbbbb"):
        check_fits(MANIFEST, MANIFEST.engine_key, model_sha256="b" * 64)


def test_the_engine_key_of_a_jetson_names_module_gpu_tensorrt_and_l4t():
    """A plan is locked to all four."""
    assert PROFILE.engine_key == "orin-nano-8gb-sm87-trt10.3.0-l4t36.4.3"
    assert replace(PROFILE, power_mode="MAXN", disk_free_mib=1).engine_key == PROFILE.engine_key


@pytest.mark.parametrize(
    ("features", "best"),
    [(("avx2", "avx512f"), "avx512f"), (("avx2", "fma"), "avx2"), (("sse2",), "baseline"), ((), "baseline")],
)
def test_the_engine_key_of_a_cpu_names_its_best_instructions(features, best):
    """ONNX Runtime's optimised model differs by them."""
    cpu = replace(PROFILE, module="x86_64", backend="onnxruntime", backend_version="1.20.0", cpu_features=features)
    assert cpu.engine_key == f"x86_64-{best}-ort1.20.0"
