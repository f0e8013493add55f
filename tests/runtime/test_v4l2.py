"""Cameras as the kernel lists them. The trees of sysfs and the drivers' answers are made up: no camera was at hand.

Their form is that of Linux 5.10: Documentation/ABI/testing/sysfs-class-video4linux for the tree, drivers/media/usb/uvc
for what a webcam answers, and NVIDIA's tegra-camera for the name of a CSI sensor's node.
"""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from edgekit.core.cameras import VideoMode
from edgekit.runtime import v4l2
from edgekit.runtime.v4l2 import holders, list_cameras

STREAMING = 0x04000000
Sizes = Dict[bytes, List[Tuple[int, int, Tuple[int, ...]]]]
WEBCAM: Sizes = {
    b"YUYV": [(640, 480, (30, 15)), (1280, 720, (10,))],
    b"MJPG": [(1920, 1080, (30, 60)), (640, 480, (30,))],
    b"H264": [(1920, 1080, (30,))],
}


class Machine:
    """A file system with video nodes, and drivers that answer as they are told to."""

    def __init__(self, root) -> None:
        self.root = root
        self.opened: List[str] = []
        self._answers: Dict[str, Tuple[int, int, object]] = {}

    def add(self, node, name, capabilities=v4l2.CAPTURE, sizes=WEBCAM, index=0, by_id="", driver=0):
        folder = self.root / "sys/class/video4linux" / node
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{index}\n")
        (self.root / "dev").mkdir(exist_ok=True)
        (self.root / "dev" / node).touch()
        if by_id:
            links = self.root / "dev/v4l/by-id"
            links.mkdir(parents=True, exist_ok=True)
            (links / by_id).symlink_to(f"../../{node}")
        self._answers[node] = (capabilities, driver, sizes)
        return self

    def ioctl(self, descriptor, question, answer):
        node = Path(f"/proc/self/fd/{descriptor}").resolve().name
        self.opened.append(node)
        capabilities, driver, sizes = self._answers[node]
        if question == v4l2.QUERYCAP:
            whole = capabilities | v4l2.HAS_DEVICE_CAPS | v4l2.CAPTURE  # of all nodes of the device together
            struct.pack_into("=II", answer, 84, whole | STREAMING, capabilities | STREAMING)
            return
        if driver:
            raise OSError(driver, os.strerror(driver))
        try:
            self._enumerate(question, answer, sizes)
        except (IndexError, KeyError, StopIteration):
            raise OSError(errno.EINVAL, "Invalid argument") from None

    def _enumerate(self, question, answer, sizes):
        (index,) = struct.unpack_from("=I", answer)
        if question == v4l2.ENUM_FMT:
            assert struct.unpack_from("=I", answer, 4) == (1,)
            answer[44:48] = list(sizes)[index]
        elif question == v4l2.ENUM_FRAMESIZES:
            width, height, _ = sizes[bytes(answer[4:8])][index]
            struct.pack_into("=III", answer, 8, 1, width, height)
        else:
            wanted = struct.unpack_from("=II", answer, 8)
            rates = next(rates for *size, rates in sizes[bytes(answer[4:8])] if tuple(size) == wanted)
            struct.pack_into("=III", answer, 16, 1, 1, rates[index])

    def cameras(self):
        return list_cameras(self.root, self.ioctl)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_a_webcam_is_listed_with_what_it_offers_under_a_name_that_lasts(machine):
    """/dev/video0 is another camera after the next restart; and a user would have to guess its modes."""
    machine.add("video0", "HD Pro Webcam C920", by_id="usb-046d_HD_Pro_Webcam_C920_12345-video-index0")
    machine.add("video1", "HD Pro Webcam C920", capabilities=0x00800000, index=1)  # metadata
    (camera,) = machine.cameras()
    assert (camera.device, camera.name, camera.problem) == ("/dev/video0", "HD Pro Webcam C920", "")
    assert camera.uri == "v4l2:///dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_12345-video-index0"
    assert camera.modes == (
        VideoMode("YUYV", "raw", 640, 480, (30.0, 15.0)),
        VideoMode("YUYV", "raw", 1280, 720, (10.0,)),
        VideoMode("MJPG", "mjpeg", 1920, 1080, (60.0, 30.0)),
        VideoMode("MJPG", "mjpeg", 640, 480, (30.0,)),
        VideoMode("H264", "", 1920, 1080, (30.0,)),
    )


def test_csi_sensors_are_numbered_and_never_opened(machine):
    """Opening the node powers the sensor, and can take it from the service that reads it."""
    for number, sensor in ((10, "imx477 10-001a"), (2, "imx219 9-0010")):
        machine.add(f"video{number}", f"vi-output, {sensor}")
    machine.add("video3", "UVC Camera")
    found = [(camera.uri, camera.device, camera.name) for camera in machine.cameras()]
    assert found == [
        ("csi://0", "/dev/video2", "imx219 9-0010"),
        ("v4l2:///dev/video3", "/dev/video3", "UVC Camera"),
        ("csi://1", "/dev/video10", "imx477 10-001a"),
    ]
    assert set(machine.opened) == {"video3"}


