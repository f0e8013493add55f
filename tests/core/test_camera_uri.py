"""Addresses of cameras, and the passwords in them."""

from __future__ import annotations

import pytest

from edgekit.core.camera_uri import (
    EXAMPLES,
    Credentials,
    camera_uri_from_wire,
    camera_uri_to_wire,
    hide_credentials,
    hide_in_text,
    parse_camera_uri,
)
from edgekit.errors import UsageError

SECRET = "s3cr/t:p@ss?word"
ESCAPED = "s3cr%2Ft%3Ap%40ss%3Fword"


@pytest.mark.parametrize("uri", EXAMPLES.values(), ids=EXAMPLES)
def test_every_example_that_a_message_shows_is_an_address(uri):
    """A person would type what the error says, and get the next error."""
    assert parse_camera_uri(uri).scheme == uri.partition(":")[0]


def test_the_options_of_a_usb_camera_are_read():
    """A camera would run in another mode than asked for."""
    uri = parse_camera_uri("v4l2:///dev/video2?width=1280&height=720&fps=29.97&codec=mjpeg&flip=rotate-180&stall_s=3")
    assert (
        uri.scheme, uri.place, uri.width_px, uri.height_px, uri.fps, uri.codec, uri.flip, uri.stall_s,
    ) == ("v4l2", "/dev/video2", 1280, 720, 29.97, "mjpeg", "rotate-180", 3.0)  # fmt: skip


@pytest.mark.parametrize(
    "address, place, host_port",
    [
        ("rtsp://10.0.0.9/a/b", "rtsp://10.0.0.9/a/b", ("10.0.0.9", 554)),
        ("RTSP://cam.local:8554", "rtsp://cam.local:8554", ("cam.local", 8554)),
        ("rtsp://[fe80::1]:8554/x", "rtsp://[fe80::1]:8554/x", ("fe80::1", 8554)),
        ("rtsp://u:p@h/x?channel=1&subtype=0", "rtsp://h/x?channel=1&subtype=0", ("h", 554)),
    ],
)
def test_hosts_and_ports_of_streams(address, place, host_port):
    """Cameras with IPv6 addresses, or with a query of their own, could not be read."""
    uri = parse_camera_uri(address)
    assert (place, host_port) == (uri.place, uri.host_port)


def test_the_cameras_own_options_stay_in_its_address_and_are_named():
    """A misspelt option of ours would go to the camera unseen."""
    uri = parse_camera_uri("rtsp://h/x?channel=1&latency_ms=0&widht=5")
    assert (uri.place, uri.latency_ms, uri.passed_on) == ("rtsp://h/x?channel=1&widht=5", 0, ("channel", "widht"))


def test_a_password_is_kept_whole_and_never_shown():
    """It would be in every journal, report and screenshot."""
    uri = parse_camera_uri(f"rtsp://admin:{ESCAPED}@cam/1?latency_ms=50")
    assert uri.credentials == Credentials("admin", SECRET)
    shown = f"{uri} {uri!r} {uri.credentials} {uri.credentials!r} {[uri]} {uri.place}"
    assert "rtsp://***@cam/1" in shown
    assert all(part not in shown for part in (SECRET, ESCAPED, "admin", "s3cr"))


@pytest.mark.parametrize(
    "address",
    [
        f"rtsp://admin:{SECRET}@cam/1",  # unescaped / and ?
        "rtsp://admin:s3cr?t@cam/1",
        "rtsp://admin:s3cr/t@cam/1",
        "rtsp://admin:s3cret@bad host/1",
        "rtsp://admin:s3cret@cam:99999/1",
        "rtsp://admin:s3cret@cam/1?width=big",
        "rstp://admin:s3cret@cam/1",
        "rtsp://cam/user=admin_password=s3cret_channel=1.sdp?width=x",
        "rtsp://cam/1?pwd=s3cret&width=x",
        "v4l2://admin:s3cret@cam/1",
    ],
)
def test_no_error_about_an_address_shows_its_password(address):
    """A typing mistake would publish it."""
    with pytest.raises(UsageError) as caught:
        parse_camera_uri(address)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    "text, hidden",
    [
        ("cannot open rtsp://a:pw123@h/1 now", "cannot open rtsp://***@h/1 now"),
        ("401 for /cam pw123", "401 for /cam ***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_texts_of_libraries_lose_the_password(text, hidden):
    """FFmpeg and GStreamer quote addresses in their messages."""
    assert hidden == parse_camera_uri("rtsp://a:pw123@h/1").without_secrets(text)


def test_passwords_in_paths_are_hidden_too():
    """A common kind of recorder takes it there."""
    assert hide_credentials("rtsp://c/user=a_password=pw_channel=1.sdp") == "rtsp://c/user=a_password=***_channel=1.sdp"


@pytest.mark.parametrize(
    "address, says",
    [
        ("csi://front", "number of a sensor"),
        ("csi://0?latency_ms=5", "only for rtsp"),
        ("csi://0?width=640", "both or neither"),
        ("v4l2:///etc/passwd", "/dev/video0"),
        ("v4l2:///dev/v4l/by-id/../../sda", "/dev/video0"),
        ("v4l2:///dev/video0?codec=h264", "raw, mjpeg"),
        ("rtsp://", "expected a host"),
        ("rtsp://h/a b", "%20"),
        ("rtsp://h/a\r\nX: y", "control character"),
        ("rtsp://h?fps=0", "0.1 to 240"),
        ("rtsp://h?fps=1&fps=2", "given twice"),
        ("csi://0?fsp=3", "unknown option"),
        ("file:///x", "not the address of a camera"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(address, says):
    """A wrong address would fail later and elsewhere, in words of a library."""
    with pytest.raises(UsageError) as caught:
        parse_camera_uri(address)
    assert says in str(caught.value)


def test_the_capture_process_gets_the_same_camera():
    """A lost option would only show in the pictures."""
    uri = parse_camera_uri(f"rtsp://admin:{ESCAPED}@cam/1?width=640&height=360&fps=5&flip=clockwise&low_delay=1&a=b")
    assert uri == camera_uri_from_wire(camera_uri_to_wire(uri))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.7:554/ch1", "rtsp://***@10.0.0.7:554/ch1"),
        ("rtsp://admin:p@ss@10.0.0.7/ch1", "rtsp://***@10.0.0.7/ch1"),
        ("cannot open http://key@camera/x and rtsp://a:b@c/", "cannot open http://***@camera/x and rtsp://***@c/"),
        ("scenes://?fps=15", "scenes://?fps=15"),
        ("/data/street@night.mp4", "/data/street@night.mp4"),
        ("http://camera/mail?to=a@b", "http://camera/mail?to=a@b"),
    ],
)
def test_no_password_of_a_camera_is_shown(text, shown):
    """Logs and `systemctl status` are read by more people than may see the camera."""
    assert hide_in_text(text) == shown
