"""Real children that really take memory, time and too much of both."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekit.errors import BuildError, DeviceError, ModelError
from edgekit.runtime.headroom import headroom_mib, process_mib, reserve_mib
from edgekit.runtime.limited import Limits, limited

REPOSITORY = Path(__file__).resolve().parents[2]
AMPLE = Limits(memory_mib=4096, reserve_mib=0, deadline_s=60.0)


@dataclass(frozen=True)
class Answer:
    pid: int
    niceness: int
    oom_score_adj: int
    note: str = ""


def modest() -> Answer:
    return Answer(os.getpid(), os.nice(0), int(Path("/proc/self/oom_score_adj").read_text()), "ä" * 300_000)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def hold(mib: int, step_mib: int = 16) -> None:
    """Take so much memory bit by bit, and touch it."""
    held = []
    while sum(map(len, held)) < mib << 20:
        held.append(bytearray(b"\x01") * (step_mib << 20))
        time.sleep(0.01)
    time.sleep(60)


def test_the_answer_comes_from_a_child_that_steps_back_for_others():
    """The kernel must take the build and not the camera's service, and the service must keep the processors."""
    answer = limited(modest, Answer, AMPLE)
    assert answer.pid != os.getpid() and gone(answer.pid)
    assert (answer.niceness, answer.oom_score_adj) == (min(19, os.nice(0) + 10), 1000)
    assert len(answer.note) == 300_000


@pytest.mark.timed
def test_it_costs_next_to_nothing():
    """Every deployment asks whether its engine is built."""
    started_s = time.perf_counter()
    for _ in range(5):
        limited(modest, Answer, AMPLE)
    assert (time.perf_counter() - started_s) / 5 < 0.2


def test_a_child_that_takes_too_much_is_ended_with_the_figures():
    """On a Jetson it would take the service with it."""
    limits = Limits(memory_mib=300, reserve_mib=0, deadline_s=60.0)
    started_s = time.monotonic()
    with pytest.raises(BuildError, match=r"want of memory: it took \d\d\d MiB, and 300 MiB are allowed") as refusal:
        limited(lambda: hold(2000), Answer, limits)
    assert time.monotonic() - started_s < 20
    assert "swap" in refusal.value.hint and "--workspace-mib" in refusal.value.hint


def test_a_child_is_ended_when_the_machine_runs_short():
    """What the GPU takes is in no process's own memory, only missing from the machine's."""
    limits = Limits(memory_mib=100_000, reserve_mib=headroom_mib() - 300, deadline_s=60.0)
    with pytest.raises(BuildError, match=r"only \d+ MiB of memory were left"):
        limited(lambda: hold(1500), Answer, limits)


def test_a_child_that_takes_too_long_is_ended():
    """A builder that hangs would hold the device's only build slot for ever."""
    with pytest.raises(BuildError, match=r"took longer than 0\.3 s"):
        limited(lambda: time.sleep(60), Answer, Limits(4096, 0, 0.3))


def test_a_child_that_the_system_kills_is_explained():
    """The kernel's own choice when memory is out is SIGKILL, without a word to anyone."""
    with pytest.raises(BuildError, match="the system killed it") as refusal:
        limited(lambda: os.kill(os.getpid(), signal.SIGKILL), Answer, AMPLE)
    assert "add swap" in refusal.value.hint


def test_a_crash_of_a_library_leaves_the_parent_alive():
    """Builders are large C++ programs; theirs is not our end."""

    def crash() -> None:
        faulthandler.disable()  # pytest's would print the stack of a test that passes
        os.abort()

    with pytest.raises(BuildError, match="crashed: SIGABRT"):
        limited(crash, Answer, AMPLE)
    with pytest.raises(BuildError, match="code 3 and no answer"):
        limited(lambda: os._exit(3), Answer, AMPLE)


def test_errors_come_out_as_they_are(capfd):
    """Its kind decides the exit code, its hint what a person does next."""

    def refuse() -> Answer:
        raise ModelError("no such operator", why="opset 3", hint="export it again")

    with pytest.raises(ModelError, match="no such operator") as refusal:
        limited(refuse, Answer, AMPLE)
    assert (refusal.value.why, refusal.value.hint) == ("opset 3", "export it again")
    with pytest.raises(DeviceError, match="fault of edgekit") as refusal:
        limited(lambda: [][1], Answer, AMPLE)
    assert "IndexError" in refusal.value.what


def test_a_process_with_threads_is_not_forked():
    """A lock held by another thread stays held in the child, for ever."""
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        with pytest.raises(ValueError, match="threads"):
            limited(modest, Answer, AMPLE)
    finally:
        leave.set()
        thread.join()


SCRIPT = """
import sys, os, time, signal
from edgekit.runtime.limited import Limits, limited
def work():
    print(os.getpid(), flush=True)
    {work}
def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
try:
    limited(work, int, Limits(4096, 0, 60.0))
except KeyboardInterrupt:
    sys.exit(130)
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("work", ["time.sleep(60)", DEAF], ids=["a child that listens", "a child that does not"])
def test_the_child_ends_with_its_parent(number, work):
    """Ctrl-C at the host, a cut link, a killed shell: nothing may go on building by itself."""
    command = [sys.executable, "-c", SCRIPT.format(work=work)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process:
        child = int(process.stdout.readline())
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(10) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    deadline_s = time.monotonic() + 5
    while not gone(child):
        assert time.monotonic() < deadline_s, "the child lives on"
        time.sleep(0.02)


def test_headroom_counts_swap_and_a_process_what_it_holds(tmp_path):
    """Swap is what people add to small boards so that a build fits."""
    (tmp_path / "proc").mkdir()
    meminfo = "MemTotal: 4096000 kB\nMemAvailable: 1024000 kB\nSwapTotal: 2048000 kB\nSwapFree: 1536000 kB\n"
    (tmp_path / "proc" / "meminfo").write_text(meminfo)
    assert headroom_mib(tmp_path) == 1000 + 1500
    assert reserve_mib(tmp_path) == 200
    before = process_mib(os.getpid())
    held = bytearray(b"\x01") * (64 << 20)
    assert 60 <= process_mib(os.getpid()) - before <= 70
    del held
    assert process_mib(2**22 + 1) == 0


def test_swap_does_not_count_in_a_container_with_a_limit(tmp_path):
    """The limit counts what is resident; whether its swap may be used is another one."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 4096000 kB\nMemAvailable: 3072000 kB\nSwapFree: 1024000 kB\n")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(str(1000 << 20))
    (group / "memory.current").write_text(str(900 << 20))
    (group / "memory.stat").write_text(f"anon {300 << 20}\nfile {600 << 20}\ninactive_file {500 << 20}\n")
    assert headroom_mib(tmp_path) == 1000 - (900 - 500)
