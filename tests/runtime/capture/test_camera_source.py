"""Cameras for real: GStreamer's RTSP server, frozen, killed, cut off, and talking nonsense.

What a CSI or USB camera does differently needs one; nothing here stands in for them.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import List, Optional

import numpy as np
import pytest

from edgekit.core.camera_condition import Condition
from edgekit.core.camera_uri import parse_camera_uri
from edgekit.runtime.capture.source import CameraSource
from edgekit.runtime.sources import open_source
from edgekit.runtime.stream_group import open_sources
from tests.runtime.capture.cameras import (
    Answering,
    Proxy,
    RtspServer,
    clock_ns,
    free_port,
    wait_for,
)
from tests.servers import needed, no_rtsp_server

pytestmark = needed(no_rtsp_server())
BACK_ENDS = ("gstreamer", "opencv")
SMALL = ("--size", "320x180", "--fps", "15")


class Soon(random.Random):
    """The shortest wait there is between two attempts."""

    def uniform(self, a, b):
        return min(a, b)


class Watched:
    """A camera read in a thread of its own."""

    def __init__(self, address: str, chance: Optional[random.Random] = None) -> None:
        self.changes: List[str] = []
        self.frames = 0
        self.last = None
        self.source = CameraSource(parse_camera_uri(address), self._changed, None, chance or Soon())
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _changed(self, _: object, condition: Condition) -> None:
        self.changes.append(f"{condition.state}: {condition.detail}")

    def _read(self) -> None:
        for frame in self.source:
            self.last = frame
            self.frames += 1

    def has_more(self, within_s: float = 15.0, count: int = 3) -> bool:
        wanted = self.frames + count
        return wait_for(lambda: self.frames >= wanted, within_s)

    def says(self, text: str, within_s: float = 15.0) -> bool:
        return wait_for(lambda: any(text in change for change in list(self.changes)), within_s)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.stop()
        self.thread.join(5)
        self.source.close()
        assert not self.thread.is_alive()


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_network_camera_is_read_through_either_library(back_end):
    """One of them is all that some machine has."""
    with RtspServer(*SMALL) as server, open_source(f"{server.uri}?back_end={back_end}") as camera:
        frames = [next(camera) for _ in range(8)]
    assert [frame.pixels.shape for frame in frames] == [(180, 320, 3)] * 8
    assert camera.live and [frame.index for frame in frames] == list(range(8))
    assert any("the CPU" in note for note in camera.notes)
    gaps = np.diff([frame.captured_s for frame in frames])
    assert 0.02 < np.median(gaps) < 0.15


@pytest.mark.parametrize("options", [("--codec", "h265"), ("--codec", "mjpeg"), ("--audio",)], ids=" ".join)
def test_the_codec_is_found_out_and_sound_is_left_alone(options):
    """A user would have to know what the camera sends."""
    # RTP carries JPEG pictures in whole blocks only, so that 180 lines would come out as 184.
    with RtspServer("--size", "320x176", *options) as server, open_source(f"{server.uri}?back_end=gstreamer") as camera:
        assert next(camera).pixels.shape == (176, 320, 3)


def test_size_turn_and_rate_are_as_asked_for():
    """Zones drawn on a turned picture would be elsewhere."""
    with RtspServer(*SMALL) as server:
        for back_end in BACK_ENDS:
            address = f"{server.uri}?back_end={back_end}&width=160&height=90&flip=clockwise&fps=5"
            with open_source(address) as camera:
                frames = [next(camera) for _ in range(6)]
            assert frames[0].pixels.shape == (160, 90, 3)
            assert frames[5].captured_s - frames[1].captured_s > 0.6  # 4 pictures; 0.27 s at the camera's 15 FPS


def test_rows_that_gstreamer_pads_come_out_straight():
    """Widths that are no multiple of four would give slanted pictures."""
    with RtspServer("--size", "320x180", "--pattern", "smpte100") as server:
        with open_source(f"{server.uri}?back_end=gstreamer&width=158&height=90") as camera:
            pixels = next(camera).pixels
    assert pixels.shape == (90, 158, 3)
    assert np.abs(pixels[10].astype(int) - pixels[40].astype(int)).mean() < 3  # bars stand upright


def test_a_frame_is_as_old_as_it_says_and_not_much_older_than_the_scene():
    """Whoever acts on a detection acts on the past, and must know how far."""
    with RtspServer("--size", "640x360", "--fps", "15", "--clock") as server, open_source(server.uri) as camera:
        ages_ms, before_capture_ms = [], []
        for frame in camera:
            made_ms = clock_ns(frame.pixels) / 1e6
            ages_ms.append(time.monotonic() * 1e3 - made_ms)
            before_capture_ms.append(frame.captured_s * 1e3 - made_ms)
            if frame.index == 40:
                break
    assert 0 < np.median(ages_ms[10:]) < 3 * 1000 / 15
    assert 0 < np.median(before_capture_ms[10:]) < np.median(ages_ms[10:]) + 1


@pytest.mark.timed
def test_a_slow_reader_gets_the_latest_and_frames_do_not_grow_old():
    """The classic complaint: after a minute the picture is of a minute ago."""
    with RtspServer("--size", "640x360", "--fps", "30", "--clock") as server, open_source(server.uri) as camera:
        ages_ms = []
        for frame in camera:
            ages_ms.append((time.monotonic_ns() - clock_ns(frame.pixels)) / 1e6)
            time.sleep(0.17)  # five times slower than the camera
            if frame.index == 25:
                break
        assert camera.replaced > 60
    assert max(ages_ms[5:]) < 400 and np.median(ages_ms[-8:]) < np.median(ages_ms[3:11]) + 60


@pytest.mark.timed
@pytest.mark.slow
def test_a_frozen_server_is_noticed_within_five_seconds_and_the_others_lose_nothing():
    """A camera whose firmware hangs keeps its connection open: a plain read never returns."""
    with RtspServer(*SMALL) as bad, RtspServer(*SMALL) as good:
        with Watched(bad.uri) as camera, Watched(good.uri) as beside:
            assert camera.has_more() and beside.has_more()
            bad.freeze()
            frozen_s, before = time.monotonic(), beside.frames
            assert camera.says("stalled: no picture for 4.5 s", 6)
            assert 3.9 < time.monotonic() - frozen_s < 5.0
            took_s = time.monotonic() - frozen_s
            assert beside.frames - before > 15 * took_s - 8 and beside.source.restarts == 0
            bad.thaw()
            assert camera.has_more(10) and camera.source.condition.state == "ok"


def test_a_camera_that_was_away_comes_back():
    """A power cut at the camera; it refuses connections until it has booted."""
    server = RtspServer(*SMALL).start()
    try:
        with Watched(server.uri) as camera:
            assert camera.has_more()
            server.kill()
            assert camera.says("reconnecting: the camera refuses the connection")
            server.start()
            assert camera.has_more(10) and camera.source.condition.state == "ok"
    finally:
        server.kill()


@pytest.mark.slow
def test_a_cable_pulled_for_a_while_is_a_stall_and_then_over():
    """Nobody tells a TCP connection that it is dead."""
    with RtspServer(*SMALL) as server, Proxy(server.port) as proxy, Watched(proxy.uri) as camera:
        assert camera.has_more()
        proxy.hole = True
        assert camera.says("stalled: no picture", 6)
        proxy.hole = False
        assert camera.has_more(10)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP], ids=["kill", "crash", "hang"])
def test_a_capture_process_that_dies_or_hangs_is_replaced(number):
    """A decoder's bug on a hostile stream would end the camera for good."""
    with RtspServer(*SMALL) as server, Watched(server.uri) as camera:
        assert camera.has_more()
        os.kill(camera.source.pid, number)
        assert wait_for(lambda: camera.source.restarts == 1, 6) and camera.has_more(6)


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_wrong_password_is_named_not_shown_and_tried_slowly(back_end, capfd):
    """Cameras lock an account after a few tries, and journals are read by many."""
    with RtspServer(*SMALL, "--user", "admin", "--password", "right") as server:
        address = server.uri.replace("://", "://admin:wr0ngpw@")
        with Watched(f"{address}?back_end={back_end}", random.Random(1)) as camera:
            assert camera.says("reconnecting: the camera refuses user or password")
            restarts = camera.source.restarts
            time.sleep(3)
            assert camera.source.restarts == restarts == 1
            told = f"{camera.changes} {camera.source.notes} {camera.source.uri} {capfd.readouterr()}"
    assert "wr0ngpw" not in told and "admin:" not in told


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_right_password_with_odd_characters_works(back_end):
    """Most strong passwords hold some."""
    with RtspServer(*SMALL, "--user", "admin", "--password", 'p@s:s/w"%d') as server:
        address = server.uri.replace("://", "://admin:p%40s%3As%2Fw%22%25d@")
        with open_source(f"{address}?back_end={back_end}") as camera:
            assert next(camera).pixels.shape == (180, 320, 3)


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_stream_that_is_not_there_is_named(back_end):
    """It would look like a network fault."""
    with RtspServer(*SMALL) as server:
        with Watched(server.uri.replace("/cam", "/other") + f"?back_end={back_end}") as camera:
            assert camera.says("the camera has no such stream; check the path")


