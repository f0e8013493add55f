"""Real models, really built and run by ONNX Runtime; nothing half written, whatever goes wrong."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import platform
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import BuildError, CalibrationError, EngineError, EngineMismatchError, ModelError, VerifyError
from edgekit.files import sha256_file
from edgekit.runtime import engine_folders
from edgekit.runtime.engines import build_engine, load_engine
from edgekit.runtime.ort import build as ort_build
from edgekit.runtime.ort import engine as ort
from edgekit.runtime.ort import quantise as ort_quantise
from edgekit.runtime.ort.graph import count_layers
from tests.onnx_models import LABELS, SIDE, dims_of, edit, save_plain, save_yolov8

PROFILE = DeviceProfile(
    module=platform.machine(),
    backend="onnxruntime",
    backend_version=onnxruntime.__version__,
    python="3",
    edgekit="0",
    cpu_count=1,
    memory_total_mib=1,
    memory_available_mib=1,
    disk_free_mib=1,
    cpu_features=("avx2",),
)
ONE = ShapeProfile.fixed(1, SIDE, SIDE)
UP_TO_TWO = ShapeProfile(InputSize(1, 32, 32), InputSize(1, SIDE, SIDE), InputSize(2, SIDE, SIDE))


def request_for(model: Path, folder: Path, precision: str = "fp32", *, profile: ShapeProfile = ONE, **more):
    detector = DetectorSpec("tiny", sha256_file(model), InputSpec("images"), profile, "yolov8", LABELS)
    return BuildRequest(detector, precision, PROFILE.engine_key, str(model), str(folder / "engines"), **more)


def write_pictures(folder: Path, count: int = 4) -> Path:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for index in range(count):
        small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:02}.png"), cv2.resize(small, (96, 72)))
    return folder


def images(batch: int = 1, side: int = SIDE, seed: int = 3) -> np.ndarray:
    small = np.random.default_rng(seed).random((8, 8, 3)).astype(np.float32)
    picture = cv2.resize(small, (side, side)).transpose(2, 0, 1)
    return np.repeat(picture[None], batch, 0)


def silent(what: str, done: int, total: int) -> None:
    pass


def build(request, told=silent):
    return build_engine(request, PROFILE, told)


def opened(request, threads: int = 1):
    return load_engine(str(Path(request.engines_dir) / request.engine_id), request.detector, PROFILE, threads=threads)


def left_behind(request):
    folder = Path(request.engines_dir)
    return sorted(path.name for path in folder.iterdir() if path.name != ".build.lock") if folder.exists() else []


def run_float(model: Path, tensor: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, {"images": tensor})[0]


def test_fp32_engine_answers_like_the_model(tmp_path) -> None:
    """Optimising may reorder sums, nothing else."""
    model = save_yolov8(tmp_path / "model.onnx")
    request = request_for(model, tmp_path)
    manifest = build(request)
    outputs = opened(request).infer({"images": images()})
    np.testing.assert_allclose(outputs["output0"], run_float(model, images()), rtol=1e-4, atol=1e-4)
    assert manifest.outputs[0].shape == (1, 6, 84)
    assert (manifest.layers_total, manifest.layers_quantised) == (12, 0)
    assert [request.engine_id] == left_behind(request)


def test_int8_engine_quantises_all_but_the_head_and_stays_close(tmp_path) -> None:
    """Quantising the head would lose boxes; quantising nothing would lose the speed."""
    model = save_yolov8(tmp_path / "model.onnx")
    request = request_for(
        model, tmp_path, "int8", calibration_dir=str(write_pictures(tmp_path / "set")), calibration_sha256="c" * 64
    )
    manifest = build(request)
    found = opened(request).infer({"images": images()})["output0"]
    expected = run_float(model, images())
    assert (manifest.layers_total, manifest.layers_quantised) == (12, 5)
    assert np.abs(found[:, :4] - expected[:, :4]).max() < 0.02 * SIDE
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() < 0.03
    assert not np.array_equal(found, expected)
    assert (manifest.calibration_images, manifest.calibration_sha256) == (4, "c" * 64)
    assert any("calibrated with 4 pictures" in warning for warning in manifest.warnings)
    finished = tmp_path / "engines" / request.engine_id
    assert sorted(path.name for path in finished.iterdir()) == ["engine.json", "model.onnx"]


def test_calibration_folds_every_picture_and_reports_progress(tmp_path) -> None:
    """The ranges must span the whole set, not its last batch; a person waits minutes and wants to see it move."""
    pictures = write_pictures(tmp_path / "set", 3)
    cv2.imwrite(str(pictures / "00.png"), np.full((72, 96, 3), 255, np.uint8))
    cv2.imwrite(str(pictures / "02.png"), np.zeros((72, 96, 3), np.uint8))
    model = save_plain(tmp_path / "model.onnx", shape=(1, 3, SIDE, SIDE))
    edit(model, lambda graph: graph.CopyFrom(onnx.shape_inference.infer_shapes(graph)))
    request = request_for(model, tmp_path)
    seen = []
    ranges = ort_quantise.calibrate(
        model, read_inputs(model), request.detector, str(pictures), tmp_path, lambda *step: seen.append(step)
    )
    low, high = ranges.tensors["images"].range_value
    assert (np.min(low), np.max(high)) == (0.0, 1.0)
    assert [("calibrating", done, 3) for done in range(4)] == seen


def read_inputs(model: Path):
    return ort.tensor_specs(onnxruntime.InferenceSession(str(model)).get_inputs())


def test_model_with_a_fixed_batch_is_calibrated_with_a_last_batch_filled_up(tmp_path) -> None:
    """Five pictures do not divide into batches of two; none may be lost and none may stop the build."""
    model = save_yolov8(tmp_path / "model.onnx", batch=2)
    pictures = write_pictures(tmp_path / "set", 5)
    request = request_for(
        model, tmp_path, "int8", profile=ShapeProfile.fixed(2, SIDE, SIDE), calibration_dir=str(pictures)
    )
    assert build(request).calibration_images == 5


def test_unreadable_pictures_are_skipped_with_a_warning(tmp_path) -> None:
    """One damaged file in 500 must not cost the build, nor go unnoticed."""
    pictures = write_pictures(tmp_path / "set")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8 cut short")
    request = request_for(
        save_plain(tmp_path / "model.onnx"), tmp_path, "int8", calibration_dir=str(pictures), profile=UP_TO_TWO
    )
    manifest = build(request)
    assert manifest.calibration_images == 4
    assert any("broken.jpg" in warning for warning in manifest.warnings)


@pytest.mark.parametrize("content", [None, b"", b"damaged"], ids=["no folder", "no pictures", "all damaged"])
def test_calibration_without_pictures_is_refused(tmp_path, content) -> None:
    """An INT8 engine with invented ranges detects nothing and says nothing."""
    pictures = tmp_path / "set"
    if content is not None:
        pictures.mkdir()
    if content:
        (pictures / "a.png").write_bytes(content)
    request = request_for(save_yolov8(tmp_path / "m.onnx"), tmp_path, "int8", calibration_dir=str(pictures))
    with pytest.raises(CalibrationError):
        build(request)
    assert left_behind(request) == []


def test_nodes_named_in_keep_float_stay_in_float(tmp_path) -> None:
    """This is the way to save a layer that loses too much in 8 bits."""
    model = save_yolov8(tmp_path / "model.onnx")
    pictures = str(write_pictures(tmp_path / "set"))
    first = next(node.name for node in onnx.load(str(model)).graph.node if node.op_type == "Conv")
    kept = request_for(model, tmp_path, "int8", calibration_dir=pictures, keep_float=(first,))
    assert build(kept).layers_quantised == 4
    with pytest.raises(BuildError, match="no-such-node"):
        build(request_for(model, tmp_path, "int8", calibration_dir=pictures, keep_float=("no-such-node",)))


def test_layers_that_share_a_bias_stay_close_in_int8(tmp_path) -> None:
    """Exporters store equal biases once; see unshare_biases for what went wrong."""

    def share(model):
        layers = [node for node in model.graph.node if node.op_type == "Conv"]
        big = numpy_helper.from_array(np.linspace(-2, 2, 16).astype(np.float32), "shared")
        model.graph.initializer.append(big)
        layers[1].input[2] = layers[2].input[2] = "shared"

    model = edit(save_yolov8(tmp_path / "model.onnx"), share)
    request = request_for(model, tmp_path, "int8", calibration_dir=str(write_pictures(tmp_path / "set")))
    build(request)
    found = opened(request).infer({"images": images()})["output0"]
    assert np.abs(found[:, 4:] - run_float(model, images())[:, 4:]).max() < 0.03


def quantised_aware(path: Path) -> Path:
    """A model that brings Q/DQ of its own around its first convolution."""

    def insert(model):
        scalars = {"scale": np.float32(1 / 255), "zero": np.uint8(0)}
        model.graph.initializer.extend(numpy_helper.from_array(np.array(v), k) for k, v in scalars.items())
        model.graph.node[0].input[0] = "images_dq"
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", ["images_q", "scale", "zero"], ["images_dq"]))
        model.graph.node.insert(0, helper.make_node("QuantizeLinear", ["images", "scale", "zero"], ["images_q"]))

    return edit(save_plain(path, shape=(1, 3, SIDE, SIDE)), insert)


def test_model_trained_for_int8_is_taken_as_it_is(tmp_path) -> None:
    """Calibrating it again would throw its own scales away."""
    model = quantised_aware(tmp_path / "model.onnx")
    request = request_for(model, tmp_path, "int8")
    manifest = build(request)
    outputs = opened(request).infer({"images": images()})
    np.testing.assert_allclose(outputs["output0"], run_float(model, images()), atol=1e-4)
    assert (manifest.calibration_images, manifest.calibration_sha256) == (0, None)
    assert any("brings its own scales" in warning for warning in manifest.warnings)


def test_fp16_is_refused_with_the_reason(tmp_path) -> None:
    """A silent FP32 engine would be measured as FP16."""
    with pytest.raises(BuildError, match=r"(?s)fp16.*slower"):
        build(request_for(save_plain(tmp_path / "model.onnx"), tmp_path, "fp16"))


def test_finished_engine_is_not_built_again(tmp_path) -> None:
    """A second run with nothing changed does nothing and says so."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    first, told = build(request), []
    assert first == build(request, lambda *step: told.append(step))
    assert told == [("already built", 1, 1)]


