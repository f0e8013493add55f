"""What the driver says about the GPU, and what people read when there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver, libcuda
from edgekit.runtime.cuda.driver import GpuFacts

ROOT = Path(__file__).resolve().parents[3]


def test_the_facts_are_read_from_the_driver(stand_in):
    """The engine key and the kernels' target come from here; 11.4 written as 11.04 would be another device."""
    expected = GpuFacts("stand-in GPU", 87, 7620, "11.4", integrated=False, can_map_host=True, host_register=True)
    assert expected == driver.gpu_facts()
    stand_in.stand_in_integrated(1)
    assert driver.gpu_facts().integrated


def test_a_gpu_that_is_not_there_is_named(stand_in):
    """`index: 1` on a machine with one GPU."""
    with pytest.raises(DeviceError, match="no GPU number 1") as caught:
        driver.gpu_facts(1)
    assert caught.value.why == "the driver sees 1 of them"


@pytest.mark.parametrize(
    "code, words",
    [
        (100, "sees no NVIDIA GPU"),
        (35, "older than this CUDA"),
        (803, "a restart is due"),
        (34, "stub"),
        (999, "dmesg"),
        (12345, ""),
    ],
    ids=str,
)
def test_a_driver_that_does_not_start_says_what_to_do(stand_in, code, words):
    """A number alone sends people to a search engine."""
    stand_in.stand_in_fail(b"cuInit", code)
    with pytest.raises(DeviceError, match=rf"does not start: stand-in error \({code}\)") as caught:
        driver.gpu_facts()
    assert words in caught.value.why


def test_a_machine_without_a_driver_is_told_so(monkeypatch):
    """The commonest case of all: a laptop, or a container without the NVIDIA runtime."""
    monkeypatch.setattr(libcuda, "NAME", "libcuda-that-nobody-has.so.1")
    libcuda.library.cache_clear()
    libcuda._function.cache_clear()
    try:
        with pytest.raises(DeviceError, match="no NVIDIA driver on this machine") as caught:
            driver.gpu_facts()
        assert "libcuda-that-nobody-has" in caught.value.why
        assert "JetPack" in caught.value.hint
    finally:
        libcuda.library.cache_clear()


def test_a_driver_too_old_for_a_function_is_told_so(stand_in, monkeypatch):
    """JetPack 4 has libcuda too, without graphs."""
    monkeypatch.setitem(libcuda.SIGNATURES, "cuOfAnotherYear", ())
    with pytest.raises(DeviceError, match="has no cuOfAnotherYear"):
        libcuda.call("cuOfAnotherYear")


def test_a_refused_call_names_itself_and_the_reason(stand_in):
    """Support begins with which call failed."""
    with pytest.raises(DeviceError, match=r"refused cuStreamSynchronize: invalid argument \(1\)"):
        driver.stream_synchronise(0xDEAD)


def test_every_function_called_is_declared():
    """ctypes passes the address of an undeclared function's argument as 32 bits: it works until memory is large."""
    folder = Path(libcuda.__file__).parent
    called = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r'(?:call|made|status|_function|has)\(\s*"(cu\w+)"', path.read_text(encoding="utf-8"))
    }
    assert len(called) > 30
    assert set(libcuda.SIGNATURES) == called


def test_events_tell_when_work_is_done(gpu):
    """The pipeline hands a slot on by events alone."""
    start, end = driver.make_event(timing=True), driver.make_event(timing=True, blocking=True)
    other = driver.make_stream()
    driver.record(start, gpu.stream)
    driver.stream_wait_event(other, start)
    driver.record(end, other)
    driver.event_synchronise(end)
    assert driver.event_done(start) and driver.event_done(end)
    assert 0 <= driver.elapsed_ms(start, end) < 1000
    for event in (start, end):
        driver.destroy_event(event)
    driver.destroy_stream(other)


def test_an_event_that_is_not_past_yet_is_no_error(stand_in):
    """600 means not ready; anything else is a failure."""
    event = driver.make_event()
    stand_in.stand_in_fail(b"cuEventQuery", 600)
    assert not driver.event_done(event)
    stand_in.stand_in_fail(b"cuEventQuery", 700)
    with pytest.raises(DeviceError, match="cuEventQuery") as caught:
        driver.event_done(event)
    assert "address" in caught.value.why
    driver.destroy_event(event)


def test_free_memory_is_part_of_all(gpu):
    """The builder sizes its workspace by it."""
    free, total = driver.mem_get_info()
    assert 0 < free <= total


def test_the_package_imports_without_any_gpu_library():
    """`probe` and the CPU back end run on machines that have none of it."""
    script = (
        "import sys, pathlib, importlib, edgekit.runtime.cuda as package\n"
        "folder = pathlib.Path(package.__file__).parent\n"
        "for path in folder.glob('[a-z]*.py'): importlib.import_module('edgekit.runtime.cuda.' + path.stem)\n"
        "print([name for name in ('pycuda', 'tensorrt', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
