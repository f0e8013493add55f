"""TensorRT builds from one end to the other on a stand-in with the names of each release; what the device does is made
up there, so this is about our own steps: flags, files, errors, and that nothing half done is left behind."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, PreparedModel, TensorRTOptions
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import BuildError, CalibrationError, DeviceError, ModelError, VerifyError
from edgekit.files import sha256_file
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.compile import CompiledKernels
from edgekit.runtime.cuda.driver import GpuFacts
from edgekit.runtime.sanity import Proof
from edgekit.runtime.trt import build as trt_build
from edgekit.runtime.trt import builder as trt_builder
from edgekit.runtime.trt import calibrator, library, plan
from tests.fake_tensorrt import Script, make_fake_tensorrt
from tests.onnx_models import LABELS, SIDE, edit, save_plain, save_yolov8
from tests.trt_surface import VERSIONS

ONE = ShapeProfile.fixed(1, SIDE, SIDE)
UP_TO_FOUR = ShapeProfile(InputSize(1, SIDE, SIDE), InputSize(2, SIDE, SIDE), InputSize(4, SIDE, SIDE))
WITH_CALIBRATORS = [version for version in VERSIONS if not version.startswith("11")]
PROFILE = DeviceProfile("x86_64", "tensorrt", "8.5.2", "3", "0", 1, 1, 1, 1, sm=90)
GPU = GpuFacts("made up", 90, 8192, "13.0", integrated=False, can_map_host=True, host_register=True)


class Engine:
    """What stands for a loaded engine, since nothing can run here."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Owner:
    """Calls on the spot instead of on the GPU's thread."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def call(self, function, *arguments):
        return function(*arguments)


class Buffer:
    """Memory of a GPU that is not there: remembers that it was given back."""

    alive = 0

    def __init__(self, nbytes: int) -> None:
        self.pointer, self.nbytes = 4096, nbytes
        Buffer.alive += 1

    def free(self) -> None:
        Buffer.alive -= 1


def forget() -> None:
    for cached in (library.load_library, library.logger, plan._register_own_plugins):
        cached.cache_clear()


@pytest.fixture
def install(monkeypatch, tmp_path):
    """install(version, Script()) puts a stand-in where the module tensorrt would be, and one where the GPU would be."""

    def put(version: str, script: Script) -> Script:
        monkeypatch.setitem(sys.modules, "tensorrt", make_fake_tensorrt(version, script))
        forget()
        return script

    monkeypatch.setattr(trt_build, "OwnerThread", Owner)
    monkeypatch.setattr(trt_build, "load", lambda path, manifest, threads: Engine())
    monkeypatch.setattr(trt_build, "prove", lambda engine, request: Proof(("proved",), 0.25))
    monkeypatch.setattr(trt_build, "compile_kernels", lambda sm: CompiledKernels(b"machine code", "nvcc 1.0", sm))
    monkeypatch.setattr(driver, "gpu_facts", lambda index=0: GPU)
    monkeypatch.setattr(driver, "mem_get_info", lambda: (4 << 30, 8 << 30))
    monkeypatch.setattr(driver, "copy_to_device", lambda *_: None)
    monkeypatch.setattr(driver, "stream_synchronise", lambda *_: None)
    monkeypatch.setattr(calibrator, "DeviceBuffer", Buffer)
    Buffer.alive = 0
    yield put
    forget()


def request_for(model: Path, folder: Path, precision: str = "fp32", *, profile: ShapeProfile = ONE, **more):
    detector = DetectorSpec("tiny", sha256_file(model), InputSpec("images"), profile, "yolov8", LABELS)
    return BuildRequest(detector, precision, "key", str(model), str(folder / "engines"), **more)


def pictures(folder: Path, count: int = 5) -> str:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:02}.png"), random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return str(folder)


def quantised(model: Path) -> Path:
    """The model with a Q/DQ pair on its input: enough for a network to count as quantised."""

    def change(proto) -> None:
        graph = proto.graph
        scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [0.1])
        zero = helper.make_tensor("zero", TensorProto.INT8, [], [0])
        graph.initializer.extend([scale, zero])
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name == "images":
                    node.input[index] = "images_dq"
        graph.node.insert(0, helper.make_node("DequantizeLinear", ["images_q", "scale", "zero"], ["images_dq"], "dq"))
        graph.node.insert(0, helper.make_node("QuantizeLinear", ["images", "scale", "zero"], ["images_q"], "q"))

    return edit(model, change)


def build(request, told: "List[Tuple[str, int, int]] | None" = None):
    return trt_build.build(request, PROFILE, lambda *step: None if told is None else told.append(step))


def left_behind(request) -> List[str]:
    folder = Path(request.engines_dir)
    return sorted(path.name for path in folder.iterdir() if path.name != ".build.lock") if folder.exists() else []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_plain_build_works_with_the_names_of_every_release(install, tmp_path, version, precision) -> None:
    """One name that a release lacks stops every board of that JetPack."""
    script = install(version, Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path, precision)
    manifest = build(request)
    folder = tmp_path / "engines" / request.engine_id
    assert sorted(path.name for path in folder.iterdir()) == ["engine.json", "kernels.cubin", "model.plan"]
    assert manifest.file_sha256 == sha256_file(folder / "model.plan")
    assert [item.file_name for item in manifest.attachments] == ["kernels.cubin"]
    assert [str(spec) for spec in manifest.inputs] == ["images (1, 3, 64, 64) float32"]
    assert [str(spec) for spec in manifest.outputs] == ["output0 (1, 6, 84) float32"]
    assert (manifest.golden_distance, manifest.warnings) == (0.25, ("proved",))
    flags = {"FP16"} if precision == "fp16" and not version.startswith("11") else set()
    assert (flags, 2 << 30) == (script.flags, script.workspace_bytes)
    facts = manifest.build
    assert (facts.timing_cache, facts.workspace_mib, facts.activation_mib) == ("new", 2048, 3.0)
    assert facts.layers_before >= facts.layers_after > 10
    assert {"parse", "build", "inspect", "check"} == set(facts.seconds)
    assert manifest.layers_total == 12
    assert [request.engine_id] == left_behind(request)


@pytest.mark.parametrize("version", WITH_CALIBRATORS)
@pytest.mark.parametrize("algorithm", ["entropy", "minmax"])
def test_the_calibrator_route_streams_every_picture_and_keeps_the_head_out(install, tmp_path, version, algorithm):
    """Half the set would give half the ranges; a head in INT8 loses boxes."""
    script = install(version, Script())
    model = save_yolov8(tmp_path / "model.onnx")
    head = tuple(node.name for node in onnx.load(str(model)).graph.node if node.op_type == "Conv")[-1:]
    request = request_for(
        model,
        tmp_path,
        "int8",
        route="calibrator",
        calibration_dir=pictures(tmp_path / "set"),
        calibration_sha256="c" * 64,
        head_layers=head,
        tensorrt=TensorRTOptions(calibrator=algorithm),
    )
    manifest = build(request)
    assert script.calibration_batches == 5
    assert {"FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"} == script.flags
    assert set(head) == script.kept_float
    assert (manifest.layers_total, manifest.layers_quantised) == (12, 11)
    assert (manifest.calibration_images, manifest.calibration_sha256) == (5, "c" * 64)
    assert manifest.extra["calibration_method"] == f"TensorRT {algorithm}, measured"
    assert any("calibrated with 5 pictures" in warning for warning in manifest.warnings)
    assert Buffer.alive == 0


def test_the_calibrator_route_keeps_the_named_layers_out_and_measures_no_range_again(install, tmp_path) -> None:
    """A search for sensitive layers builds several engines; their ranges are the same."""
    script = install("8.5.2", Script())
    model = save_yolov8(tmp_path / "model.onnx")
    common = {"route": "calibrator", "calibration_dir": pictures(tmp_path / "set"), "calibration_sha256": "c" * 64}
    plain = request_for(model, tmp_path, "int8", head_layers=("conv11",), **common)
    build(plain)
    assert "conv3" not in script.kept_float
    manifest = build(dataclasses.replace(plain, keep_float=("conv3",)))
    assert "conv3" in script.kept_float
    assert manifest.engine_id != plain.engine_id
    assert script.calibration_batches == 5
    with pytest.raises(BuildError, match="no-such-node"):
        build(dataclasses.replace(plain, keep_float=("no-such-node",)))


def test_ranges_are_kept_for_the_next_build_and_not_for_other_data(install, tmp_path) -> None:
    """Calibration takes minutes on a board; ranges of another set would be wrong without a word."""
    script = install("8.5.2", Script())
    model = save_yolov8(tmp_path / "model.onnx")
    common = {"route": "calibrator", "calibration_dir": pictures(tmp_path / "set"), "force": True}
    first = request_for(model, tmp_path, "int8", calibration_sha256="c" * 64, **common)
    build(first)
    again = build(first)
    assert script.calibration_batches == 5
    assert again.extra["calibration_method"] == "TensorRT entropy, kept"
    assert again.calibration_images == 5
    assert any("calibrated with 5 pictures" in warning for warning in again.warnings)
    build(dataclasses.replace(first, calibration_sha256="d" * 64))
    assert script.calibration_batches == 10


def test_damaged_ranges_are_measured_again_and_told_of(install, tmp_path) -> None:
    """TensorRT reads a calibration cache without checking it."""
    script = install("8.5.2", Script())
    request = request_for(
        save_yolov8(tmp_path / "model.onnx"),
        tmp_path,
        "int8",
        route="calibrator",
        calibration_dir=pictures(tmp_path / "set"),
        force=True,
    )
    build(request)
    (kept,) = (tmp_path / "cache" / "key").glob("calibration-*.cache")
    kept.write_bytes(kept.read_bytes()[:-1])
    manifest = build(request)
    assert script.calibration_batches == 10
    assert any("calibrated anew" in note and "damaged" in note for note in manifest.build.notes)


@pytest.mark.parametrize("version", VERSIONS)
def test_explicit_models_need_no_pictures_on_the_device(install, tmp_path, version) -> None:
    """From TensorRT 11 on this is the only way to INT8; the flags of earlier releases must not be asked for there."""
    script = install(version, Script())
    original = save_yolov8(tmp_path / "model.onnx")
    request = request_for(original, tmp_path, "int8", route="explicit", calibration_sha256="c" * 64)
    made = quantised(save_yolov8(tmp_path / "prepared.onnx"))
    prepared = PreparedModel(sha256_file(made), 300, "onnxruntime 1.0 minmax", 12, 5, ("told on the host",))
    manifest = build(dataclasses.replace(request, model_path=str(made), prepared=prepared))
    assert ({"FP16", "INT8"} if not version.startswith("11") else set()) == script.flags
    assert (manifest.calibration_images, manifest.extra["calibration_method"]) == (300, "onnxruntime 1.0 minmax")
    assert "told on the host" in manifest.warnings
    assert manifest.model_sha256 == sha256_file(original)


def test_a_trained_model_at_fp32_still_computes_its_pairs_in_int8(install, tmp_path) -> None:
    """TensorRT refuses Q/DQ without the INT8 flag."""
    script = install("8.5.2", Script())
    model = quantised(save_yolov8(tmp_path / "model.onnx"))
    manifest = build(request_for(model, tmp_path, "fp32", route="trained"))
    assert {"INT8"} == script.flags
    assert any("brings its own scales" in warning for warning in manifest.warnings)


@pytest.mark.parametrize("route, give", [("explicit", save_yolov8), ("plain", None)])
def test_a_model_that_does_not_fit_its_route_is_refused(install, tmp_path, route, give) -> None:
    """Such a build would give an engine of another precision than the manifest says."""
    install("10.3.0", Script())
    model = give(tmp_path / "model.onnx") if give else quantised(save_yolov8(tmp_path / "model.onnx"))
    with pytest.raises(BuildError, match="Q/DQ pairs"):
        build(request_for(model, tmp_path, "int8", route=route))


@pytest.mark.parametrize("version", VERSIONS)
def test_varying_sizes_get_a_profile(install, tmp_path, version) -> None:
    """Without one TensorRT builds nothing; with a wrong one the camera's batch is refused at run time."""
    script = install(version, Script())
    model = save_plain(tmp_path / "model.onnx", shape=("batch", 3, SIDE, SIDE))
    build(request_for(model, tmp_path, profile=UP_TO_FOUR))
    assert script.profiles == [{"images": ((1, 3, 64, 64), (2, 3, 64, 64), (4, 3, 64, 64))}]


