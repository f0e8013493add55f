"""Verb `cameras` against real servers: what it says of cameras that are well, and of each kind that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.activation import Journal
from edgekit.core.cameras import BUSY, FAILED, CamerasRequest
from edgekit.core.deployment import ServiceState, StateAnswer
from edgekit.core.service import Health, StreamHealth, StreamSettings
from edgekit.runtime import camera_look, cameras
from edgekit.runtime.capture import process
from edgekit.runtime.capture.elements import gstreamer_facts
from tests.runtime.capture.cameras import Answering, RtspServer, Silent, free_port
from tests.servers import needed, no_rtsp_server

pytestmark = needed(no_rtsp_server())
SMALL = ("--size", "320x180", "--fps", "15", "--pattern", "smpte")  # bright, and with a moving corner


def quiet(what, done, total):
    """Nobody wants to see it."""


@pytest.fixture
def look(tmp_path):
    """Looks at cameras by name -> address; their looks by name."""

    def look_at(wait_s=10.0, **uris):
        asked = tuple(StreamSettings(uri, name) for name, uri in uris.items())
        request = CamerasRequest(str(tmp_path / "root"), asked, str(tmp_path), wait_s)
        found = {item.name: item for item in cameras.look_at_cameras(request, quiet).looks}
        return found[next(iter(uris))] if len(uris) == 1 else found

    return look_at


@pytest.mark.timed
def test_cameras_that_are_well_are_shown_with_their_figures_and_pictures(look, tmp_path):
    """What someone who mounts a camera wants to know, on the spot."""
    with RtspServer(*SMALL, "--fps", "10", "--audio") as one, RtspServer(*SMALL, "--codec", "h265") as two:
        looks = look(gate=f"{one.uri}?fps=10", yard=f"{two.uri}?flip=clockwise", drawn="scenes://?width=64&height=96")
    assert [item.condition for item in looks.values()] == ["ok"] * 3, looks
    assert [(item.width_px, item.height_px) for item in looks.values()] == [(320, 180), (180, 320), (64, 96)]
    assert looks["gate"].fps == pytest.approx(10, abs=2) and looks["yard"].fps == pytest.approx(15, abs=3)
    assert looks["yard"].read_by == "GStreamer, h265, with the CPU"
    assert all(0 < item.first_picture_s < 8 for item in looks.values())
    for item in looks.values():
        assert cv2.imread(str(tmp_path / item.picture)).shape[:2] == (item.height_px, item.width_px)
    assert not any(item.is_missing for item in looks.values())


@pytest.mark.timed
def test_each_camera_that_gives_no_picture_is_explained_within_the_time_and_shows_no_password(look, tmp_path, capfd):
    """All of these look the same in a player: nothing."""
    noise = bytes(np.random.default_rng(3).integers(0, 256, 4096, np.uint8))
    damaged = {"none.mp4": None, "empty.mp4": b"", "text.mp4": b"no video", "empty.jpg": b""}
    for name, content in damaged.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    with RtspServer(*SMALL, "--user", "admin", "--password", "right") as locked, RtspServer("--sound-alone") as sound:
        full_up = b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n"
        with Silent() as silent, Answering(noise) as noisy, Answering(full_up) as full:
            started_s = time.monotonic()
            looks = look(
                10.0,
                password=locked.uri.replace("://", "://admin:wr0ngpw@"),
                path=locked.uri.replace("://", "://admin:right@").replace("/cam", "/other"),
                host="rtsp://admin:wr0ngpw@no-such-camera.invalid/x",
                port=f"rtsp://127.0.0.1:{free_port()}/x",
                address="rtsp://admin:wr0ngpw@host/x?width=big",
                scheme="rstp://admin:wr0ngpw@host/x",
                sound=sound.uri,
                silent=silent.uri,
                silent2=f"{silent.uri}?back_end=opencv",
                noise=noisy.uri,
                noise2=f"{noisy.uri}?back_end=opencv",
                sound2=f"{sound.uri}?back_end=opencv",
                full=full.uri,
                usb="v4l2:///dev/video250",
                csi="csi://0",
                absent=str(tmp_path / "none.mp4"),
                empty=str(tmp_path / "empty.mp4"),
                text=str(tmp_path / "text.mp4"),
                picture=str(tmp_path / "empty.jpg"),
            )
            took_s = time.monotonic() - started_s
    expected = {
        "password": "the camera refuses user or password",
        "path": "the camera has no such stream; check the path",
        "host": "the host name is unknown",
        "port": "the camera refuses the connection",
        "address": "is not the address of a camera (width: expected a whole number",
        "scheme": "no source of kind 'rstp'",
        "sound": "the camera sends no video that can be read: only sound",
        "sound2": "OpenCV finds no video in what it sends",
        "silent": "the camera did not answer in time",
        "silent2": "s of connecting",
        "noise": "the camera did not answer in time",
        "noise2": "OpenCV finds no video in what it sends",
        "full": "the camera serves no further viewer now",
        "usb": "there is no such camera device",
        "csi": "a csi camera needs a Jetson: GStreamer here has no nvarguscamerasrc",
        "absent": "there is no file or folder",
        "empty": "cannot be opened as a video",
        "text": "cannot be opened as a video",
        "picture": "cannot be decoded",
    }
    told = {name: item.detail for name, item in looks.items()}
    for name, text in expected.items():
        assert looks[name].condition == FAILED and text in told[name], (name, told[name])
        assert looks[name].is_missing and looks[name].picture == ""
    assert took_s < 20, told
    said = f"{looks} {capfd.readouterr()}"
    assert "wr0ngpw" not in said and "right" not in said.replace("upright", "")


@pytest.mark.slow
def test_pictures_that_show_nothing_are_called_black_and_frozen(look):
    """A lens cap passes for a camera that works, since pictures come."""
    with RtspServer(*SMALL, "--pattern", "black") as dark, RtspServer(*SMALL, "--pattern", "frozen") as still:
        looks = look(dark=f"{dark.uri}?back_end=opencv", still=still.uri)
    assert (looks["dark"].condition, looks["still"].condition) == ("black", "frozen")
    assert all(item.gave_picture and item.detail and item.picture for item in looks.values())


def test_a_camera_that_dies_while_it_is_looked_at_says_so(look):
    """One picture would pass for a working camera."""
    with RtspServer(*SMALL, "--pattern", "black", "--seconds", "2.5") as server:
        found = look(cam=server.uri)
    assert found.gave_picture and found.condition in ("reconnecting", "stalled") and found.detail


def test_a_camera_that_another_program_holds_is_busy_and_missing(look, monkeypatch, tmp_path):
    """The usual end of a test with a forgotten viewer. No USB camera is at hand: the kernel's words are made up."""
    child = tmp_path / "child.py"
    child.write_text(
        "import json, os\nline = b''\nwhile not line.endswith(b'\\n'): line += os.read(0, 1)\n"
        "words = [['opening', '', ''], ['failed', 'another program uses the camera', 'busy']]\n"
        "for word in words: os.write(json.loads(line)['out_fd'], json.dumps({'word': word}).encode() + b'\\n')\n"
    )
    monkeypatch.setattr(process, "ARGUMENTS", ("-S", str(child)))
    monkeypatch.setattr(camera_look, "holders", lambda device: (f"ffplay (process 7) on {device}",))
    found = look(usb="v4l2:///dev/video7?codec=mjpeg")
    assert (found.condition, found.in_service, found.is_missing) == (BUSY, False, True)
    assert found.detail == "another program uses the camera: ffplay (process 7) on /dev/video7"


