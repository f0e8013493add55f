"""What an opened engine tells of itself, by the names that each TensorRT release has."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

from edgekit.core.engine import EngineLayer
from edgekit.core.plan_file import plan_version, split_plan
from edgekit.core.requests import InspectRequest
from edgekit.core.tensors import TensorSpec
from edgekit.errors import EngineError
from edgekit.runtime import inspect as runtime_inspect
from edgekit.runtime.inspect import inspect_engine
from edgekit.runtime.trt import inspect as module
from edgekit.runtime.trt.inspect import describe_engine
from edgekit.runtime.trt.plan import activation_bytes


def test_memory_is_read_by_the_name_that_the_release_has():
    """8.x has the first name only, 11 the second, and 10.x warns of the first."""
    assert activation_bytes(SimpleNamespace(device_memory_size=5 << 20)) == 5 << 20
    assert activation_bytes(SimpleNamespace(device_memory_size_v2=7 << 20)) == 7 << 20
    assert activation_bytes(SimpleNamespace(device_memory_size=1, device_memory_size_v2=7 << 20)) == 7 << 20


def test_an_engine_is_described_by_its_inspector(monkeypatch):
    """A stand-in with the attributes of TensorRT 8.5's EngineInspector, as its Python API lists them."""
    record = {"Name": "/a/Conv", "LayerType": "CaskConvolution", "Weights": {"Type": "Half"}, "TacticName": "t"}
    asked = []

    def tell(form):
        asked.append(form)
        return json.dumps({"Layers": [record], "Bindings": []})

    library = SimpleNamespace(__version__="8.5.2.2", LayerInformationFormat=SimpleNamespace(JSON="json"))
    specs = ((TensorSpec("images", (1, 3, 8, 8)),), (TensorSpec("output0", (1, 5, 4)),))
    monkeypatch.setattr(module, "load_library", lambda: library)
    monkeypatch.setattr(module, "tensor_specs", lambda engine: specs)
    engine = SimpleNamespace(
        create_engine_inspector=lambda: SimpleNamespace(get_engine_information=tell), device_memory_size=3 << 20
    )
    found = describe_engine(engine)
    assert asked == ["json"]
    assert found.layers == (EngineLayer("/a/Conv", "CaskConvolution", "fp16", "t"),)
    assert (found.tensorrt, found.activation_mib) == ("8.5.2.2", 3.0)
    assert (found.inputs, found.outputs) == specs


@pytest.mark.gpu
def test_a_real_engine_tells_its_layers_and_its_release(build_tiny, monkeypatch):
    """The inspector's texts and the plan's first bytes are NVIDIA's, and only a real plan shows that we read them."""
    tiny = build_tiny(1)
    plan = (tiny.folder / tiny.manifest.file_name).read_bytes()
    assert split_plan(plan).warnings == ()
    version = plan_version(plan)
    assert version is None or version.split(".")[:3] == tiny.profile.backend_version.split(".")[:3]
    monkeypatch.setattr(runtime_inspect, "probe_device", lambda: tiny.profile)
    answer = inspect_engine(InspectRequest(str(tiny.folder), open=True), lambda what, done, total: None)
    assert {check.state for check in answer.files} == {"whole"}
    assert answer.opened.inputs == tiny.manifest.inputs
    assert answer.opened.layers == tiny.manifest.build.layers
    assert any("conv" in layer.kind.lower() for layer in answer.opened.layers)
    assert {layer.precision for layer in answer.opened.layers} <= {"fp32", ""}
    assert "fp32" in {layer.precision for layer in answer.opened.layers}


@pytest.mark.gpu
def test_a_flipped_bit_keeps_a_real_plan_closed(build_tiny, monkeypatch, tmp_path):
    """The same engine, altered where TensorRT might not look."""
    tiny = build_tiny(1)
    folder = tmp_path / "engine"
    shutil.copytree(tiny.folder, folder)
    data = bytearray((folder / tiny.manifest.file_name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / tiny.manifest.file_name).write_bytes(data)
    monkeypatch.setattr(runtime_inspect, "probe_device", lambda: tiny.profile)
    with pytest.raises(EngineError, match="digest"):
        inspect_engine(InspectRequest(str(folder), open=True), lambda what, done, total: None)