def test_an_unknown_host_and_a_closed_port_are_named():
    """The two most common mistakes in an address."""
    with Watched("rtsp://no-such-camera.invalid/x") as camera:
        assert camera.says("the host name is unknown")
    with Watched(f"rtsp://127.0.0.1:{free_port()}/x") as camera:
        assert camera.says("the camera refuses the connection")


NOISE = bytes(random.Random(9).randrange(256) for _ in range(1 << 14))


@pytest.mark.parametrize(
    "answer",
    [b"", b"RTSP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", NOISE],
    ids=["nothing", "empty answer", "web page", "noise"],
)
@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_servers_that_send_nothing_or_garbage_are_given_up_each_time_and_stop_works(answer, back_end):
    """A port scanner's honeypot, a web page or an empty answer must not hold a thread for ever."""
    with Answering(answer) as server, Watched(f"{server.uri}?back_end={back_end}") as camera:
        assert camera.says("reconnecting", 12)
        assert camera.frames == 0 and wait_for(lambda: server.connections >= 3, 12)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_without_a_decoder_in_gstreamer_opencv_reads_the_camera_and_says_so(codec, monkeypatch, tmp_path):
    """Many machines lack some decoder; a camera would stay dark, or a slow one be taken for a fast one."""
    plugins = "coreelements app rtsp rtp rtpmanager tcp udp videoparsersbad videoconvertscale videofilter"
    plugins += " openh264" if codec == "h265" else ""
    for name in plugins.split():
        for found in Path("/usr/lib").glob(f"*/gstreamer-1.0/libgst{name}.so"):
            (tmp_path / found.name).symlink_to(found)
    with RtspServer(*SMALL, "--codec", codec) as server:
        monkeypatch.setenv("GST_PLUGIN_SYSTEM_PATH_1_0", str(tmp_path))
        monkeypatch.setenv("GST_REGISTRY", str(tmp_path / "registry.bin"))
        with open_source(server.uri) as camera:
            assert next(camera).pixels.shape == (180, 320, 3)
            assert any(f"no avdec_{codec}; so OpenCV reads the camera" in note for note in camera.notes), camera.notes