def test_one_that_hangs_is_left_behind_and_the_others_are_told(look, monkeypatch):
    """A file on a network disk that is away cannot be interrupted by anyone."""
    real = camera_look.open_source

    def open_source(uri):
        if uri == "/hanging.mp4":
            time.sleep(60)
        return real(uri)

    monkeypatch.setattr(camera_look, "open_source", open_source)
    monkeypatch.setattr(cameras, "_AFTER_FIRST_S", 1.0)
    looks = look(1.0, hanging="/hanging.mp4", fine="scenes://?width=64&height=96")
    assert looks["fine"].condition == "ok"
    assert (looks["hanging"].condition, looks["hanging"].detail) == (FAILED, "it did not answer within 1 s")


def running(uri, condition="ok", fps=14.9):
    """A device on which the service "street" reads a camera."""
    stream = StreamHealth("gate", uri, condition, 5.0, "", 70, 3, fps, 40.0, 60.0, 0)
    health = Health("street", "r", 1, 70, 3, fps, 40.0, 0, "e", "fp32", 1.0, 2.0, streams=(stream,))
    state = ServiceState("street", "r", True, False, 1, 0, Journal("street"), health, 0.5)
    return lambda store: StateAnswer((), (state,))


@pytest.mark.parametrize("uri", ["csi://0", "v4l2:///dev/video7"])
def test_a_sensor_that_a_service_reads_is_left_alone_and_is_no_fault(uri, look, monkeypatch):
    """A second session of a CSI sensor can end the first: to look would blind the service."""
    monkeypatch.setattr(cameras, "state_of", running(uri))
    monkeypatch.setattr(camera_look, "open_source", lambda uri: pytest.fail("it was opened"))
    found = look(cam=f"{uri}?width=640&height=480")
    assert (found.condition, found.in_service, found.is_missing) == (BUSY, True, False)
    assert found.detail == "the service street uses it, ok there at 14.9 FPS"


