"""GStreamer pipelines for the machines that are around.

The sets of elements are put together from NVIDIA's documentation and release notes and from Debian's packages; none of
them was recorded on a Jetson.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from edgekit.core.camera_pipeline import ASKED, codec_of, compose_codec_probe, compose_pipeline, uses_hardware
from edgekit.core.camera_uri import parse_camera_uri
from edgekit.errors import SourceError

COMMON = {
    **{name: frozenset() for name in ASKED if not name.startswith("nv")},
    "rtspsrc": frozenset({"location", "protocols", "latency", "drop-on-latency", "tcp-timeout", "timeout"}),
    "avdec_h264": frozenset({"max-threads", "thread-type"}),
    "avdec_h265": frozenset({"max-threads", "thread-type"}),
}
NVIDIA = {"nvarguscamerasrc": frozenset(), "nvvidconv": frozenset(), "nvjpegdec": frozenset()}
JETPACK_6 = {
    **COMMON,
    **NVIDIA,
    "nvv4l2decoder": frozenset({"enable-max-performance", "disable-dpb", "mjpeg"}),
}
JETPACK_7 = {**JETPACK_6, "nvv4l2decoder": frozenset({"disable-dpb", "mjpeg"})}
BGR = "videoconvert ! video/x-raw,format=BGR ! appsink name=sink drop=true max-buffers=1 sync=false"
LATEST = "queue max-size-buffers=1 max-size-bytes=0 max-size-time=0 leaky=downstream"
RTSP = (
    "rtspsrc name=source protocols=tcp latency=100 drop-on-latency=true tcp-timeout=5000000 timeout=5000000"
    " ! application/x-rtp,media=video"
)


def composed(address, elements, codec=None):
    uri = parse_camera_uri(address)
    return compose_pipeline(uri, codec or uri.codec, elements)


@pytest.mark.parametrize(
    "address, elements, codec, expected",
    [
        pytest.param(
            "csi://1?width=1920&height=1080&fps=30&flip=clockwise",
            JETPACK_6,
            "raw",
            "nvarguscamerasrc name=source sensor-id=1"
            " ! video/x-raw(memory:NVMM),format=NV12,width=1920,height=1080,framerate=30/1"
            f" ! nvvidconv flip-method=3 ! video/x-raw,format=BGRx ! {LATEST} ! {BGR}",
            id="a csi camera turned by the converter",
        ),
        pytest.param(
            "rtsp://h/x?low_delay=1",
            JETPACK_6,
            "h264",
            f"{RTSP} ! rtph264depay ! h264parse ! nvv4l2decoder enable-max-performance=1 disable-dpb=1"
            f" ! nvvidconv flip-method=0 ! video/x-raw,format=BGRx ! {LATEST} ! {BGR}",
            id="h264 on JetPack 6",
        ),
        pytest.param(
            "rtsp://h/x?width=640&height=360&flip=counterclockwise",
            JETPACK_7,
            "h265",
            f"{RTSP} ! rtph265depay ! h265parse ! nvv4l2decoder"
            f" ! nvvidconv flip-method=1 ! video/x-raw,format=BGRx,width=360,height=640 ! {LATEST} ! {BGR}",
            id="h265 on JetPack 7, whose decoder has no enable-max-performance",
        ),
        pytest.param(
            "rtsp://h/x?width=640&height=360&flip=vertical",
            COMMON,
            "h264",
            f"{RTSP} ! rtph264depay ! h264parse ! avdec_h264 thread-type=slice ! {LATEST}"
            f" ! videoscale ! video/x-raw,width=640,height=360 ! videoflip video-direction=5 ! {BGR}",
            id="h264 without NVIDIA's elements",
        ),
        pytest.param(
            "v4l2:///dev/video0?width=1280&height=720&fps=29.97&codec=mjpeg",
            JETPACK_6,
            "mjpeg",
            "v4l2src name=source do-timestamp=true ! image/jpeg,width=1280,height=720,framerate=29970/1000"
            " ! jpegparse ! nvv4l2decoder mjpeg=1 ! nvvidconv flip-method=0 ! video/x-raw,format=BGRx"
            f" ! {LATEST} ! {BGR}",
            id="a usb camera's jpeg pictures on a Jetson",
        ),
        pytest.param(
            "v4l2:///dev/video0?codec=mjpeg",
            COMMON,
            "mjpeg",
            f"v4l2src name=source do-timestamp=true ! image/jpeg ! jpegdec ! {LATEST} ! {BGR}",
            id="a usb camera's jpeg pictures elsewhere",
        ),
        pytest.param(
            "v4l2:///dev/video0",
            JETPACK_6,
            "raw",
            f"v4l2src name=source do-timestamp=true ! video/x-raw ! {LATEST} ! {BGR}",
            id="a usb camera's raw pictures",
        ),
    ],
)
def test_the_pipeline_of_each_camera_and_machine(address, elements, codec, expected):
    """One wrong property or caps, and no picture comes on that release."""
    assert expected == composed(address, elements, codec)


def test_no_text_of_an_address_is_in_a_pipeline():
    """A stream's path could add elements of its own, and a password would be in GStreamer's logs."""
    text = composed("rtsp://admin:secret@evil.host/x!filesink?location=a", COMMON, "h264")
    assert all(part not in text for part in ("admin", "secret", "evil", "filesink"))


def test_a_decoder_that_is_missing_is_named_with_what_to_install():
    """A parse error of a library says neither."""
    elements = {name: found for name, found in COMMON.items() if name not in ("avdec_h264", "openh264dec")}
    with pytest.raises(SourceError) as caught:
        composed("rtsp://u:secret@h/x", elements, "h264")
    assert "avdec_h264" in caught.value.what and "libav" in caught.value.hint and "secret" not in str(caught.value)


def test_a_csi_camera_elsewhere_is_refused():
    """It would be an empty stream for ever."""
    with pytest.raises(SourceError, match="nvarguscamerasrc"):
        composed("csi://0", COMMON)


@pytest.mark.parametrize(
    "caps, codec",
    [
        ("application/x-rtp, media=(string)video, payload=(int)96, encoding-name=(string)H264, a=(int)1", "h264"),
        ("application/x-rtp, encoding-name=(string)H265", "h265"),
        ("application/x-rtp, encoding-name=(string)JPEG", "mjpeg"),
        ("application/x-rtp, encoding-name=(string)MP4V-ES", None),
        ("", None),
    ],
)
def test_the_codec_is_read_from_the_streams_caps(caps, codec):
    """H.265 cameras would need an option that nobody knows of."""
    assert codec == codec_of(caps)


def test_hardware_is_said_only_where_it_is_used():
    """Users look for why a board is slow."""
    assert uses_hardware(composed("rtsp://h", JETPACK_6, "h264"))
    assert not uses_hardware(composed("rtsp://h", COMMON, "h264"))


@pytest.mark.skipif(not shutil.which("gst-launch-1.0"), reason="no gst-launch-1.0")
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_gstreamer_itself_takes_the_pipelines(codec):
    """The table above would agree with itself alone."""
    uri = parse_camera_uri("rtsp://127.0.0.1:1/x?width=64&height=64&flip=clockwise&low_delay=1")
    for text in (compose_pipeline(uri, codec, COMMON), compose_codec_probe(uri, COMMON)):
        words = text.replace("name=source", "name=source location=rtsp://127.0.0.1:1/x").split()
        done = subprocess.run(["gst-launch-1.0", *words], capture_output=True, text=True, timeout=30, check=False)
        # A wrong word is told before anything connects.
        assert "erroneous pipeline" not in done.stderr and "WARNING" not in done.stderr, done.stderr
        assert "connect" in done.stderr