def test_a_profile_that_the_model_does_not_take_is_refused_before_building(install, tmp_path) -> None:
    """TensorRT would say so after minutes, in words about tensors."""
    install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path, profile=UP_TO_FOUR)
    with pytest.raises(BuildError, match=r"images \(1, 3, 64, 64\) float32 does not take \(2, 3, 64, 64\)"):
        build(request)
    assert left_behind(request) == []


@pytest.mark.parametrize("version, listed", [("8.5.2", 3), ("10.3.0", 3)])
def test_every_operator_that_tensorrt_lacks_is_named(install, tmp_path, version, listed) -> None:
    """A person who mends one operator after another exports the model ten times. TensorRT 8 stops at the first."""
    install(version, Script(refuses={"Softmax", "Sigmoid"}))
    model = save_yolov8(tmp_path / "model.onnx")
    names = [node.name for node in onnx.load(str(model)).graph.node if node.op_type in ("Softmax", "Sigmoid")]
    with pytest.raises(BuildError) as caught:
        build(request_for(model, tmp_path))
    assert f"{len(names)} problems, opset ai.onnx 13" in caught.value.what
    assert [name for name in names if repr(name) not in caught.value.why] == []
    assert "(Softmax)" in caught.value.why and "--plugin" in caught.value.hint
    assert len(caught.value.why.splitlines()) == len(names) >= listed


