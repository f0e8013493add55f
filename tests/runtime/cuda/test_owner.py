"""The thread that owns the context: order, errors, and a quiet end."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.owner import OwnerThread

ROOT = Path(__file__).resolve().parents[3]


class FakeContext:
    """pycuda's Context as far as the owner uses it; each step is kept with the thread it ran on."""

    def __init__(self, steps):
        self._steps = steps

    def _step(self, name):
        self._steps.append((name, threading.current_thread().name))

    def push(self):
        self._step("push")

    def pop(self):
        self._step("pop")

    def detach(self):
        self._step("detach")


@pytest.fixture
def pycuda_steps(stand_in, monkeypatch):
    """A pycuda without a GPU, written from its documentation: what was asked of it, in order."""
    steps = []

    class Device:
        def __init__(self, index):
            self.index = index

        def retain_primary_context(self):
            return FakeContext(steps)

    module = types.ModuleType("pycuda.driver")
    module.init, module.Device, module.Error = lambda: None, Device, type("Error", (Exception,), {})
    package = types.ModuleType("pycuda")
    package.driver = module
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", module)
    return steps


def test_the_context_is_pushed_and_taken_back_on_the_owner_thread(pycuda_steps):
    """pycuda aborts the process for a context that is left on any thread's stack."""
    with OwnerThread() as owner:
        assert owner.context_handle
        assert owner.call(lambda: threading.current_thread().name) == "gpu-0"
    assert pycuda_steps == [("push", "gpu-0"), ("pop", "gpu-0"), ("detach", "gpu-0")]


def test_calls_return_raise_and_nest(pycuda_steps):
    """What goes wrong there is told here, and code on the owner thread may call what calls it."""
    with OwnerThread() as owner:
        assert owner.call(divmod, 7, 2) == (3, 1)
        assert owner.call(sorted, [1, 2], reverse=True) == [2, 1]
        with pytest.raises(ZeroDivisionError):
            owner.call(divmod, 7, 0)
        assert owner.call(lambda: owner.call(int, "5")) == 5
        with pytest.raises(ValueError, match="own end"):
            owner.call(owner.close)


def test_work_queued_before_the_end_is_done_and_none_after(pycuda_steps):
    """Engines are freed by such work; dropping it would leak them."""
    owner, gate, done = OwnerThread(), threading.Event(), []
    blocked = threading.Thread(target=owner.call, args=(gate.wait,))
    freeing = threading.Thread(target=owner.call, args=(done.append, "freed"))
    blocked.start()
    while owner._jobs.qsize():
        pass
    freeing.start()
    while not owner._jobs.qsize():
        pass
    closing = threading.Thread(target=owner.close)
    closing.start()
    gate.set()
    for thread in (blocked, freeing, closing):
        thread.join()
    owner.close()
    assert done == ["freed"]
    with pytest.raises(DeviceError, match="given back"):
        owner.call(int)


def test_results_do_not_stay_alive_on_the_owner_thread(pycuda_steps):
    """A kept result, or the frame of an error, keeps GPU memory; freed later, it is freed without a context."""
    import weakref

    class Held:
        pass

    def fail(held):
        raise RuntimeError(str(held))

    with OwnerThread() as owner:
        held = owner.call(Held)
        with pytest.raises(RuntimeError):
            owner.call(fail, held)
        gone = weakref.ref(held)
        del held
        owner.call(int)
        assert gone() is None


def test_without_pycuda_the_error_says_what_to_install(stand_in, monkeypatch):
    """The wheel must be built for the device's own Python."""
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(DeviceError, match="pycuda cannot be imported") as caught:
        OwnerThread()
    assert "wheel" in caught.value.hint


def test_without_a_gpu_no_thread_is_left(stand_in):
    """Falling back to the CPU must not carry a dead thread along."""
    stand_in.stand_in_fail(b"cuInit", 100)
    before = threading.active_count()
    with pytest.raises(DeviceError, match="does not start"):
        OwnerThread()
    for thread in threading.enumerate():
        if thread.name == "gpu-0":
            thread.join(5)
    assert before == threading.active_count()


ENDINGS = {
    "closed": "owner.close()",
    "left open": "",
    "left by sys.exit": "import sys; sys.exit(0)",
    "left open with its context current in another thread": (
        "import threading\n"
        "ready = threading.Event()\n"
        "def serve():\n"
        "    driver.set_current(owner.context_handle)\n"
        "    ready.set()\n"
        "    threading.Event().wait()\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
        "ready.wait()"
    ),
    "left open with memory of both kinds": (
        "from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray\n"
        "driver.set_current(owner.context_handle)\n"
        "kept = DeviceBuffer(1 << 20), PinnedArray((1000,), 'uint8')"
    ),
    "after many": "owner.close()\nfor _ in range(5): OwnerThread().close()",
}


@pytest.mark.gpu
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_the_process_ends_quietly(real_owner, ending):
    """pycuda aborts with a core dump where a context is left; systemd would call each stop a failure."""
    script = (
        "from edgekit.runtime.cuda import driver\n"
        "from edgekit.runtime.cuda.owner import OwnerThread\n"
        "owner = OwnerThread()\n"
        "assert owner.call(driver.mem_get_info)[0] > 0\n" + ending
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.gpu
def test_any_thread_may_work_in_the_owners_context(real_owner):
    """The pipeline's threads are not the owner; pycuda's own objects would refuse them."""
    found = []

    def work():
        driver.set_current(real_owner.context_handle)
        stream = driver.make_stream()
        driver.stream_synchronise(stream)
        driver.destroy_stream(stream)
        found.append(driver.current())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [real_owner.context_handle] * 4 == found
