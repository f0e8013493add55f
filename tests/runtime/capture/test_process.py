"""The parent against capture processes that misbehave: real processes, which say what a test tells them to."""

from __future__ import annotations

import os
import random
import resource
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.camera_attempts import Patience
from edgekit.core.camera_uri import parse_camera_uri
from edgekit.errors import SourceError, UsageError
from edgekit.runtime.capture import process
from edgekit.runtime.capture.source import CameraSource
from edgekit.runtime.sources import open_source
from tests.runtime.capture.cameras import descriptors, resident_mib, wait_for

URI = parse_camera_uri("rtsp://user:hunter22@cam/1?stall_s=1")
HASTY = Patience(start_s=3, open_s=1, first_s=1, close_s=0.3)

# What each stand-in for a capture process begins with: it takes its request and has `out`, `ring` and the words.
PRELUDE = """
import json, mmap, os, sys, time
line = b""
while not line.endswith(b"\\n"): line += os.read(0, 1)
request = json.loads(line); out, fd = request["out_fd"], request["ring_fd"]
ring = mmap.mmap(fd, 0)
def say(text): os.write(out, text.encode() + b"\\n")
def lend(n, slot=0, w=64, h=48, at=None):
    ring[slot * 99532800: slot * 99532800 + w * h * 3] = bytes([n % 251]) * (w * h * 3)
    say(json.dumps({"picture": [slot, n, w, h, at or time.monotonic_ns()]}))
def asked(): return os.read(0, 1)
say('{"word":["opening","",""]}'); say('{"word":["connected","",""]}')
"""
GOOD = "n = 0\nwhile asked():\n    n += 1; time.sleep(0.01); lend(n, n % 3)\n"


class Soon(random.Random):
    """No wait worth mentioning between two attempts."""

    def uniform(self, a, b):
        return 0.02 if b <= 8 else a


@pytest.fixture()
def child(monkeypatch, tmp_path):
    """Sets what capture processes do: the n-th script for the n-th process, the last one from then on."""

    def use(*scripts):
        for number, script in enumerate(scripts):
            (tmp_path / f"{number}.py").write_text(PRELUDE + script)
        chooser = (
            f"import pathlib, sys\nhere = pathlib.Path({str(tmp_path)!r})\ncount = len(list(here.glob('run-*')))\n"
            f"(here / f'run-{{count}}').touch()\n"
            f"source = (here / f'{{min(count, {len(scripts) - 1})}}.py').read_text()\nexec(source)\n"
        )
        (tmp_path / "child.py").write_text(chooser)
        monkeypatch.setattr(process, "ARGUMENTS", ("-S", str(tmp_path / "child.py")))

    return use


def camera(**options):
    changes = []
    source = CameraSource(
        options.pop("uri", URI),
        lambda _, condition: changes.append((condition.state, condition.detail)),
        options.pop("patience", HASTY),
        Soon(),
    )
    return source, changes


@pytest.mark.timed
def test_frames_come_with_their_pixels_and_times(child):
    """The hand-over itself."""
    child(GOOD)
    source, _ = camera()
    with source:
        for number in range(1, 30):
            frame = next(source)
            assert frame.pixels.shape == (48, 64, 3) and np.all(frame.pixels == number)
            assert frame.index == number - 1 and 0 <= time.monotonic() - frame.captured_s < 0.5
        assert source.condition.state == "ok" and source.restarts == 0