def test_pressure_while_building_reaches_the_manifest(install, tmp_path) -> None:
    """A slower engine than yesterday's, and nobody would know why."""
    lines = [
        ("WARNING", "Tactic Device request: 414MB Available: 216MB. Device memory is insufficient to use tactic."),
        ("WARNING", "Skipping tactic 3 due to insufficient memory on requested size of 414 detected for tactic 4."),
        ("WARNING", "Skipping tactic 5 due to insufficient memory on requested size of 414 detected for tactic 6."),
        ("WARNING", "Something that nobody has seen before"),
    ]
    install("8.5.2", Script(says=lines))
    manifest = build(request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path))
    assert manifest.build.skipped_tactics == 2
    assert any("memory was short while building: 2 kernels" in warning for warning in manifest.warnings)
    assert manifest.build.notes == ("Something that nobody has seen before",)


def test_a_build_without_engine_says_why_and_what_to_do(install, tmp_path) -> None:
    """The likeliest failure on an 8 GB board."""
    lines = [
        (
            "ERROR",
            "2: [virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory (no further information)",
        ),
        (
            "ERROR",
            "10: [optimizer.cpp::computeCosts::3728] Could not find any implementation for node /a/Conv + /b/Mul.",
        ),
    ]
    install("8.5.2", Script(says=lines, builds=False))
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    with pytest.raises(BuildError, match="memory ran out") as caught:
        build(request)
    assert "OutOfMemory" in caught.value.why and "/a/Conv" in caught.value.why
    assert "--workspace-mib 1024" in caught.value.hint
    assert left_behind(request) == []