def test_forced_build_replaces_a_finished_engine(tmp_path) -> None:
    """The way out when someone doubts an engine that looks whole."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    path = Path(request.engines_dir) / request.engine_id / "model.onnx"
    before = path.stat().st_ino
    build(dataclasses.replace(request, force=True))
    assert path.stat().st_ino != before
    assert left_behind(request) == [request.engine_id]


@pytest.mark.parametrize("damage", [b"", b"cut", None], ids=["emptied", "replaced", "deleted"])
def test_damaged_engine_is_built_anew(tmp_path, damage) -> None:
    """A power cut must not leave a name that can be neither loaded nor built."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    path = Path(request.engines_dir) / request.engine_id / "model.onnx"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    build(request)
    assert opened(request).infer({"images": images()})["output0"].shape == (1, 6, 84)
    assert [request.engine_id] == left_behind(request)


def test_sizes_outside_the_profile_are_refused(tmp_path) -> None:
    """ONNX Runtime would take them; a TensorRT engine would not, and both must behave alike."""
    request = request_for(save_plain(tmp_path / "model.onnx"), tmp_path, profile=UP_TO_TWO)
    build(request)
    engine = opened(request)
    assert engine.infer({"images": images(2)})["output0"].shape == (2, 2, 32, 32)
    assert engine.infer({"images": images(1, 32)})["output0"].shape == (1, 2, 16, 16)
    with pytest.raises(EngineError, match=r"(?s)64x64 batch 3 is outside.*32x32 batch 1 to 64x64 batch 2"):
        engine.infer({"images": images(3)})
    with pytest.raises(EngineError, match="128x128 batch 1"):
        engine.infer({"images": images(1, 128)})


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({}, "'images' is missing"), ({"images": images().astype(np.float64)}, "failed on a batch")],
    ids=["no picture", "float64"],
)
def test_wrong_tensors_end_in_an_engine_error(tmp_path, tensors, message) -> None:
    """The pipeline reports EngineError to people; anything else looks like a crash."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    with pytest.raises(EngineError, match=message):
        opened(request).infer(tensors)


def test_closed_engine_says_so(tmp_path) -> None:
    """A frame that arrives during shutdown must not raise AttributeError."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    engine = opened(request)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer({"images": images()})


