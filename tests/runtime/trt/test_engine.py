"""Opening TensorRT engines and running batches from ordinary memory."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import logging
import resource
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.engine import MANIFEST_NAME
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError, EngineError, EngineMismatchError
from edgekit.runtime import engines
from edgekit.runtime.cuda import driver
from edgekit.runtime.trt import engine as trt_engine
from edgekit.runtime.trt.contexts import Binding, Context
from edgekit.runtime.trt.engine import load
from edgekit.runtime.trt.host_batches import check_input
from edgekit.runtime.trt.library import RecordingLogger, first_error
from edgekit.runtime.trt.plan import PlanTensor, numpy_dtype
from tests.fakes import manifest_for
from tests.made_up_engines import with_header
from tests.pretend_tensorrt import PLANS, Named, grid_table
from tests.runtime.trt.conftest import yolo_detector

ROOT = Path(__file__).resolve().parents[3]
NO_TENSORRT = importlib.util.find_spec("tensorrt") is None


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """(count, 3, 64, 96) float32, smooth and therefore of different scores from place to place."""
    coarse = np.random.default_rng(seed).random((count, 3, 8, 12), np.float32)
    return np.repeat(np.repeat(coarse, 8, axis=2), 8, axis=3)


@pytest.mark.parametrize(
    "name, expected",
    [("FLOAT", "float32"), ("HALF", "float16"), ("INT8", "int8"), ("INT32", "int32"), ("INT64", "int64"),
     ("BOOL", "bool"), ("UINT8", "uint8")],
)  # fmt: skip
def test_every_type_that_numpy_has_is_known(name, expected):
    """trt.nptype fails with numpy 1.24 in TensorRT 8.5, so the table must be complete."""
    assert numpy_dtype(Named(name)) == expected
    np.dtype(expected)


@pytest.mark.parametrize("name", ["BF16", "FP8", "INT4", "FP4", "E8M0"])
def test_a_type_that_numpy_lacks_is_refused_by_name(name):
    """Read as anything else, such an output would be noise."""
    with pytest.raises(EngineError, match=name):
        numpy_dtype(Named(name))


IMAGES = PlanTensor("images", True, (-1, 3, 64, 96), (4, 3, 64, 96), "float32")
SIZES = PlanTensor("orig_target_sizes", True, (1, 2), (1, 2), "int32")


@pytest.mark.parametrize(
    "tensor, shape, dtype",
    [(IMAGES, (5, 3, 64, 96), "float32"), (IMAGES, (3, 64, 96), "float32"), (SIZES, (1, 2), "float32")],
    ids=["larger than its memory", "a dimension short", "fractions for whole numbers"],
)
def test_an_input_that_cannot_be_copied_is_refused(tensor, shape, dtype):
    """Copied nevertheless it would overrun pinned memory, or lose what it means."""
    with pytest.raises(EngineError, match=tensor.name):
        check_input(tensor, np.zeros(shape, dtype))


def test_whole_numbers_may_be_longer_than_the_engine_has_them():
    """TensorRT before 10 turns an ONNX model's int64 into int32; detectors go on giving int64."""
    check_input(SIZES, np.zeros((1, 2), np.int64))
    check_input(dataclasses.replace(IMAGES, dtype="float16"), np.zeros((1, 3, 64, 96), np.float32))


def test_the_logger_keeps_what_matters_and_drops_the_flood():
    """100,000 lines of VERBOSE a build would hide the one error and fill a small board's memory."""
    log = RecordingLogger()
    with log.recorded() as first:
        log.record("VERBOSE", "Tactic: 0x0 Time: 0.01")
        log.record("INFO", "one")
        with log.recorded() as second:
            log.record("ERROR", "two")
    log.record("INFO", "three")
    assert first == [("INFO", "one"), ("ERROR", "two")]
    assert second == [("ERROR", "two")]
    assert log.messages == [("INFO", "one"), ("ERROR", "two"), ("INFO", "three")]