@pytest.mark.slow
@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_damaged_stream_harms_nobody_and_is_read_again_once_it_is_whole(back_end):
    """Decoders crash on hostile streams; a bad cable is enough to find out."""
    with RtspServer(*SMALL) as server, Proxy(server.port) as proxy:
        with Watched(f"{proxy.uri}?back_end={back_end}") as camera:
            assert camera.has_more()
            proxy.damage = random.Random(11)
            time.sleep(4)
            proxy.damage = None
            assert camera.has_more(20, count=30)
            assert camera.thread.is_alive() and camera.source.condition.state in ("ok", "wrong size")


def test_a_size_that_changes_in_the_middle_is_told_and_read_on():
    """A camera switched to its substream by another client."""
    with RtspServer("--size", "320x180", "--switch-size", "3") as server:
        with Watched(f"{server.uri}?back_end=gstreamer") as camera:
            assert camera.says("wrong size: pictures are 160x90, expected 320x180")
            assert camera.has_more() and camera.last.pixels.shape == (90, 160, 3)


@pytest.mark.slow
@pytest.mark.parametrize("pattern, state", [("black", "black"), ("frozen", "frozen")])
def test_pictures_that_show_nothing_are_told(pattern, state):
    """Frames come, detections run, and nobody is watched over."""
    with RtspServer(*SMALL, "--pattern", pattern) as server, Watched(server.uri) as camera:
        assert camera.says(f"{state}: ", 25)
        assert camera.source.condition.state == state and camera.has_more()


@pytest.mark.timed
def test_several_cameras_are_one_group_and_close_at_once():
    """Each hanging camera would add its own patience to the end of the service."""
    with RtspServer(*SMALL) as server, Answering(b"") as dead:
        group = open_sources([server.uri, dead.uri])
        threads = [threading.Thread(target=lambda s=s: list(s)) for s in group.streams]
        for thread in threads:
            thread.start()
        time.sleep(2)
        started_s = time.monotonic()
        group.stop()
        for thread in threads:
            thread.join(2)
        group.close()
        assert time.monotonic() - started_s < 3 and not any(thread.is_alive() for thread in threads)