def test_engine_of_another_machine_is_refused(tmp_path) -> None:
    """Its kernels were chosen for other instruction sets."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    other = dataclasses.replace(PROFILE, cpu_features=("avx512_vnni",))
    with pytest.raises(EngineMismatchError):
        load_engine(str(Path(request.engines_dir) / request.engine_id), request.detector, other)


def test_model_changed_since_it_was_described_is_refused(tmp_path) -> None:
    """The engine would carry the digest of one model and the weights of another."""
    model = save_yolov8(tmp_path / "model.onnx")
    request = request_for(model, tmp_path)
    save_yolov8(model, seed=1)
    with pytest.raises(ModelError, match="not the model of detector tiny"):
        build(request)


def test_model_that_onnx_runtime_cannot_run_is_a_model_error(tmp_path) -> None:
    """An operator nobody knows must not look like a fault of the device."""

    def unknown(model):
        model.graph.node[0].op_type = "Convolve"

    request = request_for(edit(save_yolov8(tmp_path / "model.onnx"), unknown), tmp_path)
    with pytest.raises(ModelError, match=r"(?s)cannot run.*Convolve"):
        build(request)
    assert left_behind(request) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, OSError(errno.ENOSPC, "No space left on device")])
def test_failed_build_leaves_nothing_behind(tmp_path, failure) -> None:
    """A folder that looks like an engine would be shipped; a forgotten one fills the disk."""
    request = request_for(
        save_yolov8(tmp_path / "model.onnx"), tmp_path, "int8", calibration_dir=str(write_pictures(tmp_path / "set"))
    )

    def fail(what: str, done: int, total: int) -> None:
        if (what, done) == ("calibrating", 2):
            raise failure

    expected = BuildError if isinstance(failure, OSError) else failure
    with pytest.raises(expected):
        build(request, fail)
    assert left_behind(request) == []
    assert build(request).layers_quantised == 5


def test_disk_without_room_is_said_before_the_work(tmp_path, monkeypatch) -> None:
    """Minutes of calibration must not end in "no space left"."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    monkeypatch.setattr(engine_folders.shutil, "disk_usage", lambda _: _Disk(free=3 << 20))
    with pytest.raises(BuildError, match=r"full: 3 MiB free, about 5 MiB needed"):
        build(request)


