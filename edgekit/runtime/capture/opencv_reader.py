"""Reads a camera through OpenCV, where GStreamer cannot: RTSP by its FFmpeg, a USB camera by V4L2. The CPU decodes."""

from __future__ import annotations

import os
from typing import Any, Callable, List
from urllib.parse import quote

from edgekit.core.camera_uri import CameraUri
from edgekit.errors import SourceError
from edgekit.runtime.capture.lending import Lender, now_ns
from edgekit.runtime.capture.ring import SLOT_BYTES, Ring

_OPEN_MS, _READ_MS = 6000, 5000


class OpenCVReader:
    """One camera; see GStreamerReader."""

    def __init__(self, uri: CameraUri, say: Callable[[str, str], None]) -> None:
        self._uri, self._say = uri, say

    def prepare(self) -> None:
        """Raises SourceError where OpenCV cannot read such a camera."""
        if self._uri.scheme == "csi":
            raise SourceError("a CSI camera can only be read through GStreamer, with nvarguscamerasrc")

    def run(self, ring: Ring, lender: Lender, stopping: Callable[[], bool]) -> None:
        """Read until asked to stop. Raises SourceError; what FFmpeg has to say goes to standard error."""
        capture = self._open()
        if not capture.isOpened():
            rtsp = self._uri.scheme == "rtsp"
            raise SourceError("OpenCV finds no video in what it sends" if rtsp else "OpenCV cannot open it")
        self._say("connected", "")
        how = "FFmpeg" if self._uri.scheme == "rtsp" else "V4L2"
        self._say("note", f"read through OpenCV's {how}, decoded by the CPU")
        try:
            while not stopping():
                if not capture.grab():
                    raise SourceError("the camera ended the stream: end of stream")
                captured_ns = now_ns()
                if lender.is_due(captured_ns):
                    self._take(capture, captured_ns, ring, lender)
        finally:
            capture.release()

    def _open(self) -> Any:
        if self._uri.scheme == "rtsp":
            _set_ffmpeg_options(self._uri)
        import cv2

        if self._uri.scheme == "rtsp":
            # Read by releases from 4.5.2 on; where they are unknown, the parent's patience ends a hang.
            named = {"CAP_PROP_OPEN_TIMEOUT_MSEC": _OPEN_MS, "CAP_PROP_READ_TIMEOUT_MSEC": _READ_MS}
            known = [(getattr(cv2, name), value) for name, value in named.items() if hasattr(cv2, name)]
            options: List[int] = [number for pair in known for number in pair]
            address = _with_credentials(self._uri)
            return cv2.VideoCapture(address, cv2.CAP_FFMPEG, options) if options else cv2.VideoCapture(address)
        capture = cv2.VideoCapture(self._uri.place, cv2.CAP_V4L2)
        if self._uri.codec == "mjpeg":
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        wanted = {"FRAME_WIDTH": self._uri.width_px, "FRAME_HEIGHT": self._uri.height_px, "FPS": self._uri.fps}
        for name, value in wanted.items():
            if value is not None:
                capture.set(getattr(cv2, f"CAP_PROP_{name}"), value)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _take(self, capture: Any, captured_ns: int, ring: Ring, lender: Lender) -> None:
        import numpy as np

        came, pixels = capture.retrieve()
        if not came:
            return
        pixels = self._shaped(pixels)
        if pixels.nbytes > SLOT_BYTES:
            raise SourceError(f"pictures of {pixels.shape[1]}x{pixels.shape[0]} are larger than 8K")
        target = np.frombuffer(ring.slot(lender.free_slot), np.uint8, pixels.size)
        np.copyto(target.reshape(pixels.shape), pixels)
        lender.publish(pixels.shape[1], pixels.shape[0], captured_ns)

    def _shaped(self, pixels: Any) -> Any:
        import cv2

        uri = self._uri
        if uri.scheme == "rtsp" and uri.width_px is not None and uri.height_px is not None:
            pixels = cv2.resize(pixels, (uri.width_px, uri.height_px), interpolation=cv2.INTER_AREA)
        turns = {
            "clockwise": cv2.ROTATE_90_CLOCKWISE,
            "counterclockwise": cv2.ROTATE_90_COUNTERCLOCKWISE,
            "rotate-180": cv2.ROTATE_180,
        }
        if uri.flip in turns:
            return cv2.rotate(pixels, turns[uri.flip])
        return pixels if uri.flip == "none" else cv2.flip(pixels, 1 if uri.flip == "horizontal" else 0)


def _set_ffmpeg_options(uri: CameraUri) -> None:
    options = {
        "rtsp_transport": uri.transport,
        "stimeout": "5000000",  # until FFmpeg 5, whose `timeout` meant another thing before: to wait as a server
        "fflags": "nobuffer",
        "flags": "low_delay",
        "analyzeduration": "1000000",
        "max_delay": str(uri.latency_ms * 1000),
    }
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(f"{name};{value}" for name, value in options.items())
    # Each further thread would hold a picture back.
    os.environ["OPENCV_FFMPEG_THREADS"] = "1"
    # AV_LOG_ERROR: the only place where it says that a password is wrong.
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "16"


def _with_credentials(uri: CameraUri) -> str:
    if uri.credentials is None:
        return uri.place
    user, password = quote(uri.credentials.user, safe=""), quote(uri.credentials.password, safe="")
    return uri.place.replace("://", f"://{user}:{password}@", 1)