def test_a_device_that_takes_any_size_is_listed_by_its_largest(machine):
    """Frame grabbers and loopback devices tell ranges; reading them as a list would end in zeros."""

    def ioctl(descriptor, question, answer):
        if question == v4l2.ENUM_FRAMESIZES:
            struct.pack_into("=9I", answer, 8, 3, 2, 1920, 2, 1, 1080, 1, 0, 0)
        elif question == v4l2.ENUM_FRAMEINTERVALS:
            struct.pack_into("=7I", answer, 16, 3, 1, 60, 1, 1, 1, 1)
        elif question == v4l2.ENUM_FMT and struct.unpack_from("=I", answer) == (0,):
            answer[44:48] = b"YU12"
        elif question == v4l2.QUERYCAP:
            struct.pack_into("=II", answer, 84, v4l2.CAPTURE, 0)  # an old driver: no word on the node alone
        else:
            raise OSError(errno.EINVAL, "")

    machine.add("video0", "Dummy video device (0x0000)")
    (camera,) = list_cameras(machine.root, ioctl)
    assert camera.modes == (VideoMode("YU12", "raw", 1920, 1080, (60.0,), largest=True),)


def test_a_driver_that_never_ends_its_list_does_not_hold_us(machine):
    """A broken webcam would hang the command that is to find out what is wrong."""

    def ioctl(descriptor, question, answer):
        if question == v4l2.QUERYCAP:
            struct.pack_into("=II", answer, 84, v4l2.CAPTURE, 0)
        elif question == v4l2.ENUM_FMT:
            answer[44:48] = b"YUYV"
        else:
            raise OSError(errno.ENOTTY, "")

    machine.add("video0", "broken")
    assert [camera.modes for camera in list_cameras(machine.root, ioctl)] == [()]


def test_a_camera_that_may_not_be_opened_is_named_with_the_reason(machine):
    """It would be missing from the list, and looked for at the plug."""
    machine.add("video0", "UVC Camera").add("video1", "UVC Camera", index=1)
    for node in ("video0", "video1"):
        (machine.root / "dev" / node).unlink()
    (camera,) = machine.cameras()
    assert camera.problem == "/dev/video0 cannot be opened: no such file or directory"


def test_a_machine_without_cameras_has_none(tmp_path):
    """Most workstations."""
    assert list_cameras(tmp_path) == ()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_questions_and_structures_are_those_of_the_kernels_header(tmp_path):
    """A wrong number asks a driver something else; a wrong size writes past the answer."""
    expressions = {
        "VIDIOC_QUERYCAP": v4l2.QUERYCAP,
        "VIDIOC_ENUM_FMT": v4l2.ENUM_FMT,
        "VIDIOC_ENUM_FRAMESIZES": v4l2.ENUM_FRAMESIZES,
        "VIDIOC_ENUM_FRAMEINTERVALS": v4l2.ENUM_FRAMEINTERVALS,
        "sizeof(struct v4l2_capability)": 104,
        "sizeof(struct v4l2_fmtdesc)": 64,
        "sizeof(struct v4l2_frmsizeenum)": 44,
        "sizeof(struct v4l2_frmivalenum)": 52,
        "offsetof(struct v4l2_capability, capabilities)": 84,
        "offsetof(struct v4l2_fmtdesc, pixelformat)": 44,
        "offsetof(struct v4l2_frmsizeenum, type)": 8,
        "offsetof(struct v4l2_frmsizeenum, stepwise.max_height)": 28,
        "offsetof(struct v4l2_frmivalenum, type)": 16,
        "V4L2_CAP_VIDEO_CAPTURE": v4l2.CAPTURE,
        "V4L2_CAP_VIDEO_CAPTURE_MPLANE": v4l2.CAPTURE_PLANES,
        "V4L2_CAP_DEVICE_CAPS": v4l2.HAS_DEVICE_CAPS,
    }
    lines = "".join(f'printf("%lu\\n", (unsigned long)({expression}));' for expression in expressions)
    source = tmp_path / "header.c"
    source.write_text(
        "#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\nint main(void) {" + lines + "}\n"
    )
    made = subprocess.run(["cc", str(source), "-o", str(tmp_path / "header")], capture_output=True, text=True)
    if "linux/videodev2.h" in made.stderr:
        pytest.skip("no headers of the kernel")
    assert made.returncode == 0, made.stderr
    told = subprocess.run([str(tmp_path / "header")], capture_output=True, text=True, check=True).stdout
    assert dict(zip(expressions, map(int, told.split()))) == expressions


def test_who_holds_a_device_is_named(tmp_path):
    """ "Another program uses the camera" sends people looking for it."""
    device = tmp_path / "video0"
    device.touch()
    script = "import sys\nheld = open(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()"
    command = [sys.executable, "-c", script, str(device)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "open\n"
        (who,) = holders(str(device))
        assert who.endswith(f"(process {holder.pid})") and "python" in who
        holder.stdin.close()
    assert holders(str(device)) == ()
