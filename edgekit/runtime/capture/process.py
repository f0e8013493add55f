"""The parent's side of one capture process: started, asked, listened to, and ended for certain."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np

from edgekit.core.camera_uri import CameraUri, camera_uri_to_wire
from edgekit.runtime.capture.messages import WANT, Decoder, GarbageError, Message, Picture
from edgekit.runtime.capture.ring import Ring, create_ring

__all__ = ["ARGUMENTS", "CaptureProcess", "GarbageError", "GoneError"]

ARGUMENTS = ("-s", "-m", "edgekit.runtime.capture")
"""What Python is started with for a capture process."""

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_REAP_S = 2.0
_CHUNK = 1 << 16
# Of what decoders and drivers write. A CSI camera that failed can write gigabytes; the rest is let go.
_TAIL = 4096


class GoneError(Exception):
    """The capture process has ended; the message says how."""


class CaptureProcess:
    """A running capture process with its shared memory. For one thread at a time; `end` must be called."""

    def __init__(self, uri: CameraUri) -> None:
        """Raises OSError where the system has no descriptors, memory or processes left."""
        self._messages, out = os.pipe()
        try:
            self._ring: Ring = create_ring()
        except BaseException:
            os.close(self._messages)
            os.close(out)
            raise
        self._decoder = Decoder()
        self._tail = b""
        self._last_sequence = 0
        try:
            self._process = subprocess.Popen(
                [sys.executable, *ARGUMENTS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # OpenCV writes what FFmpeg says to the one, GStreamer to the other
                pass_fds=(self._ring.fd, out),
                env=capture_environment(),
                start_new_session=True,  # Ctrl-C is for the parent, and helpers of a decoder end with the group
                bufsize=0,
            )
        except BaseException:
            os.close(self._messages)
            self._ring.close()
            raise
        finally:
            os.close(out)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._messages, False)
        os.set_blocking(self._output.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._messages, select.POLLIN)
        self._poll.register(self._output.fileno(), select.POLLIN)
        request = {"camera": camera_uri_to_wire(uri), "ring_fd": self._ring.fd, "out_fd": out}
        self._tell(json.dumps(request).encode() + b"\n")

    @property
    def pid(self) -> int:
        """For messages and tests."""
        return self._process.pid

    @property
    def output_tail(self) -> str:
        """The last that libraries wrote; it may hold addresses with passwords."""
        return self._tail.decode(errors="replace")

    def ask(self) -> None:
        """The picture lent before is done with; lend the latest, or the next one that comes."""
        self._tell(WANT)

    def listen(self, timeout_s: float) -> List[Message]:
        """What it says within the time; returns early when it says something.

        Raises GarbageError if that makes no sense, GoneError once it has ended and all it said was heard.
        """
        ready = self._poll.poll(timeout_s * 1000)
        self._drain_output()
        if not any(fd == self._messages for fd, _ in ready):
            return []
        chunk = os.read(self._messages, _CHUNK)
        if not chunk:
            self._drain_output()
            raise GoneError(self._how_it_ended())
        return self._decoder.feed(chunk)

    def take(self, picture: Picture) -> np.ndarray:
        """(H, W, 3) uint8 BGR: a copy of the picture that is lent, which the child cannot change any more.

        Raises GarbageError for one that was there before.
        """
        if picture.sequence <= self._last_sequence:
            raise GarbageError(f"picture {picture.sequence} after {self._last_sequence}")
        self._last_sequence = picture.sequence
        pixels = np.empty((picture.height_px, picture.width_px, 3), np.uint8)
        with self._ring.slot(picture.slot) as slot:
            np.copyto(pixels.reshape(-1), np.frombuffer(slot, np.uint8, pixels.size))
        return pixels

    def end(self, grace_s: float = 0.0) -> None:
        """Ask it to let go of the camera, insist after the grace, and give back all that it took here."""
        with suppress(OSError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            if grace_s > 0:
                self._process.wait(grace_s)
        with suppress(ProcessLookupError):
            # Also after its own end: the group has the same number as long as a helper lives in it.
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)  # one that hangs in a driver is reaped by a later start
        os.close(self._messages)
        self._output.close()
        self._ring.close()

    def _tell(self, words: bytes) -> None:
        with suppress(BrokenPipeError):  # its end is noticed where it is listened to
            self._stdin.write(words)

    def _drain_output(self) -> None:
        with suppress(BlockingIOError):
            chunk = os.read(self._output.fileno(), _CHUNK)
            self._tail = (self._tail + chunk)[-_TAIL:]
            if not chunk:
                with suppress(KeyError):
                    self._poll.unregister(self._output.fileno())

    def _how_it_ended(self) -> str:
        code: Optional[int] = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_REAP_S)
        if code is None:
            return "the capture process closed its pipe and lives on"
        if code < 0:
            return f"the capture process was ended by {signal.Signals(-code).name}"
        return f"the capture process ended with exit code {code}"


def capture_environment() -> Dict[str, str]:
    """What a process that loads GStreamer is started with."""
    environment = dict(os.environ)
    # A display of whoever logged in would make NVIDIA's elements look for EGL there, and fail.
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    path = [str(_PACKAGE_PARENT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    environment.update(LC_ALL="C.UTF-8", LANGUAGE="C", GST_DEBUG_NO_COLOR="1")  # failures are named by English texts
    cache = environment.get("CACHE_DIRECTORY", "").partition(":")[0]
    if cache:
        # A service has no home; without its list of plugins GStreamer would look through all of them at each start.
        environment["GST_REGISTRY"] = f"{cache}/gstreamer-registry.bin"
    return environment
