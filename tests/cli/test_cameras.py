"""`edgekit cameras` as it is typed: real processes, drawn scenes for cameras that are well."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from edgekit.cli.verbs.cameras import _found_row
from edgekit.core.cameras import FoundCamera, VideoMode

DEVICES = """
devices:
  local:
    kind: local
    cameras:
      gate: "scenes://?seed=3&width=320&height=192&fps=20"
      yard: {yard}
"""
SCENE = "scenes://?seed=4&width=160&height=96&fps=20"


@pytest.fixture
def cameras(tmp_path):
    """Runs the verb in a project whose second camera is the one given."""

    def run(yard, *arguments):
        (tmp_path / "devices.yaml").write_text(DEVICES.format(yard=json.dumps(yard)))
        command = [sys.executable, "-m", "edgekit", "--project", str(tmp_path), "cameras", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    return run


@pytest.fixture
def dead():
    """The address of a camera that is switched off, with a password."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        yield f"rtsp://admin:hunter22@127.0.0.1:{held.getsockname()[1]}/stream1"


def test_cameras_that_are_well_are_a_table_with_pictures_and_one_sheet(cameras, tmp_path):
    """The first thing someone types at a new site."""
    done = cameras(SCENE)
    assert done.returncode == 0, done.stderr
    head, gate, yard = done.stdout.splitlines()[:3]
    assert head.split() == ["name", "camera", "condition", "size", "FPS", "first", "picture", "read", "by"]
    assert gate.split()[0] == "gate" and " ok " in gate and " 320x192 " in gate and " 160x96 " in yard
    folder = tmp_path / ".edgekit" / "devices" / "local" / "cameras"
    assert sorted(path.name for path in folder.iterdir()) == ["_contact-sheet.jpg", "gate.jpg", "yard.jpg"]
    assert f"all in one: {folder}/_contact-sheet.jpg" in done.stdout
    assert "GStreamer" in done.stdout  # or that there is none


@pytest.mark.timed
def test_a_dead_camera_is_exit_code_4_with_its_reason_and_without_its_password(cameras, dead, tmp_path):
    """A nightly check must ring; and its mail is read by many."""
    done = cameras(dead, "--save", "here")
    assert done.returncode == 4
    assert "yard: failed: the camera refuses the connection" in done.stderr and "rtsp://***@" in done.stdout
    assert [path.name for path in sorted((tmp_path / "here").iterdir())] == ["_contact-sheet.jpg", "gate.jpg"]
    as_json = cameras(dead, "--json")
    assert as_json.returncode == 4
    looks = json.loads(as_json.stdout)["looks"]
    assert [(look["name"], look["condition"]) for look in looks] == [("gate", "ok"), ("yard", "failed")]
    assert looks[0]["fps"] == pytest.approx(20, abs=5)
    written = b"".join(path.read_bytes() for path in (tmp_path / ".edgekit").rglob("*") if path.is_file())
    assert b"hunter22" not in written + "".join((done.stdout, done.stderr, as_json.stdout, as_json.stderr)).encode()


def test_a_list_without_frames_takes_none(cameras, dead, tmp_path):
    """On a device in service people want to look without touching."""
    done = cameras(dead, "--no-frames", "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value["looks"], value["sheet"]) == ([], None)
    assert {reading["what"] for reading in value["gstreamer"]["readings"]} >= {"csi", "rtsp h264"}
    assert not (tmp_path / ".edgekit" / "devices" / "local" / "cameras").exists()


def test_what_the_kernel_lists_is_shown_with_an_address_and_its_best_modes():
    """The line to copy into devices.yaml; the hundred modes of a webcam are for --json."""
    modes = (
        VideoMode("YUYV", "raw", 640, 480, (30.0,)),
        VideoMode("YUYV", "raw", 1280, 720, (10.0, 5.0)),
        VideoMode("H264", "", 3840, 2160, (30.0,)),
        VideoMode("MJPG", "mjpeg", 1920, 1080, (30.0, 60.0), largest=True),
        VideoMode("GREY", "raw", 320, 240),
    )
    webcam = FoundCamera("v4l2:///dev/v4l/by-id/cam-index0", "/dev/video2", "C920", modes)
    assert _found_row(webcam) == (
        "/dev/video2",
        "C920",
        "v4l2:///dev/v4l/by-id/cam-index0",
        "raw 1280x720 at 10 FPS, mjpeg up to 1920x1080 at 60 FPS",
    )
    assert _found_row(FoundCamera("csi://0", "/dev/video0", "imx219 9-0010"))[3].startswith("what its sensor has")
    assert _found_row(FoundCamera("v4l2:///dev/video0", "/dev/video0", "x", problem="no access"))[3] == "no access"


def test_a_camera_can_be_tried_before_it_is_in_devices_yaml(cameras, tmp_path):
    """The way an address is found out."""
    done = cameras(SCENE, "scenes://?width=64&height=96", "drive.mp4")
    assert done.returncode == 4
    assert " 64x96 " in done.stdout
    assert f"there is no file or folder '{tmp_path}/drive.mp4'" in done.stderr
