"""A GPU with TensorRT for tests: pretended, over the stand-in that runs kernels as C++, or real (marker gpu)."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import types

import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import Attachment, BuildRequest
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.compile import KERNELS_FILE
from edgekit.runtime.engine_files import read_manifest
from edgekit.runtime.engines import build_engine
from edgekit.runtime.trt import library, plan
from edgekit.runtime.trt.engine import load
from tests.fakes import manifest_for
from tests.pretend_tensorrt import HEIGHT, WIDTH, make_module
from tests.runtime.cuda.conftest import stand_in, stand_in_path  # noqa: F401


class PretendPycuda:
    """pycuda.driver as far as the owner thread uses it, written from its documentation."""

    Error = type("Error", (Exception,), {})

    class Device:
        def __init__(self, index):
            pass

        def retain_primary_context(self):
            return types.SimpleNamespace(push=lambda: None, pop=lambda: None, detach=lambda: None)

    @staticmethod
    def init():
        pass


def forget_tensorrt():
    library.load_library.cache_clear()
    library.logger.cache_clear()
    plan._register_own_plugins.cache_clear()


@pytest.fixture(params=["8", "10"])
def pretend(request, stand_in, monkeypatch):  # noqa: F811
    """The pretended module tensorrt of a release; `engines` are those that were opened."""
    module = make_module(request.param)
    package = types.ModuleType("pycuda")
    package.driver = PretendPycuda
    for name, value in (("tensorrt", module), ("pycuda", package), ("pycuda.driver", PretendPycuda)):
        monkeypatch.setitem(sys.modules, name, value)
    forget_tensorrt()
    yield module
    forget_tensorrt()


def yolo_detector(max_batch: int = 1, model_sha256: str = "0" * 64) -> DetectorSpec:
    """Two classes at 96 x 64 px; its threshold leaves about a third of the cells."""
    smallest, largest = InputSize(1, HEIGHT, WIDTH), InputSize(max_batch, HEIGHT, WIDTH)
    return DetectorSpec(
        name="tiny",
        model_sha256=model_sha256,
        input=InputSpec("images"),
        profile=ShapeProfile(smallest, InputSize(min(2, max_batch), HEIGHT, WIDTH), largest),
        layout="yolov8",
        labels=("car", "person"),
        confidence=0.5,
    )


@pytest.fixture
def open_pretended(pretend, tmp_path):
    """open_pretended(plan, max_batch, kernels) -> (engine, detector); every engine is closed afterwards."""
    opened = []

    def open_one(plan_name: str = "fixed", max_batch: int = 1, kernels: bool = True):
        folder = tmp_path / f"{len(opened)}"
        folder.mkdir()
        (folder / "model.plan").write_bytes(plan_name.encode())
        (folder / KERNELS_FILE).write_bytes(b"stand-in")
        detector = yolo_detector(max_batch)
        attachments = (Attachment(KERNELS_FILE, "", 8),) if kernels else ()
        inputs = (TensorSpec("images", (None, 3, HEIGHT, WIDTH)),)
        manifest = dataclasses.replace(manifest_for(detector), attachments=attachments, inputs=inputs)
        opened.append(load(folder / "model.plan", manifest, 0))
        return opened[-1], detector

    yield open_one
    for engine in opened:
        engine.close()


class RealEngine:
    """A folder with an engine that was built here, its detector and model."""

    def __init__(self, folder, detector, profile, model_path):
        self.folder, self.detector, self.profile, self.model_path = folder, detector, profile, model_path
        self.manifest = read_manifest(folder)


def device_profile() -> DeviceProfile:
    """This machine as an engine key needs it; skips where TensorRT cannot run."""
    pytest.importorskip("tensorrt", reason="TensorRT is not installed")
    pytest.importorskip("pycuda", reason="pycuda is not installed")
    try:
        facts = driver.gpu_facts()
    except DeviceError as error:
        pytest.skip(error.what)
    return DeviceProfile(
        module="x86_64",
        backend="tensorrt",
        backend_version=library.load_library().__version__,
        python="",
        edgekit="",
        cpu_count=1,
        memory_total_mib=1,
        memory_available_mib=1,
        disk_free_mib=1,
        sm=facts.sm,
    )


@pytest.fixture(scope="session")
def build_tiny(tmp_path_factory):
    """build_tiny(max_batch) -> RealEngine in FP32 of three convolutions; each built once, with one timing cache."""
    profile = device_profile()
    onnx_models = pytest.importorskip("tests.tiny_yolo", reason="the package onnx is not installed")
    root = tmp_path_factory.mktemp("engines")
    built = {}

    def build(max_batch: int) -> RealEngine:
        if max_batch not in built:
            path = onnx_models.save_tiny_yolo(root / f"tiny{max_batch}.onnx", 1 if max_batch == 1 else None)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            detector = yolo_detector(max_batch, digest)
            request = BuildRequest(
                detector=detector,
                precision="fp32",
                engine_key=profile.engine_key,
                model_path=str(path),
                engines_dir=str(root),
                cache_dir=str(root / "cache"),
            )
            manifest = build_engine(request, profile, lambda what, done, total: None)
            built[max_batch] = RealEngine(root / manifest.engine_id, detector, profile, path)
        return built[max_batch]

    return build
