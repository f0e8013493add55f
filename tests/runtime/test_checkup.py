"""A checkup finds what will not work on a device, and never fails itself."""

from __future__ import annotations

import pytest

from edgekit.core.boards import BOARDS
from edgekit.core.checkup import CheckupAnswer, CheckupRequest
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError
from edgekit.runtime import checkup
from edgekit.runtime.back_end import BackEnd, Jetson
from edgekit.runtime.checkup import check_jetson, check_memory, check_two_installs, library_version, run_checkup
from edgekit.runtime.cuda.driver import GpuFacts

H200 = GpuFacts("NVIDIA H200", 90, 143771, "13.0", False, True, True)


def findings():
    return {finding.subject: finding for finding in run_checkup(CheckupRequest(), lambda *_: None).findings}


def test_this_machine_has_a_back_end_and_the_answer_travels() -> None:
    """The host reads it as JSON."""
    answer = run_checkup(CheckupRequest(), lambda *_: None)
    assert answer == from_wire(CheckupAnswer, to_wire(answer), "answer")
    assert answer.findings[0].subject == "back end"
    assert all(finding.remedy for finding in answer.findings if finding.severity in ("error", "warning"))


def test_no_back_end_is_a_finding_and_not_the_end(monkeypatch) -> None:
    """Saying what is wrong is what it is asked for."""

    def none(root) -> BackEnd:
        raise DeviceError("TensorRT is not installed", why="looked everywhere", hint="sudo apt install it")

    monkeypatch.setattr(checkup, "find_back_end", none)
    found = findings()["back end"]
    assert (found.severity, found.remedy) == ("error", "sudo apt install it")
    assert "looked everywhere" in found.found


def test_tensorrt_that_is_passed_over_is_a_warning_with_the_reason(monkeypatch) -> None:
    """Otherwise nobody learns why a PC with a GPU builds for its processor."""
    passed_over = BackEnd("onnxruntime", "1.23.2", passed_over="TensorRT 8.5.2.2 is installed and not used: no driver")
    monkeypatch.setattr(checkup, "find_back_end", lambda root: passed_over)
    assert findings()["back end"].severity == "warning"
    assert "no driver" in findings()["back end"].found


def test_jetson_that_runs_on_its_processor_is_told_so_and_not_called_ill(monkeypatch) -> None:
    """It was asked to; its OpenCV is a wheel, which has no GStreamer."""
    jetson = Jetson("xavier-nx", "35.4.1", next(board for board in BOARDS if board.module == "xavier-nx"))
    asked = BackEnd("onnxruntime", "1.19.2", None, jetson, asked=True)
    monkeypatch.setattr(checkup, "find_back_end", lambda root: asked)
    found = findings()
    assert (found["back end"].severity, "EDGEKIT_BACKEND" in found["back end"].found) == ("info", True)
    assert {finding.severity for finding in found.values()} == {"info", "ok"}


def test_each_part_of_a_tensorrt_device_is_tried_by_itself(monkeypatch) -> None:
    """One broken part must not hide the others. Here, without a GPU or TensorRT, trying them really fails."""
    if checkup.find_tensorrt() is not None:
        pytest.skip("TensorRT is installed: the GPU test looks at it")
    monkeypatch.setattr(checkup, "find_back_end", lambda root: BackEnd("tensorrt", "8.5.2.2", H200))
    found = findings()
    assert set(found) >= {
        "GPU",
        "TensorRT",
        "libnvinfer",
        "pycuda",
        "kernel compiler",
        "library tactics",
        "memory",
        "disk",
    }
    assert (found["TensorRT"].severity, found["pycuda"].severity) == ("error", "error")
    assert "compute capability 9.0" in found["GPU"].found


def test_tensorrt_before_jetpack_5_1_is_too_old(monkeypatch) -> None:
    """It lacks the tensor-name API; a build would end in an AttributeError."""
    monkeypatch.setattr(checkup, "find_back_end", lambda root: BackEnd("tensorrt", "8.4.1.5", H200))
    assert "JetPack 5.1" in findings()["TensorRT"].remedy


@pytest.mark.parametrize(
    ("number", "expected"), [(8502, "8.5.2"), (8601, "8.6.1"), (100300, "10.3.0"), (101602, "10.16.2")]
)
def test_the_librarys_number_is_read_in_both_forms(number: int, expected: str) -> None:
    """TensorRT 10 changed the scale; 101602 is what 10.16.2 on a Thor returns."""
    assert expected == library_version(number)


@pytest.mark.parametrize(
    ("package", "library", "severity"),
    [("8.5.2.2", "8.5.2", "ok"), ("10.3.0", "10.7.0", "warning"), ("10.3.0", None, "ok")],
    ids=["one", "two", "wheel"],
)
def test_two_tensorrts_on_one_machine_are_noticed(package: str, library, severity: str) -> None:
    """The Python package then loads the other's library, and plans of either are refused by the other."""
    assert severity == check_two_installs(package, library).severity


def test_jetson_is_named_with_its_release() -> None:
    """And one that edgekit cannot serve is an error, not a puzzle."""
    boards = {board.module: board for board in BOARDS}
    orin = check_jetson(Jetson("orin-nano-8gb", "36.4.7", boards["orin-nano-8gb"]), "")
    assert (orin.severity, orin.found) == ("ok", "Jetson Orin Nano 8GB, Jetson Linux 36.4.7, JetPack 6.2.1")
    assert check_jetson(Jetson("nano-4gb", "32.7.4", boards["nano-4gb"]), "").severity == "error"
    assert "EDGEKIT_L4T states" in check_jetson(Jetson("orin-nano-8gb", "36.4.7"), "36.4.7").found


def test_little_memory_is_a_warning() -> None:
    """Builds killed on 8 GB boards are the commonest failure there is."""
    assert (check_memory(500).severity, check_memory(5000).severity) == ("warning", "ok")


@pytest.mark.gpu
def test_a_gpu_machine_that_works_has_no_errors() -> None:
    """Trying each part for real: the library, a context, the compiler."""
    found = findings()
    if "GPU" not in found:
        pytest.skip(found["back end"].found)
    assert {name: finding.found for name, finding in found.items() if finding.severity == "error"} == {}
