"""Names made of addresses."""

from __future__ import annotations

import pytest

from edgekit.core.stream_names import STREAM_NAME, stream_names


@pytest.mark.parametrize(
    ("uris", "names"),
    [
        (["videos/front.mp4", "videos/back.mp4"], ["front", "back"]),
        (["a/cam.mp4", "b/cam.mp4", "c/cam.avi"], ["cam", "cam-2", "cam-3"]),
        (["scenes://?seed=1", "scenes://?seed=2", "memory://"], ["scenes", "scenes-2", "memory"]),
        (["drive/*.png", "Straße 1.mp4", "file:///x/y%201.mp4", "/"], ["drive", "Straße_1", "y_1", "stream"]),
        (["csi://0?fps=30", "csi://1", "v4l2:///dev/video2?width=640&height=480"], ["csi-0", "csi-1", "video2"]),
        (
            ["v4l2:///dev/v4l/by-id/usb-C:270_0-index0", "rtsp://", "rtsp://[::1]:554/x"],
            ["usb-C_270_0-index0", "rtsp", "1"],
        ),
    ],
)
def test_streams_are_named_after_their_sources(uris, names):
    """People could not tell the cameras apart, or a name would be no file name."""
    assert stream_names(uris) == names
    assert all(STREAM_NAME.fullmatch(name) for name in names)


def test_no_name_holds_a_password():
    """Names stand in logs, files and on the page."""
    uris = ["rtsp://admin:hunter2@cam.local:554/live", "rtsp://cam.local/user=admin_password=hunter2_channel=1.sdp"]
    assert stream_names(uris) == ["cam.local", "cam.local-2"]
