"""An engine's files are checked where they lie, and no plan is opened that may not be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgekit.core.progress import OnProgress
from edgekit.core.requests import InspectRequest
from edgekit.errors import EngineError, EngineMismatchError
from edgekit.runtime import inspect as module
from edgekit.runtime.inspect import inspect_engine
from tests.made_up_engines import plan_bytes, tensorrt_manifest, write_engine


def ignore(what: str, done: int, total: int) -> None:
    pass


SILENT: OnProgress = ignore


@pytest.fixture
def folder(tmp_path):
    return write_engine(tmp_path / "engine")


def states(folder):
    return {check.file_name: check.state for check in inspect_engine(InspectRequest(str(folder)), SILENT).files}


def test_a_whole_engine_is_said_to_be_whole(folder):
    """The engine and every file that belongs to it."""
    assert states(folder) == {"engine.plan": "whole", "kernels.cubin": "whole"}


@pytest.mark.parametrize("end", [0, 1, 100, len(plan_bytes()) - 1])
def test_a_truncated_engine_is_cut_short(folder, end):
    """A copy that broke off is the commonest damage, and has its own word."""
    (folder / "engine.plan").write_bytes(plan_bytes()[:end])
    assert states(folder) == {"engine.plan": "cut short", "kernels.cubin": "whole"}


@pytest.mark.parametrize("at", [0, 24, 150, len(plan_bytes()) - 1])
def test_one_flipped_bit_is_an_alteration(folder, at):
    """TensorRT does not notice every one."""
    data = bytearray(plan_bytes())
    data[at] ^= 1
    (folder / "engine.plan").write_bytes(data)
    assert states(folder)["engine.plan"] == "altered"


def test_attachments_are_checked_as_the_engine_is(folder):
    """Compiled kernels run on the GPU as much as the plan does."""
    (folder / "kernels.cubin").write_bytes(b"not really a cubim")
    (folder / "engine.plan").write_bytes(plan_bytes() + b"x")
    assert states(folder) == {"engine.plan": "altered", "kernels.cubin": "altered"}
    (folder / "kernels.cubin").unlink()
    assert states(folder)["kernels.cubin"] == "missing"


def test_a_plan_of_another_device_is_not_opened(folder, monkeypatch):
    """TensorRT parses a plan before it looks whether it fits; that may end the process."""
    _fail_if_opened(monkeypatch)
    with pytest.raises(EngineMismatchError, match="xavier-nx"):
        inspect_engine(InspectRequest(str(folder), open=True), SILENT)


def test_a_damaged_plan_is_not_opened(tmp_path, monkeypatch):
    """The same device, and one bit flipped."""
    here = tensorrt_manifest(engine_key=module.probe_device().engine_key)
    folder = write_engine(tmp_path / "engine", here)
    (folder / "engine.plan").write_bytes(plan_bytes()[:-1] + b"\0")
    _fail_if_opened(monkeypatch)
    with pytest.raises(EngineError, match="does not match the digest"):
        inspect_engine(InspectRequest(str(folder), open=True), SILENT)


def test_an_engine_of_onnx_runtime_has_nothing_to_open(tmp_path):
    """It says so, in place of a failing import of TensorRT."""
    folder = write_engine(tmp_path / "engine", tensorrt_manifest(backend="onnxruntime"))
    with pytest.raises(EngineError, match="no layers"):
        inspect_engine(InspectRequest(str(folder), open=True), SILENT)


def _fail_if_opened(monkeypatch):
    def imported(name):
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(module, "importlib", SimpleNamespace(import_module=imported))