def test_too_little_memory_is_said_before_the_build(install, tmp_path, monkeypatch) -> None:
    """The kernel would kill the builder without a word."""
    install("8.5.2", Script())
    monkeypatch.setattr(driver, "mem_get_info", lambda: (100 << 20, 8 << 30))
    with pytest.raises(BuildError, match="100 MiB of memory are free"):
        build(request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path))


def test_the_timing_cache_is_reused_and_a_refused_one_is_dropped(install, tmp_path) -> None:
    """A cache that TensorRT silently ignores would never be replaced."""
    script = install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path, force=True)
    assert build(request).build.timing_cache == "new"
    assert (build(request).build.timing_cache, script.timing_cache_given) == ("reused", b"+timings")
    script.takes_timing_cache = False
    manifest = build(request)
    assert (manifest.build.timing_cache, script.timing_cache_given) == ("refused", b"")
    assert any("timing cache" in note for note in manifest.build.notes)
    script.takes_timing_cache = True
    assert build(request).build.timing_cache == "reused"


def test_a_timing_cache_refused_in_part_while_building_is_noticed_and_kept(install, tmp_path) -> None:
    """TensorRT 8.5 accepts the cache and writes one error line; without the rest of it a build takes twice as long."""
    script = install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path, force=True)
    build(request)
    script.says = [
        (
            "ERROR",
            "1: [myelinCache.h::deserializeFromBuffer::52] Error Code 1: Myelin (Myelin error from unknown graph)",
        )
    ]
    partly = build(request).build
    assert partly.timing_cache == "partly"
    assert any("measured those anew" in note for note in partly.notes)
    script.says = []
    assert build(request).build.timing_cache == "reused"


def test_an_altered_timing_cache_never_reaches_tensorrt(install, tmp_path) -> None:
    """Its bytes are parsed by C++ that trusts them."""
    script = install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path, force=True)
    build(request)
    (kept,) = (tmp_path / "cache" / "key").glob("timing-*.cache")
    kept.write_bytes(kept.read_bytes().replace(b"+timings", b"-timings"))
    assert build(request).build.timing_cache == "refused"
    assert script.timing_cache_given == b""


def test_a_cache_folder_that_cannot_be_written_stops_the_build_at_once(install, tmp_path) -> None:
    """The cache would be lost after minutes of building, each time."""
    install("8.5.2", Script(while_building=lambda: pytest.fail("it was built")))
    (tmp_path / "cache").write_text("a file where the folder should be")
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    with pytest.raises(BuildError, match="cache folder") as caught:
        build(request)
    assert "chown" in caught.value.hint