@pytest.mark.parametrize(
    "bad, says",
    [
        ("asked(); say('garbage')", "garbage"),
        ("asked(); say('{\"picture\":[0,1,-4,48,1]}')", "garbage"),
        ("asked(); say('{\"picture\":[7,1,64,48,1]}')", "garbage"),
        ("asked(); lend(1); asked(); lend(1); time.sleep(9)", "garbage"),
        ("os.write(out, b'x' * 200000); time.sleep(9)", "garbage"),
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 11); time.sleep(9)", "SIGSEGV"),
        ("asked(); lend(1); time.sleep(9)", "no picture for 1 s"),
        ("time.sleep(9)", "no picture within"),
        ("os.kill(os.getpid(), 19); time.sleep(9)", "no picture within"),
        ("sys.stderr.write('rtsp://user:hunter22@cam: 401 Unauthorized'); sys.stderr.flush(); os._exit(1)", "password"),
        ("say('{\"word\":[\"failed\",\"no hunter22\",\"other\"]}'); os._exit(1)", "no ***"),
        ("import signal; signal.signal(15, 1); os.close(out); time.sleep(9)", "closed its pipe"),
    ],
    ids=[
        "garbage", "negative size", "slot 7", "number again", "endless line", "exit", "crash", "stall", "silent",
        "stopped", "password", "quotes password", "closed pipe",
    ],
)  # fmt: skip
def test_whatever_a_capture_process_does_another_one_follows(child, bad, says):
    """One of these and the camera stays dead until someone looks."""
    child(bad, GOOD)
    # A wrong password waits twenty seconds, which is another test's subject.
    source, changes = camera()
    with source:
        if says == "password":
            reader = threading.Thread(target=lambda: list(source))
            reader.start()
            assert wait_for(lambda: any("password" in detail for _, detail in changes), 5)
            source.stop()
            reader.join(2)
            assert not reader.is_alive()
        else:
            deadline_s = time.monotonic() + 8
            while source.restarts == 0 or source.condition.state != "ok":
                next(source)
                assert time.monotonic() < deadline_s
        assert any(says in detail for _, detail in changes), changes
        assert "hunter22" not in str(changes) + str(source.notes)


def test_a_child_cannot_cut_the_shared_memory(child):
    """The service would die of SIGBUS, and all cameras with it."""
    child("asked()\ntry:\n    os.ftruncate(fd, 0)\nexcept PermissionError: lend(1)\n" + GOOD)
    source, _ = camera()
    with source:
        assert next(source).index == 0 and source.restarts == 0


def test_a_flood_on_standard_error_is_swallowed(child):
    """A camera daemon's error loop has filled disks with tens of gigabytes."""
    child(
        "import threading\nthreading.Thread(target=lambda: [os.write(2, b'e' * 65536) for _ in range(800)]).start()\n"
        + GOOD
    )
    source, _ = camera()
    before_mib = resident_mib()
    with source:
        for _ in range(100):
            next(source)
        assert source._run is not None and len(source._run.process.output_tail) <= 4096
    assert resident_mib() - before_mib < 20


def test_pictures_from_before_a_long_pause_of_the_reader_are_not_handed_out_as_new(child):
    """After a pause the first detection would be of the past."""
    child("asked(); lend(1); asked(); lend(2, at=time.monotonic_ns() - 60 * 10**9)\nn = 2\n" + GOOD[6:])
    source, _ = camera()
    with source:
        first = next(source)
        time.sleep(1.2)
        second = next(source)
    assert [int(frame.pixels[0, 0, 0]) for frame in (first, second)] == [1, 3]


def test_a_camera_whose_clock_is_behind_is_read_all_the_same(child):
    """All of its pictures would be taken for old ones, for ever."""
    child("n = 0\nwhile asked(): n += 1; lend(n, n % 3, at=time.monotonic_ns() - 8 * 10**9)")
    source, _ = camera()
    with source:
        assert [int(next(source).pixels[0, 0, 0]) for _ in range(3)] == [1, 2, 3]


@pytest.mark.timed
def test_stop_ends_a_reader_that_waits_for_a_dead_camera(child):
    """Ctrl-C would hang until the camera is back."""
    child("time.sleep(60)")
    source, _ = camera(patience=Patience())
    reader = threading.Thread(target=lambda: list(source))
    reader.start()
    assert wait_for(lambda: source.pid is not None, 5)
    started_s = time.monotonic()
    source.stop()
    reader.join(2)
    assert not reader.is_alive() and time.monotonic() - started_s < 0.5
    source.close()


