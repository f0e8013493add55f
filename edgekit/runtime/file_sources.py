"""Sources that read files: pictures one by one, and videos."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from edgekit.errors import SourceError
from edgekit.runtime.frames import Source
from edgekit.runtime.pictures import read_picture

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg", ".ts")

# Containers estimate their frame count; only a clear difference means that the file was cut.
_FRAMES_MISSING = 0.02
_NOTES_KEPT = 100


class PictureSource(Source):
    """Picture files in the order given. One that cannot be read is skipped and noted; if none can, that is an error."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._files = list(paths)
        self._position = 0
        self._skipped: List[str] = []
        self.frame_count = len(self._files)
        self.paths = tuple(str(path) for path in self._files)

    @property
    def notes(self) -> Tuple[str, ...]:
        """One line for each skipped picture, the first hundred of them."""
        rest = len(self._skipped) - _NOTES_KEPT
        return (*self._skipped[:_NOTES_KEPT], *([f"and {rest} more"] if rest > 0 else []))

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        while self._position < len(self._files):
            path = self._files[self._position]
            self._position += 1
            try:
                return read_picture(path), path.name, str(path)
            except SourceError as error:
                if len(self._files) == 1:
                    raise
                self._skipped.append(error.what)
        if self._index == 0:
            raise SourceError(
                f"none of the {len(self._files)} pictures can be read", why=self._skipped[0], hint="check the files"
            )
        return None


class VideoSource(Source):
    """The frames of a video file, through OpenCV. A file that ends early is noted with the frames that came."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise SourceError(
                f"{path} cannot be opened as a video",
                why="it is damaged or cut short, or OpenCV here has no decoder for it",
                hint=f"ffmpeg -i {path} -c:v libx264 out.mp4",
            )
        self.fps = self._property(cv2.CAP_PROP_FPS)
        width, height = self._property(cv2.CAP_PROP_FRAME_WIDTH), self._property(cv2.CAP_PROP_FRAME_HEIGHT)
        self.size = (int(width), int(height)) if width and height else None
        count = self._property(cv2.CAP_PROP_FRAME_COUNT)
        self.frame_count = int(count) if count else None
        self.paths = (str(path),)
        self._ended = False

    @property
    def notes(self) -> Tuple[str, ...]:
        """One line if the file ended clearly before the frame count it announces."""
        expected = self.frame_count
        if not self._ended or expected is None or self._index >= expected * (1 - _FRAMES_MISSING) - 1:
            return ()
        return (f"{self._path} is damaged or cut short: {self._index} of {expected} frames could be read",)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        came, pixels = self._capture.read()
        if came:
            return pixels, f"{self._path.stem}-{self._index:06d}", None
        self._ended = True
        if self._index == 0:
            raise SourceError(f"{self._path} holds no frame that can be read", why="it is damaged or cut short")
        return None

    def _property(self, code: int) -> Optional[float]:
        value = float(self._capture.get(code))
        return value if 0 < value < 1e9 else None
