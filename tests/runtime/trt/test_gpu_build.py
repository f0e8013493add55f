"""Builds with the real TensorRT on a real GPU. One tiny network, built a few times; a few minutes without caches."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import BuildError, CalibrationError, EdgekitError
from edgekit.files import sha256_file
from edgekit.runtime.engine_files import check_digest

pytestmark = pytest.mark.gpu
if importlib.util.find_spec("tensorrt") is None:
    pytest.skip("TensorRT is not installed here", allow_module_level=True)

from edgekit.runtime.cuda import driver  # noqa: E402
from edgekit.runtime.trt import build as trt_build  # noqa: E402
from edgekit.runtime.trt import builder as trt_builder  # noqa: E402
from edgekit.runtime.trt.engine import load  # noqa: E402
from tests.onnx_models import LABELS, SIDE, edit, save_plain, save_yolov8  # noqa: E402

ONE = ShapeProfile.fixed(1, SIDE, SIDE)
UP_TO_TWO = ShapeProfile(InputSize(1, SIDE, SIDE), InputSize(1, SIDE, SIDE), InputSize(2, SIDE, SIDE))


@pytest.fixture(scope="session")
def profile():
    try:
        facts = driver.gpu_facts()
    except EdgekitError as error:
        pytest.skip(f"no GPU here: {error.what}")
    return DeviceProfile("x86_64", "tensorrt", "", "3", "0", 1, 1, 1, 1, sm=facts.sm)


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """One folder for the session, so that builds share their caches."""
    return tmp_path_factory.mktemp("trt")


def request_for(model: Path, home: Path, precision: str, profile: ShapeProfile = ONE, **more) -> BuildRequest:
    detector = DetectorSpec("tiny", sha256_file(model), InputSpec("images"), profile, "yolov8", LABELS)
    return BuildRequest(detector, precision, "gpu-of-this-test", str(model), str(home / "engines"), **more)


def silent(what: str, done: int, total: int) -> None:
    pass


def pictures(folder: Path, count: int = 4) -> str:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for index in range(count):
        small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:02}.png"), cv2.resize(small, (96, 72)))
    return str(folder)


@pytest.fixture(scope="session")
def calibrated(home, profile):
    """A network of twelve convolutions in INT8 by the entropy calibrator, the head's seven kept in FP16."""
    from edgekit.runtime.ort.graph import head_nodes, read_model

    model = save_yolov8(home / "yolov8.onnx")
    head = tuple(sorted(head_nodes(read_model(model).graph)))
    request = request_for(
        model,
        home,
        "int8",
        route="calibrator",
        calibration_dir=pictures(home / "set"),
        calibration_sha256="c" * 64,
        head_layers=head,
    )
    return request, trt_build.build(request, profile, silent)


def test_a_calibrated_engine_has_what_its_manifest_says(calibrated) -> None:
    """Build, calibrator, inspector, kernels and check, as they are on a device."""
    request, manifest = calibrated
    folder = Path(request.engines_dir) / request.engine_id
    check_digest(folder, manifest)
    assert (manifest.calibration_images, manifest.layers_total) == (4, 12)
    # TensorRT takes FP16 where it is faster, and then says so; the head is never among those in INT8.
    assert manifest.layers_quantised <= 5
    assert manifest.layers_quantised or any("computes in INT8" in warning for warning in manifest.warnings)
    facts = manifest.build
    assert facts.layers_before > facts.layers_after > 0
    assert {layer.precision for layer in facts.layers} & {"int8", "fp16"}
    assert any(layer.tactic for layer in facts.layers)
    assert facts.timing_cache in ("new", "reused", "refused") and facts.activation_mib > 0
    engine = load(folder / manifest.file_name, manifest, 0)
    try:
        answer = engine.infer({"images": np.full((1, 3, SIDE, SIDE), 0.5, np.float32)})["output0"]
    finally:
        engine.close()
    assert answer.shape == (1, 6, 84) and np.isfinite(answer).all()


def test_the_second_build_reuses_ranges_and_tells_about_the_timing_cache(calibrated, profile) -> None:
    """Whether 8.5 takes back the cache that it wrote is not given; that the manifest tells is."""
    request, first = calibrated
    again = trt_build.build(dataclasses.replace(request, force=True), profile, silent)
    assert again.extra["calibration_method"] == "TensorRT entropy, kept"
    assert again.calibration_images == 4
    assert again.build.timing_cache in ("reused", "refused")
    if again.build.timing_cache == "refused":
        assert any("timing cache" in note for note in again.build.notes)
    assert again.build.seconds["build"] > 0 and again.engine_id == first.engine_id


def test_a_real_unsupported_operator_is_named_with_its_node(home, profile) -> None:
    """The parser's real words, at the real place."""
    import onnx

    def change(model) -> None:
        last = model.graph.node[-1]
        magic = [
            onnx.helper.make_node("Wizardry", [last.input[0]], [f"{name}_out"], name=name, domain="com.acme")
            for name in ("magic", "more")
        ]
        model.opset_import.extend([onnx.helper.make_opsetid("com.acme", 1)])
        for node in magic:
            model.graph.node.insert(len(model.graph.node) - 1, node)
        last.input[0] = "magic_out"

    model = edit(save_plain(home / "custom.onnx", shape=(1, 3, SIDE, SIDE)), change)
    with pytest.raises(BuildError) as caught:
        trt_build.build(request_for(model, home, "fp16"), profile, silent)
    assert "'magic' (Wizardry)" in caught.value.why and "'more' (Wizardry)" in caught.value.why
    assert "com.acme 1" in caught.value.what and "--plugin" in caught.value.hint


def test_nan_in_the_data_is_raised_after_tensorrt_swallowed_it(home, profile, monkeypatch) -> None:
    """The callback runs on the builder's thread, inside C++."""

    class Poisoned(trt_builder.CalibrationPictures):
        def __iter__(self):
            for images in super().__iter__():
                images[0, 0, 0, 0] = np.nan
                yield images

    monkeypatch.setattr(trt_builder, "CalibrationPictures", Poisoned)
    model = save_yolov8(home / "yolov8.onnx")
    request = request_for(
        model, home, "int8", route="calibrator", calibration_dir=pictures(home / "set"), calibration_sha256="e" * 64
    )
    with pytest.raises(CalibrationError, match="batch 1 holds NaN"):
        trt_build.build(request, profile, silent)
    assert not (Path(request.engines_dir) / request.engine_id).exists()


def test_varying_batches_run_at_every_size_of_the_profile(home, profile) -> None:
    """The check at the end of the build runs the smallest, best and largest batch."""
    model = save_plain(home / "plain.onnx", shape=("batch", 3, SIDE, SIDE))
    manifest = trt_build.build(request_for(model, home, "fp16", UP_TO_TWO), profile, silent)
    assert manifest.inputs[0].shape == (None, 3, SIDE, SIDE)
    assert (manifest.route, manifest.layers_quantised) == ("plain", 0)