def test_close_while_a_thread_reads_waits_for_it_and_leaves_no_process(child):
    """A pipeline that gives up on a hanging camera closes it in the middle of a read."""
    child(GOOD)
    source, _ = camera()
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(frame.index for frame in source))
    reader.start()
    assert wait_for(lambda: len(seen) > 3, 5)
    pid = source.pid
    source.close()
    reader.join(1)
    assert not reader.is_alive() and not Path(f"/proc/{pid}").exists()


def test_a_capture_process_ends_when_its_parent_is_killed(tmp_path):
    """Each restart of the service would leave processes that hold the cameras."""
    script = (
        "import sys, time\nfrom edgekit.core.camera_uri import parse_camera_uri\n"
        "from edgekit.runtime.capture.process import CaptureProcess\n"
        "child = CaptureProcess(parse_camera_uri('rtsp://127.0.0.1:%d/x'))\nprint(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    import socket
    import subprocess
    import sys

    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and then nothing
        parent = subprocess.Popen(
            [sys.executable, "-c", script % silent.getsockname()[1]], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        pid = int(parent.stdout.readline())
        time.sleep(1)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert wait_for(lambda: not Path(f"/proc/{pid}").exists(), 5)


def test_the_password_is_in_no_argument_and_no_environment(child, tmp_path):
    """Every user of the machine can read the one, and every child inherits the other."""
    child("asked(); lend(1); asked(); time.sleep(9)")
    source, _ = camera()
    with source:
        next(source)
        for name in ("cmdline", "environ"):
            assert b"hunter22" not in Path(f"/proc/{source.pid}/{name}").read_bytes()


def children():
    """Of this process; some may be those of other tests."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_restarts_leave_no_descriptor_process_or_memory_behind(child):
    """Two hundred bad nights, and the service could open no file any more."""
    child("asked(); lend(1); asked()\nos.kill(os.getpid(), 9)")
    source, _ = camera()
    before = children()
    with source:
        counts = []
        while source.restarts < 60:
            next(source)
            counts.append((descriptors(), resident_mib()))
    early, late = counts[5], counts[-1]
    assert early[0] == late[0] and late[1] - early[1] < 3
    assert children() <= before


def test_a_machine_that_can_never_read_the_camera_says_so_at_once():
    """A csi address on a workstation would wait for ever."""
    source = CameraSource(parse_camera_uri("csi://0"), lambda *_: None, None, Soon())
    with source, pytest.raises(SourceError) as caught:
        next(source)
    assert "csi://0" in str(caught.value) and "nvarguscamerasrc" in str(caught.value)


def test_ctrl_c_in_a_terminal_is_for_the_parent_alone(child):
    """All cameras would end before the service could say goodbye."""
    child(GOOD)
    source, _ = camera()
    with source:
        next(source)
        assert os.getsid(source.pid) == source.pid
        os.kill(source.pid, signal.SIGCONT)


def test_a_service_without_descriptors_left_waits_for_some(child):
    """A leak elsewhere would end the cameras for good instead of for as long as it lasts."""
    child(GOOD)
    source, changes = camera()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    reader = threading.Thread(target=lambda: [None for _ in source])
    with source:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 1, limits[1]))
            reader.start()
            assert wait_for(lambda: any("no capture process can be started" in detail for _, detail in changes), 5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert wait_for(lambda: source.condition.state == "ok", 5)
    reader.join(2)
    assert not reader.is_alive()


@pytest.mark.parametrize("address", ["rstp://admin:hunter22@cam/1", "rtsp://admin:hunter22@cam/1?width=x"])
def test_opening_a_mistyped_address_does_not_show_its_password(address):
    """The error goes to the screen, the journal and the health file."""
    with pytest.raises(UsageError) as caught:
        open_source(address)
    assert "hunter22" not in str(caught.value)