@dataclasses.dataclass
class _Disk:
    free: int


def test_real_no_space_error_becomes_a_build_error(tmp_path) -> None:
    """/dev/full fails like a full disk does."""
    with pytest.raises(BuildError, match="is full"), engine_folders.disk_errors(tmp_path, 1):
        Path("/dev/full").write_bytes(b"engine")


def test_leftovers_of_dead_builders_are_swept(tmp_path) -> None:
    """A power cut during a build leaves a folder that nobody else would remove."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    leftover = Path(request.engines_dir) / ".0123456789abcdef-x1y2.part"
    leftover.mkdir(parents=True)
    (leftover / "model.onnx").write_bytes(b"half")
    build(request)
    assert [request.engine_id] == left_behind(request)


def test_second_builder_waits_and_finds_the_engine_finished(tmp_path) -> None:
    """Two builds at once would not fit a small board's memory, and one of them would be for nothing."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    folder = Path(request.engines_dir)
    folder.mkdir()
    told, waiting = [], threading.Event()

    def listen(what: str, done: int, total: int) -> None:
        told.append(what)
        waiting.set()

    with (folder / ".build.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=build, args=(request, listen))
        second.start()
        assert waiting.wait(10)
        part = ort_build._build_new(request, PROFILE, folder, silent)
    second.join(10)
    assert told == ["waiting for another build on this device", "already built"]
    assert part.engine_id == request.engine_id


def test_output_that_is_not_finite_fails_the_build(tmp_path) -> None:
    """A model that overflows builds without complaint and detects nothing."""

    def overflow(model):
        model.graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]))
        last = model.graph.node[-1]
        model.graph.node.insert(len(model.graph.node) - 1, helper.make_node("Div", [last.input[0], "zero"], ["inf"]))
        model.graph.node[-1].input[0] = "inf"

    request = request_for(edit(save_yolov8(tmp_path / "model.onnx"), overflow), tmp_path)
    with pytest.raises(VerifyError) as refusal:
        build(request)
    assert refusal.value.why == "a grey picture at 1x64x64 gives NaN or infinity in output0"
    assert left_behind(request) == []


def test_fixed_profile_is_written_into_the_engine(tmp_path) -> None:
    """Open sizes keep ONNX Runtime from planning memory and folding shapes."""
    request = request_for(save_plain(tmp_path / "model.onnx"), tmp_path)
    build(request)
    assert dims_of(Path(request.engines_dir) / request.engine_id / "model.onnx") == (1, 3, SIDE, SIDE)


@pytest.mark.parametrize(
    ("module", "features", "expected"),
    [("x86_64", ("avx2",), True), ("x86_64", ("avx512_vnni", "avx2"), False), ("aarch64", ("asimddp",), False)],
)
def test_weights_get_seven_bits_only_where_sums_saturate(module, features, expected) -> None:
    """On AVX2 full range clips sums and loses accuracy; elsewhere seven bits lose it for nothing."""
    assert expected is ort_build._saturates(module, features)


def test_quantised_layers_are_counted_by_their_inputs(tmp_path) -> None:
    """A layer with Q/DQ on one side only computes in float."""
    assert count_layers(onnx.load(str(quantised_aware(tmp_path / "model.onnx")))) == (3, 0)


def test_device_without_the_package_onnx_runs_engines_and_says_why_it_builds_none(tmp_path) -> None:
    """A device that is only sent engines needs one package less."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    build(request)
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from pathlib import Path\n"
        "from edgekit.errors import DeviceError\n"
        "from edgekit.runtime import engines\nfrom edgekit.runtime.ort import engine as ort\n"
        "from edgekit.runtime.engine_files import read_manifest\n"
        "folder = Path(sys.argv[1])\n"
        "ort.load(folder / 'model.onnx', read_manifest(folder), 1).close()\n"
        "try: engines._module(engines._BUILDERS, 'onnxruntime')\n"
        "except DeviceError as error: sys.exit('pip install onnx' not in str(error))\n"
        "sys.exit('built')"
    )
    folder = Path(request.engines_dir) / request.engine_id
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0
