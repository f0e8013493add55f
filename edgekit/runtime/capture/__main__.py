"""A capture process: reads one camera until its parent lets go of its standard input, or is gone.

The first line of standard input says what to read and where the pictures go; it holds the camera's password, so it is
neither an argument nor in the environment. After it, each byte asks for the latest picture.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import sys
import threading
from contextlib import suppress
from typing import Any, Dict, Tuple

from edgekit.core.camera_failures import name_failure
from edgekit.core.camera_uri import CameraUri, camera_uri_from_wire
from edgekit.errors import EdgekitError, SourceError
from edgekit.runtime.capture.gstreamer import EndOfCamera, GStreamerError
from edgekit.runtime.capture.gstreamer_reader import GStreamerReader
from edgekit.runtime.capture.lending import Lender
from edgekit.runtime.capture.messages import encode_picture, encode_word
from edgekit.runtime.capture.opencv_reader import OpenCVReader
from edgekit.runtime.capture.ring import Ring

_STOP_GRACE_S = 1.5
_CONNECT_S = 3.0


def main() -> int:
    """Exit code 0 when asked to stop, 1 after a failure that was told."""
    request = _read_request()
    uri, ring, out = camera_uri_from_wire(request["camera"]), Ring(request["ring_fd"]), int(request["out_fd"])
    _be_modest()

    def say(kind: str, text: str = "", failure: str = "") -> None:
        os.write(out, encode_word(kind, uri.without_secrets(text), failure))

    lender = Lender(lambda *picture: _announce(out, *picture), uri.fps if uri.scheme == "rtsp" else None)
    stopping = threading.Event()
    threading.Thread(target=_obey, args=(lender, stopping), daemon=True).start()
    try:
        _read_camera(uri, ring, lender, stopping, say)
    except EndOfCamera:
        say("failed", "the camera ended the stream", "ended")
        return 1
    except (GStreamerError, SourceError, OSError) as error:
        # OpenCV prints the reason through C's buffer; the parent reads it when it hears of the failure.
        ctypes.CDLL(None).fflush(None)
        text = uri.without_secrets(_text(error))
        failure = name_failure(text)
        say("failed", failure.what, failure.kind)
        return 1
    return 0


def _read_camera(uri: CameraUri, ring: Ring, lender: Lender, stopping: threading.Event, say: Any) -> None:
    reader = _reader_for(uri, say)
    say("opening")
    _check_reachable(uri)
    try:
        reader.run(ring, lender, stopping.is_set)
    except SourceError as error:  # the stream's codec, known only now, has no decoder in GStreamer here
        if not isinstance(reader, GStreamerReader) or uri.back_end != "auto" or uri.scheme != "rtsp":
            raise
        say("note", f"{error.what}; so OpenCV reads the camera")
        OpenCVReader(uri, say).run(ring, lender, stopping.is_set)


def _read_request() -> Dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)  # not through a buffer, which would swallow what follows
        if not byte:
            raise SystemExit(0)
        line += byte
    request: Dict[str, Any] = json.loads(line)
    return request


def _reader_for(uri: CameraUri, say: Any) -> Any:
    """The first back end that can serve; why another could not is noted. Raises SourceError if none can."""
    kinds = {"gstreamer": GStreamerReader, "opencv": OpenCVReader}
    names: Tuple[str, ...] = tuple(kinds) if uri.back_end == "auto" else (uri.back_end,)
    reasons = []
    for name in names:
        try:
            reader: Any = kinds[name](uri, say)
            reader.prepare()
        except (GStreamerError, EdgekitError) as error:
            reasons.append(_text(error))
            continue
        for reason in reasons:
            say("note", f"{reason}; so OpenCV reads the camera")
        return reader
    raise SourceError("; ".join(reasons))


def _check_reachable(uri: CameraUri) -> None:
    """Connect once by ourselves: the kernel names what is wrong exactly, libraries in their own words or not at all."""
    if uri.scheme == "rtsp":
        socket.create_connection(uri.host_port, timeout=_CONNECT_S).close()


def _announce(out: int, *picture: int) -> None:
    with suppress(BrokenPipeError):
        os.write(out, encode_picture(*picture))


def _obey(lender: Lender, stopping: threading.Event) -> None:
    """Lend when asked; at the end of standard input stop, and do not wait long for a camera that hangs."""
    while True:
        words = os.read(0, 64)
        if not words:
            break
        lender.want()
    stopping.set()
    threading.Event().wait(_STOP_GRACE_S)
    os._exit(0)


def _be_modest() -> None:
    """Short of memory, the kernel is to end a camera before the service. A crash leaves no image with a password."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def _text(error: BaseException) -> str:
    return error.what if isinstance(error, EdgekitError) else str(error) or type(error).__name__


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not through the interpreter's shutdown: a thread of a decoder may hang in it.
    os._exit(code)