def test_nan_in_the_data_fails_the_build_although_tensorrt_swallows_it(install, tmp_path, monkeypatch) -> None:
    """An exception inside a callback is printed by TensorRT and forgotten; the engine would be built from nothing."""

    class Poisoned(trt_builder.CalibrationPictures):
        def __iter__(self):
            for number, images in enumerate(super().__iter__()):
                images[0, 0, 0, 0] = np.nan if number == 2 else 0
                yield images

    script = install("8.5.2", Script())
    monkeypatch.setattr(trt_builder, "CalibrationPictures", Poisoned)
    folder = pictures(tmp_path / "set")
    model = save_yolov8(tmp_path / "model.onnx")
    request = request_for(model, tmp_path, "int8", route="calibrator", calibration_dir=folder)
    with pytest.raises(CalibrationError, match="batch 3 holds NaN or infinity in 'images'"):
        build(request)
    assert script.calibration_batches == 2
    assert (left_behind(request), Buffer.alive) == ([], 0)
    assert list((tmp_path / "cache" / "key").glob("calibration-*")) == []


def test_an_empty_calibration_set_is_refused(install, tmp_path) -> None:
    """TensorRT would build without scales."""
    install("8.5.2", Script())
    request = request_for(
        save_yolov8(tmp_path / "model.onnx"), tmp_path, "int8", route="calibrator", calibration_dir=str(tmp_path)
    )
    with pytest.raises(CalibrationError, match="no pictures"):
        build(request)


@pytest.mark.parametrize(
    "options, precision, profile, message",
    [
        ({"dla_core": 0}, "fp16", ONE, "finds none"),
        ({"dla_core": 5}, "fp16", ONE, "no DLA core 5"),
        ({"dla_core": 0}, "fp32", ONE, "not compute in FP32"),
        ({"dla_core": 0}, "fp16", UP_TO_FOUR, "one input size"),
    ],
    ids=["no DLA", "no such core", "fp32", "varying sizes"],
)
def test_what_a_dla_cannot_do_is_refused(install, tmp_path, options, precision, profile, message) -> None:
    """TensorRT fails on these late, or silently runs everything on the GPU."""
    install("8.5.2", Script(dla_cores=0 if message == "finds none" else 2))
    model = save_plain(tmp_path / "model.onnx", shape=("batch", 3, SIDE, SIDE))
    request = request_for(model, tmp_path, precision, profile=profile, tensorrt=TensorRTOptions(**options))
    with pytest.raises(BuildError, match=message):
        build(request)


def test_layers_that_leave_the_dla_are_listed(install, tmp_path) -> None:
    """Fallback is silent in TensorRT; with it a DLA costs more than it saves."""
    script = install("8.5.2", Script(dla_cores=2, not_on_dla={"SOFTMAX"}))
    model = save_yolov8(tmp_path / "model.onnx")
    request = request_for(model, tmp_path, "fp16", tensorrt=TensorRTOptions(dla_core=1))
    manifest = build(request)
    softmax = [node.name for node in onnx.load(str(model)).graph.node if node.op_type == "Softmax"]
    assert (tuple(softmax), "1") == (manifest.build.dla_fallback, manifest.extra["dla_core"])
    assert "GPU_FALLBACK" in script.flags
    assert any("nothing of this engine runs on DLA core 1" in warning for warning in manifest.warnings)


def test_options_reach_tensorrt_or_are_said_to_have_no_effect(install, tmp_path) -> None:
    """An option that is dropped silently is believed to work."""
    options = TensorRTOptions(workspace_mib=100, optimisation_level=4, library_tactics=True)
    script = install("8.5.2", Script())
    model = save_yolov8(tmp_path / "model.onnx")
    manifest = build(request_for(model, tmp_path, tensorrt=options))
    assert script.workspace_bytes == 100 << 20
    assert script.tactic_sources & 0b111 == 0b111
    assert any("no optimisation levels" in warning for warning in manifest.warnings)
    script = install("8.6.1", Script())
    manifest = build(
        request_for(model, tmp_path, tensorrt=dataclasses.replace(options, library_tactics=False), force=True)
    )
    assert script.tactic_sources & 0b111 == 0
    assert not any("optimisation level" in warning for warning in manifest.warnings)


