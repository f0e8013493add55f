"""What libraries say when a camera fails, in words for people."""

from __future__ import annotations

import pytest

from edgekit.core.camera_failures import name_failure


@pytest.mark.parametrize(
    "text, kind",
    [
        # The wording of GStreamer 1.22, FFmpeg 5.1 and 8 and Linux 6: some as seen with these tests, some typed.
        ("Unauthorized ../gst/rtsp/gstrtspsrc.c(6877): gst_rtspsrc_send (): /GstPipeline:p/GstRTSPSrc:s", "password"),
        ("[rtsp @ 0x55d0] method DESCRIBE failed: 401 Unauthorized", "password"),
        ("Not found ../gst/rtsp/gstrtspsrc.c(6889): gst_rtspsrc_send (): Not Found (404)", "stream"),
        ("[rtsp @ 0x5] method DESCRIBE failed: 404 Not Found", "stream"),
        ("[Errno 111] Connection refused", "refused"),
        ("[Errno -2] Name or service not known", "host"),
        ("[Errno -3] Temporary failure in name resolution", "host"),
        ("[Errno 113] No route to host", "unreachable"),
        ("timed out", "timeout"),
        # Written from the sources of v4l2src, nvarguscamerasrc's forum reports and the kernel's errno texts.
        ("Cannot identify device '/dev/video9'. system error: No such file or directory (2)", "no device"),
        ("Device '/dev/video0' is busy ... Device or resource busy", "busy"),
        ("Could not open device '/dev/video0' system error: Permission denied", "permission"),
        ("(Argus) Error: Failed to create CaptureSession", "argus"),
        ("streaming stopped, reason not-negotiated (-4)", "mode"),
        ("unknown codec", "codec"),
        ("gst_rtspsrc_send (): Not Enough Bandwidth (453)", "full"),
        ("[OPENCV:FFMPEG:16] method OPTIONS failed: 503 (Service Unavailable)", "full"),
        ("gst_rtspsrc_loop (): streaming stopped, reason not-linked (-1)", "no video"),
        ("this machine has no avdec_h265", "missing element"),
        ("", "other"),
    ],
)
def test_known_texts_have_a_name(text, kind):
    """A person would read "gst_rtspsrc_send ()" and not that the password is wrong."""
    assert kind == name_failure(text).kind


def test_an_unknown_text_is_quoted_in_one_clean_line():
    """A hostile server's answer would write lines of its own into the journal."""
    failure = name_failure("odd\x1b[31m thing\r\nFAKE: all well " + "x" * 500)
    assert failure.kind == "other" and failure.what.startswith("the camera cannot be read: odd [31m thing FAKE")
    assert failure.what.isprintable() and len(failure.what) < 300


def test_only_what_trying_again_makes_worse_is_slow():
    """A camera that restarts must be back within seconds; a wrong password locks an account."""
    assert name_failure("401 Unauthorized").is_slow and name_failure("Name or service not known").is_slow
    assert not name_failure("Connection refused").is_slow and not name_failure("timed out").is_slow
