"""One clip's video: the pictures at the pace at which they were taken, whatever came late or not at all."""

from __future__ import annotations

import logging
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Optional, Tuple

import cv2
import numpy as np

from edgekit.errors import DeviceError
from edgekit.runtime.picture_sinks import even_size, fitted

_log = logging.getLogger(__name__)
# H.264, which everything plays, and MPEG-4 Part 2, which browsers do not.
_CODECS = ("avc1", "mp4v")
_TRIAL_FRAMES = 3


class ClipVideo:
    """A video of a constant rate: each of its moments shows the picture that was taken nearest before it.

    Frames of another size than the first are fitted in.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.frames = 0
        self._path = path
        self._fps = fps
        self._codec = ""
        self._size: Tuple[int, int] = (0, 0)
        self._writer: Optional[cv2.VideoWriter] = None
        self._latest: Optional[np.ndarray] = None
        self._began_s = 0.0

    @property
    def codec(self) -> str:
        """The four letters by which files name it; "" before the first picture."""
        return self._codec

    def add(self, time_s: float, picture: np.ndarray) -> None:
        """The picture (H, W, 3) uint8 BGR of a moment; moments only grow. Raises DeviceError if nothing can encode."""
        if self._writer is None:
            self._began_s, self._size, self._codec = time_s, even_size(picture), clip_codec()
            self._writer = _open_writer(self._path, self._codec, self._fps, self._size)
        self._fill(time_s - 0.5 / self._fps)
        self._latest = fitted(picture, *self._size)

    def finish(self) -> None:
        """Complete the file. Raises DeviceError if it did not come out whole."""
        if self._writer is None or self._latest is None:
            raise DeviceError(f"{self._path.name} got no picture")
        self._write()
        self.close()
        found = frames_in(self._path)
        if found != self.frames:
            why = "the video encoder failed or the disk is full"
            raise DeviceError(f"{self._path.name} holds {found} of {self.frames} frames", why=why)

    def close(self) -> None:
        """Let go of the encoder."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _fill(self, until_s: float) -> None:
        while self._latest is not None and self._began_s + self.frames / self._fps < until_s:
            self._write()

    def _write(self) -> None:
        assert self._writer is not None
        assert self._latest is not None
        self._writer.write(self._latest)
        self.frames += 1


def frames_in(path: Path) -> int:
    """How many frames a video says it has; 0 if it cannot be read."""
    capture = cv2.VideoCapture(str(path))
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()


@lru_cache(maxsize=None)
def clip_codec() -> str:
    """The best codec that OpenCV can really write here. Raises DeviceError if there is none."""
    for codec in _CODECS:
        if _works(codec):
            _log.info("clips are written as %s", codec)
            return codec
    raise DeviceError("OpenCV here can write no MP4 video", hint="install an OpenCV with FFmpeg or GStreamer")


def _works(codec: str) -> bool:
    """Whether a small video comes out: some encoders open, and then fail."""
    picture = np.zeros((64, 64, 3), np.uint8)
    with tempfile.TemporaryDirectory(prefix="edgekit-clip-") as folder:
        path = Path(folder) / "trial.mp4"
        try:
            writer = _open_writer(path, codec, 10.0, (64, 64))
        except DeviceError:
            return False
        for _ in range(_TRIAL_FRAMES):
            writer.write(picture)
        writer.release()
        return frames_in(path) == _TRIAL_FRAMES


def _open_writer(path: Path, codec: str, fps: float, size: Tuple[int, int]) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    if not writer.isOpened():
        writer.release()
        raise DeviceError(f"{path.name} cannot be encoded", why=f"OpenCV here has no {codec} encoder")
    return writer
