"""What is said of a device's cameras: the rules, without any camera."""

from __future__ import annotations

import pytest

from edgekit.core.camera_pipeline import ASKED
from edgekit.core.cameras import (
    ALL_PACKAGES,
    BUSY,
    FAILED,
    CameraLook,
    GStreamerFacts,
    codec_of_format,
    packages_for,
    readings_of,
    unlike,
)

SOFTWARE = {name: frozenset() for name in ASKED if not name.startswith("nv")}
JETSON = {**{name: frozenset() for name in ASKED}, "nvv4l2decoder": frozenset({"mjpeg"})}


def by(elements):
    return {reading.what: reading.by for reading in readings_of(elements)}


def test_a_jetson_reads_every_kind_of_camera_and_a_workstation_all_but_csi():
    """Whoever looks why a camera stays dark would be told of the wrong cause."""
    assert set(by(JETSON)) == {"csi", "v4l2 raw", "v4l2 mjpeg", "rtsp h264", "rtsp h265", "rtsp mjpeg"}
    assert by(JETSON)["csi"] == by(JETSON)["rtsp h265"] == "GStreamer with NVIDIA's elements"
    assert by(SOFTWARE)["csi"] == "" and by(SOFTWARE)["rtsp h264"] == "GStreamer on the CPU"
    assert by(None) == {what: "" if what == "csi" else "OpenCV on the CPU" for what in by(JETSON)}


@pytest.mark.parametrize(
    ("gone", "package"),
    [
        ("avdec_h264 openh264dec", "gstreamer1.0-libav"),
        ("h265parse", "gstreamer1.0-plugins-bad"),
        ("rtspsrc", "gstreamer1.0-plugins-good"),
        ("videoconvert", "gstreamer1.0-plugins-base"),
    ],
)
def test_what_gstreamer_lacks_is_named_by_the_package_that_brings_it(gone, package):
    """A user who reads "no avdec_h264" does not know what to install."""
    left = {name: found for name, found in SOFTWARE.items() if name not in gone.split()}
    facts = GStreamerFacts("GStreamer 1.20.3", readings_of(left))
    assert packages_for(facts) == (package,)
    assert any(reading.by == "OpenCV on the CPU" and reading.lacking for reading in facts.readings)


def test_nothing_is_to_be_installed_where_all_is_there_and_all_of_it_where_nothing_is():
    """NVIDIA's elements come with JetPack only: apt has no package to offer for a csi camera on a workstation."""
    assert packages_for(GStreamerFacts("GStreamer 1.22.0", readings_of(SOFTWARE))) == ()
    assert packages_for(GStreamerFacts("", readings_of(None))) == ALL_PACKAGES


@pytest.mark.parametrize(
    ("pixel_format", "codec"), [("YUYV", "raw"), ("MJPG", "mjpeg"), ("H264", ""), ("RG10", ""), ("", "")]
)
def test_pixel_formats_are_told_by_what_an_address_calls_them(pixel_format, codec):
    """A sensor's own format, offered as a mode, would make a pipeline that cannot be linked."""
    assert codec_of_format(pixel_format) == codec


def test_names_that_are_equal_get_numbers():
    """Two pictures would go into one file."""
    assert unlike(["yard", "yard", "gate", "yard"], {"gate"}) == ["yard", "yard-2", "gate-2", "yard-3"]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"condition": FAILED}, True),
        ({"condition": BUSY}, True),
        ({"condition": BUSY, "in_service": True}, False),
        ({"condition": FAILED, "named": False}, False),
        ({"condition": "black", "first_picture_s": 0.4}, False),
    ],
    ids=["failed", "held by another program", "held by a service", "nobody asked", "black"],
)
def test_a_camera_counts_as_missing_if_somebody_asked_for_it_and_nobody_has_its_pictures(changes, missing):
    """The exit code of a nightly check would cry wolf, or keep silent."""
    look = CameraLook(**{"name": "a", "uri": "csi://0", "named": True, **changes})
    assert look.is_missing is missing