def test_a_network_camera_with_room_for_one_reader_is_busy_if_a_service_reads_it(look, monkeypatch):
    """Cheap cameras serve one or two connections; the service has the first."""
    with Answering(b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n") as server:
        monkeypatch.setattr(cameras, "state_of", running(server.uri.replace("://", "://***@")))
        found = look(cam=server.uri.replace("://", "://admin:pw@"))
    assert (found.condition, found.is_missing) == (BUSY, False)
    with RtspServer(*SMALL) as server:
        monkeypatch.setattr(cameras, "state_of", running(server.uri))
        found = look(cam=server.uri)
    assert (found.condition, found.in_service, found.gave_picture) == ("ok", True, True)


def test_a_list_without_frames_opens_nothing(tmp_path, monkeypatch):
    """To see what there is must not need a second for each camera."""
    monkeypatch.setattr(camera_look, "open_source", lambda uri: pytest.fail("it was opened"))
    request = CamerasRequest(str(tmp_path), (StreamSettings("scenes://", "a"),))
    answer = cameras.look_at_cameras(request, quiet)
    assert answer.looks == () and answer.gstreamer.version.startswith("GStreamer 1.")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("import time; time.sleep(60)", "did not answer within 1 s"),
        ("import os; os.kill(os.getpid(), 11)", "it ended with code -11"),
        ("print('plugin loaded')", "it ended with code 0"),
        ("import sys; sys.exit('GStreamer is not installed: libgstreamer-1.0.so.0')", "is not installed"),
    ],
    ids=["hangs", "crashes", "chatters", "absent"],
)
def test_a_gstreamer_that_cannot_be_asked_is_told_and_opencv_reads_instead(script, problem):
    """A plugin that crashes when it is looked at would end the command."""
    facts = gstreamer_facts((sys.executable, "-c", script), patience_s=1.0)
    assert facts.version == "" and problem in facts.problem
    assert {reading.by for reading in facts.readings} == {"", "OpenCV on the CPU"}


def test_ctrl_c_ends_every_capture_process(tmp_path):
    """Cameras would stay taken by processes that nobody knows of."""
    with RtspServer(*SMALL, "--pattern", "frozen") as server:
        asked = [{"uri": server.uri, "name": name} for name in ("a", "b")]
        request = {"root": str(tmp_path), "cameras": asked, "folder": str(tmp_path)}
        command = [sys.executable, "-m", "edgekit.runtime", "cameras", "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as verb:
            verb.stdin.write(json.dumps(request).encode())
            verb.stdin.close()
            while len(children := children_of(verb.pid)) != 2:
                assert verb.poll() is None
                time.sleep(0.05)
            verb.terminate()
            verb.wait(10)
            assert verb.returncode == 130
        assert not any(Path(f"/proc/{child}").exists() for child in children)


def children_of(pid):
    """Capture processes of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and command.endswith(b"edgekit.runtime.capture\0") and os.getpid() != pid:
            found.append(int(folder.name))
    return found