def test_progress_follows_the_monitor_where_there_is_one(install, tmp_path) -> None:
    """Ten minutes without a word look like a hang."""
    told: List[Tuple[str, int, int]] = []
    install("10.3.0", Script())
    build(request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path), told)
    assert [("building: Building Engine", done, 2) for done in range(3)] == [
        step for step in told if step[0].startswith("building: ")
    ]


def test_a_caller_that_fails_stops_the_build_and_is_heard(install, tmp_path) -> None:
    """The host went away: TensorRT would swallow the error and build on."""
    install("10.3.0", Script())

    def broken(what: str, done: int, total: int) -> None:
        if what.startswith("building: "):
            raise BrokenPipeError("the host is gone")

    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    with pytest.raises(BrokenPipeError, match="the host is gone"):
        trt_build.build(request, PROFILE, broken)
    assert left_behind(request) == []


def test_an_engine_that_fails_its_check_is_not_published(install, tmp_path, monkeypatch) -> None:
    """An engine that answers NaN must never be found by the next build."""
    install("8.5.2", Script())
    engines = []

    def load(path, manifest, threads):
        engines.append(Engine())
        return engines[0]

    def refuse(engine, request):
        raise VerifyError("NaN")

    monkeypatch.setattr(trt_build, "load", load)
    monkeypatch.setattr(trt_build, "prove", refuse)
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    with pytest.raises(VerifyError):
        build(request)
    assert (left_behind(request), engines[0].closed) == ([], True)


def test_without_a_compiler_the_manifest_says_what_runs_on_the_cpu(install, tmp_path, monkeypatch) -> None:
    """Half the frame rate, and no reason to be found."""
    install("8.5.2", Script())

    def none(sm):
        raise DeviceError("there is neither NVRTC nor nvcc", hint="install one")

    monkeypatch.setattr(trt_build, "compile_kernels", none)
    manifest = build(request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path))
    assert manifest.attachments == ()
    assert any("on the CPU" in warning and "NVRTC" in warning for warning in manifest.warnings)


def test_only_the_model_asked_for_is_parsed(install, tmp_path) -> None:
    """A file that was cut short on its way to the device would become an engine of nobody's model."""
    install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    Path(request.model_path).write_bytes(Path(request.model_path).read_bytes()[:-1])
    with pytest.raises(ModelError, match="is not the model"):
        build(request)
    Path(request.model_path).unlink()
    with pytest.raises(ModelError, match="does not exist"):
        build(request)


def test_a_second_build_finds_the_first(install, tmp_path) -> None:
    """A build takes minutes."""
    told: List[Tuple[str, int, int]] = []
    install("8.5.2", Script())
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    assert build(request) == build(request, told)
    assert told == [("already built", 1, 1)]


def test_without_tensorrt_the_error_says_how_to_get_it(install, tmp_path, monkeypatch) -> None:
    """ModuleNotFoundError helps nobody on a Jetson."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    forget()
    with pytest.raises(DeviceError, match="tensorrt"):
        build(request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path))


def test_without_a_gpu_nothing_is_built(install, tmp_path, monkeypatch) -> None:
    """The driver's own words, not a segmentation fault in the builder."""
    install("8.5.2", Script(while_building=lambda: pytest.fail("it was built")))

    def absent(index: int = 0):
        raise DeviceError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(driver, "gpu_facts", absent)
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        build(request)
    assert left_behind(request) == []


KILLED = """
import sys, time
from pathlib import Path
from tests.runtime.trt import test_build as t
from tests.fake_tensorrt import Script, make_fake_tensorrt

def wait():
    print("building", flush=True)
    time.sleep(60)

sys.modules["tensorrt"] = make_fake_tensorrt("8.5.2", Script(while_building=wait))
t.trt_build.OwnerThread = t.Owner
t.driver.gpu_facts = lambda index=0: t.GPU
t.driver.mem_get_info = lambda: (4 << 30, 8 << 30)
folder = Path(sys.argv[1])
t.build(t.request_for(folder / "model.onnx", folder))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_builder_that_is_killed_leaves_no_engine_and_the_next_one_cleans_up(install, tmp_path, number) -> None:
    """Out of memory the kernel kills with SIGKILL; a truncated plan under its final name would be deployed."""
    request = request_for(save_yolov8(tmp_path / "model.onnx"), tmp_path)
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "building\n"
        child.send_signal(number)
        child.wait(timeout=20)
    assert not (tmp_path / "engines" / request.engine_id).exists()
    install("8.5.2", Script())
    build(request)
    assert [request.engine_id] == left_behind(request)