def test_the_logger_does_not_grow_without_end():
    """A service runs for months."""
    log = RecordingLogger()
    for number in range(50_000):
        log.record("INFO", str(number))
    assert len(log.messages) <= 20_000
    assert log.messages[-1] == ("INFO", "49999")


def test_errors_that_nobody_records_reach_the_log(caplog):
    """An engine that fails in the field must leave a line."""
    log = RecordingLogger()
    with log.recorded():
        log.record("ERROR", "recorded")
    with caplog.at_level(logging.INFO):
        log.record("WARNING", "lazy loading is off")
        log.record("ERROR", "illegal address")
        log.record("INFO", "memory usage")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "TensorRT: lazy loading is off"),
        ("ERROR", "TensorRT: illegal address"),
    ]


def test_recording_loses_nothing_between_threads():
    """The builder logs from several threads at once."""
    log = RecordingLogger()
    with log.recorded() as recorded:
        threads = [threading.Thread(target=lambda: [log.record("INFO", "x") for _ in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(recorded) == 2000


def test_the_first_error_is_told_on_one_line():
    """TensorRT's later errors are consequences; a line break in one would break the message apart."""
    messages = [("WARNING", "w"), ("ERROR", "1: [a.cpp]\n  assertion failed"), ("ERROR", "4: deserialization failed")]
    assert first_error(messages) == "1: [a.cpp] assertion failed"
    assert first_error([("INFO", "fine")]) == ""


class NotedContext:
    """IExecutionContext that notes what it is told."""

    def __init__(self):
        self.told = []

    def set_input_shape(self, name, shape):
        self.told.append(("shape", shape))
        return shape[0] < 9

    def set_tensor_address(self, name, memory):
        self.told.append(("address", memory))
        return True

    def execute_async_v3(self, stream_handle):
        self.told.append("run")
        return True


def test_bindings_that_share_a_context_take_turns():
    """With TensorRT 8 and varying sizes there is one context; a stale address would write into another slot."""
    context = NotedContext()
    holder = Context(context)
    first, second = (Binding(holder, {"images": (2, 3, 64, 96)}, {"images": address}) for address in (100, 200))
    for binding in (first, first, second, first):
        assert binding.enqueue(0)
    assert context.told == [
        ("shape", (2, 3, 64, 96)), ("address", 100), "run", "run", ("address", 200), "run", ("address", 100), "run",
    ]  # fmt: skip
    assert holder.resizes == 1


def test_a_shape_outside_the_plan_is_refused_and_counts_as_a_change(pretend):
    """After a refusal nothing is known of the context's shapes, so what was recorded from it is void."""
    holder = Context(NotedContext())
    good = Binding(holder, {"images": (2, 3, 64, 96)}, {})
    good.enqueue(0)
    with pytest.raises(EngineError, match="does not take 'images'"):
        Binding(holder, {"images": (9, 3, 64, 96)}, {}).enqueue(0)
    before = holder.resizes
    good.enqueue(0)
    assert holder.resizes == before + 1


@pytest.mark.skipif(not NO_TENSORRT, reason="TensorRT is installed")
def test_without_tensorrt_the_error_says_where_it_comes_from(tmp_path):
    """`pip install tensorrt` would put another release over JetPack's own."""
    with pytest.raises(DeviceError, match="'tensorrt' is missing") as caught:
        load(tmp_path / "model.plan", manifest_for(yolo_detector()), 0)
    assert "pip install" not in caught.value.hint
    assert "python3-libnvinfer" in caught.value.hint


def test_without_a_driver_the_error_says_so(pretend, monkeypatch, tmp_path):
    """A container without the NVIDIA runtime has TensorRT and no driver."""

    def no_driver():
        raise DeviceError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(driver, "gpu_facts", no_driver)
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        load(tmp_path / "model.plan", manifest_for(yolo_detector()), 0)


@pytest.mark.parametrize("package, hint", [("tensorrt", "python3-libnvinfer"), ("onnx", "pip install onnx")])
def test_a_back_end_whose_package_is_missing_says_which(monkeypatch, package, hint):
    """The traceback of an import would name edgekit's module and not what to install."""

    def missing(name):
        raise ModuleNotFoundError(name=f"{package}.part")

    monkeypatch.setattr(engines.importlib, "import_module", missing)
    with pytest.raises(DeviceError, match=f"'{package}' is missing") as caught:
        engines._module({"tensorrt": "edgekit.runtime.trt.engine"}, "tensorrt")
    assert hint in caught.value.hint


def damaged_folder(folder: Path, damage: str) -> None:
    """Change an engine's folder as a bad copy, a bad disk or a copy of another device's engine would."""
    path = folder / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    plan = folder / manifest["file_name"]
    data = bytearray(plan.read_bytes())
    if damage == "truncated":
        plan.write_bytes(data[: len(data) // 2])
    elif damage == "bit-flipped":
        data[len(data) // 2] ^= 1
        plan.write_bytes(data)
    else:
        path.write_text(json.dumps({**manifest, "engine_key": "orin-nano-8gb-sm87-trt8.5.2.2-l4t35.4.1"}))


REFUSALS = [
    ("truncated", EngineError, "bytes, its manifest says"),
    ("bit-flipped", EngineError, "does not match the digest"),
    ("foreign", EngineMismatchError, "was built for orin-nano-8gb"),
]


@pytest.mark.parametrize("damage, error, words", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_damaged_or_foreign_engine_never_reaches_tensorrt(tmp_path, monkeypatch, damage, error, words):
    """TensorRT ends the process, or worse, on a plan that is not whole or not for this device."""
    detector = yolo_detector()
    content = bytes(range(256))
    (tmp_path / "model.plan").write_bytes(content)
    manifest = dataclasses.replace(
        manifest_for(detector), backend="tensorrt", engine_key="here", file_name="model.plan",
        file_sha256=hashlib.sha256(content).hexdigest(), file_bytes=len(content),
    )  # fmt: skip
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(to_wire(manifest)))
    damaged_folder(tmp_path, damage)
    monkeypatch.setattr(trt_engine, "load", lambda *_: pytest.fail("the plan was opened"))
    profile = type("Profile", (), {"engine_key": "here"})
    with pytest.raises(error, match=words):
        engines.load_engine(str(tmp_path), detector, profile)


@pytest.mark.parametrize("plan, batch, max_batch", [("fixed", 1, 1), ("dynamic", 1, 4), ("dynamic", 3, 4)])
def test_a_batch_goes_through_and_comes_back(open_pretended, plan, batch, max_batch):
    """Wrong sizes or addresses of pinned memory would give other pictures' answers."""
    engine, _ = open_pretended(plan, max_batch)
    for seed in range(3):
        given = pictures(batch, seed)
        found = engine.infer({"images": given})
        np.testing.assert_array_equal(found["output0"], grid_table({"images": given})["output0"])


def test_answers_belong_to_the_caller(open_pretended):
    """A view of pinned memory would change with the next batch, and end the process when it is read after close."""
    engine, _ = open_pretended()
    first = engine.infer({"images": pictures(1, 0)})["output0"]
    expected = grid_table({"images": pictures(1, 0)})["output0"]
    engine.infer({"images": pictures(1, 1)})
    engine.close()
    np.testing.assert_array_equal(first, expected)


def test_an_output_whose_size_depends_on_the_picture_comes_back_whole(open_pretended):
    """Graphs that end in NonMaxSuppression have such outputs; their memory is asked for while the batch runs."""
    engine, detector = open_pretended("growing")
    for seed in range(3):
        given = pictures(1, seed)
        expected = PLANS[b"growing"]().compute({"images": given})["rows"]
        assert len(expected) > 0
        np.testing.assert_array_equal(engine.infer({"images": given})["rows"], expected)
    empty = engine.infer({"images": np.zeros((1, 3, 64, 96), np.float32)})["rows"]
    assert empty.shape == (0, 2)
    assert engine.stages(detector, 1) is None


def test_sizes_outside_the_profile_are_refused(open_pretended):
    """The message of TensorRT itself names a binding by number and no way out."""
    engine, _ = open_pretended("dynamic", 4)
    with pytest.raises(EngineError, match="outside this engine's profile"):
        engine.infer({"images": pictures(5)})
    with pytest.raises(EngineError, match="'images' is missing"):
        engine.infer({"input": pictures(1)})


def test_closing_twice_is_the_same_as_once_and_then_nothing_runs(open_pretended):
    """Pipelines close what callers close again; a second free of GPU memory would end the process."""
    engine, detector = open_pretended()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="was closed"):
        engine.infer({"images": pictures(1)})
    with pytest.raises(EngineError, match="was closed"):
        engine.stages(detector, 1)


def test_a_plan_that_tensorrt_refuses_gives_its_first_words(pretend, tmp_path):
    """ "deserialization failed" alone, TensorRT's last words, says nothing."""
    (tmp_path / "model.plan").write_bytes(b"no plan")
    with pytest.raises(EngineError, match="cannot open") as caught:
        load(tmp_path / "model.plan", manifest_for(yolo_detector()), 0)
    assert "stdArchiveReader" in caught.value.why
    assert "--force" in caught.value.hint


def test_an_engine_of_ultralytics_is_opened_without_its_header(pretend, tmp_path):
    """Their exporter writes JSON before the plan, which TensorRT takes for a damaged plan."""
    (tmp_path / "model.plan").write_bytes(with_header(b"fixed", {"stride": 32}))
    engine = load(tmp_path / "model.plan", manifest_for(yolo_detector()), 0)
    engine.close()
    assert len(pretend.engines) == 1


def test_the_dla_core_is_set_before_the_plan_is_opened(pretend, tmp_path, monkeypatch):
    """Otherwise TensorRT opens a DLA engine for the GPU and refuses it."""
    cores = []
    inner = pretend.Runtime.deserialize_cuda_engine
    monkeypatch.setattr(
        pretend.Runtime, "deserialize_cuda_engine",
        lambda self, plan: (cores.append(getattr(self, "DLA_core", None)), inner(self, plan))[1],
    )  # fmt: skip
    (tmp_path / "model.plan").write_bytes(b"fixed")
    manifest = dataclasses.replace(manifest_for(yolo_detector()), extra={"dla_core": "1"})
    load(tmp_path / "model.plan", manifest, 0).close()
    assert cores == [1]


def test_a_plugin_library_that_is_missing_is_named(pretend, tmp_path):
    """Without it TensorRT would say that some layer's creator is unknown."""
    (tmp_path / "model.plan").write_bytes(b"fixed")
    manifest = dataclasses.replace(manifest_for(yolo_detector()), extra={"plugins": json.dumps(["/nowhere/libx.so"])})
    with pytest.raises(EngineError, match="/nowhere/libx.so"):
        load(tmp_path / "model.plan", manifest, 0)


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


# From here on: a real GPU.


@pytest.fixture
def real(build_tiny):
    """(engine, RealEngine) of a batch of one."""
    built = build_tiny(1)
    engine = engines.load_engine(str(built.folder), built.detector, built.profile)
    yield engine, built
    engine.close()


@pytest.mark.gpu
@pytest.mark.parametrize("max_batch, batches", [(1, [1, 1]), (4, [1, 4, 2, 4])])
def test_an_engine_answers_as_onnx_runtime(build_tiny, max_batch, batches):
    """The one proof that bytes reach the GPU and come back in the right order, also when the batch varies."""
    onnxruntime = pytest.importorskip("onnxruntime")
    built = build_tiny(max_batch)
    session = onnxruntime.InferenceSession(str(built.model_path), providers=["CPUExecutionProvider"])
    engine = engines.load_engine(str(built.folder), built.detector, built.profile)
    try:
        for seed, batch in enumerate(batches):
            given = pictures(batch, seed)
            (expected,) = session.run(["output0"], {"images": given})
            # TF32 keeps 10 bits of mantissa, and boxes are up to 96 px.
            np.testing.assert_allclose(engine.infer({"images": given})["output0"], expected, rtol=5e-3, atol=0.05)
    finally:
        engine.close()


@pytest.mark.gpu
@pytest.mark.parametrize("damage, error, words", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_real_engine_that_was_damaged_is_refused_before_deserialising(
    build_tiny, tmp_path, monkeypatch, damage, error, words
):
    """The same promise as above for an engine that TensorRT wrote."""
    built = build_tiny(1)
    folder = tmp_path / "copy"
    shutil.copytree(str(built.folder), str(folder))
    damaged_folder(folder, damage)
    monkeypatch.setattr(trt_engine, "open_plan", lambda *_: pytest.fail("the plan was deserialised"))
    with pytest.raises(error, match=words):
        engines.load_engine(str(folder), built.detector, built.profile)


@pytest.mark.gpu
def test_a_real_engine_closes_twice_and_runs_no_more(real):
    """See the pretended one; here TensorRT's own objects are freed."""
    engine, _ = real
    engine.infer({"images": pictures(1)})
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="was closed"):
        engine.infer({"images": pictures(1)})


@pytest.mark.gpu
def test_a_process_that_forgets_to_close_ends_quietly(build_tiny, tmp_path):
    """A context left on pycuda's stack, or TensorRT's objects freed after it, abort the process at exit."""
    built = build_tiny(1)
    (tmp_path / "detector.json").write_text(json.dumps(to_wire(built.detector)))
    (tmp_path / "profile.json").write_text(json.dumps(to_wire(built.profile)))
    done = run_python(
        f"""
        import json
        from pathlib import Path
        import numpy as np
        from edgekit.core.detector import DetectorSpec
        from edgekit.core.device import DeviceProfile
        from edgekit.core.wire import from_wire
        from edgekit.runtime.engines import load_engine
        from edgekit.runtime.frames import Frame

        def read(kind, name):
            return from_wire(kind, json.loads((Path({str(tmp_path)!r}) / name).read_text()), name)

        detector, profile = read(DetectorSpec, "detector.json"), read(DeviceProfile, "profile.json")
        engine = load_engine({str(built.folder)!r}, detector, profile)
        engine.infer({{"images": np.zeros((1, 3, 64, 96), np.float32)}})
        stages = engine.stages(detector, 1)
        slot = stages.make_slot()
        stages.preprocess(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, "grey"), slot, 0)
        stages.launch(slot, 1)
        print("launched")
        """
    )
    assert (done.returncode, done.stdout.strip()) == (0, "launched"), done.stderr
    assert not any(word in done.stderr for word in ("Traceback", "rror", "abort", "PyCUDA")), done.stderr


@pytest.mark.gpu
def test_a_thousand_engines_leave_no_memory_behind(build_tiny):
    """A service that reloads its engine every night must not need a restart every month.

    The driver tells what is free on the whole GPU, so this holds only while nobody else uses it.
    """
    built = build_tiny(1)
    plan = built.folder / built.manifest.file_name
    given = {"images": pictures(1)}

    def cycle() -> None:
        engine = load(plan, built.manifest, 0)
        engine.infer(given)
        engine.close()

    keeper = load(plan, built.manifest, 0)  # keeps the GPU's context, whose making takes longer than all the rest
    try:
        for _ in range(50):  # caches of the driver and of malloc fill first
            cycle()
        free_before = keeper.call(driver.mem_get_info)[0]
        resident_before_kib = _resident_kib()
        for _ in range(1000):
            cycle()
        lost_gpu_mib = (free_before - keeper.call(driver.mem_get_info)[0]) / 2**20
        lost_cpu_mib = (_resident_kib() - resident_before_kib) / 2**10
    finally:
        keeper.close()
    assert lost_gpu_mib < 32
    assert lost_cpu_mib < 32


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
