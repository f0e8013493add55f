"""Annotated pictures: a video file, or a folder with one picture for each frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

import cv2
import numpy as np

from edgekit.core.letterbox import fit_letterbox
from edgekit.errors import DeviceError, UsageError
from edgekit.runtime.draw import annotate
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.pipeline import DetectedFrame
from edgekit.runtime.unfinished import UnfinishedFile

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
_FPS_UNKNOWN = 10.0
_JPEG_QUALITY = 92

# A live video repeats a picture for each dropped frame to keep its pace, but a long pause is not worth its disk space.
_MOST_REPEATS = 30


class VideoFile:
    """An annotated video of the first frame's size; frames of another size are fitted in. Appears when complete."""

    def __init__(self, target: Path, labels: Sequence[str], fps: Optional[float], *, live: bool = False) -> None:
        if target.suffix.lower() not in CODECS:
            raise UsageError(
                f"{target}: a video is written as {' or '.join(CODECS)}", hint=f"video:{target.with_suffix('.mp4')}"
            )
        self.target = target
        self._labels = labels
        self._fps = fps or _FPS_UNKNOWN
        self._live = live
        self._next_index = 0
        self._size: Tuple[int, int] = (0, 0)
        self._writer: Optional[cv2.VideoWriter] = None
        self._file = UnfinishedFile(target)

    def write(self, detected: DetectedFrame) -> None:
        """Add a frame."""
        picture = annotate(detected.frame.pixels, detected.detections, self._labels, detected.track_ids)
        if self._writer is None:
            self._size = even_size(picture)
            self._writer = self._open()
        picture = fitted(picture, *self._size)
        for _ in range(self._repeats(detected.frame)):
            self._writer.write(picture)

    def finish(self) -> List[str]:
        """Complete the file; its path, or nothing if no frame came."""
        if self._writer is None:
            self._file.drop()
            return []
        self._writer.release()
        # VideoWriter does not say when the disk is full; an empty file does.
        if self._file.temporary.stat().st_size == 0:
            self._file.drop()
            raise DeviceError(f"{self.target} came out empty", why="the video encoder failed or the disk is full")
        self._file.complete()
        return [str(self.target)]

    def abort(self) -> None:
        """Remove the incomplete file."""
        if self._writer is not None:
            self._writer.release()
        self._file.drop()

    def _open(self) -> cv2.VideoWriter:
        codec = CODECS[self.target.suffix.lower()]
        fourcc = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(str(self._file.temporary), fourcc, self._fps, self._size)
        if not writer.isOpened():
            raise DeviceError(
                f"{self.target} cannot be encoded", why=f"OpenCV here has no {codec} encoder",
                hint=f"video:{self.target.with_suffix('.avi')}",
            )  # fmt: skip
        return writer

    def _repeats(self, frame: Frame) -> int:
        missed = frame.index - self._next_index if self._live else 0
        self._next_index = frame.index + 1
        return 1 + min(max(missed, 0), _MOST_REPEATS)


class VideoFiles:
    """An annotated video for each of several streams, named by `video_path`."""

    def __init__(self, target: Path, labels: Sequence[str], streams: Sequence[Source]) -> None:
        self.target = target
        self._files: Dict[str, VideoFile] = {}
        try:
            for stream in streams:
                path = video_path(target, stream.name)
                self._files[stream.name] = VideoFile(path, labels, stream.fps, live=stream.live)
        except BaseException:
            self.abort()
            raise

    def write(self, detected: DetectedFrame) -> None:
        """Add a frame to its stream's video."""
        self._files[detected.frame.stream].write(detected)

    def finish(self) -> List[str]:
        """Complete the files; the paths of those to which frames came."""
        written: List[str] = []
        for name in list(self._files):
            written += self._files[name].finish()
            del self._files[name]  # what is complete stays, should a later one fail
        return written

    def abort(self) -> None:
        """Remove the incomplete files."""
        for file in self._files.values():
            file.abort()


def video_path(target: Path, stream: str) -> Path:
    """Where one of several streams' video goes: found.mp4 -> found-front.mp4."""
    return target.with_name(f"{target.stem}-{stream}{target.suffix}")


class PictureFolder:
    """A folder of annotated pictures, named after their frames; PNG stays PNG, all else becomes JPEG.

    Of several streams, a picture's name begins with its stream's.
    A name that came before gets a number, and no picture of the source is ever overwritten.
    """

    def __init__(self, target: Path, labels: Sequence[str], protected: FrozenSet[str] = frozenset()) -> None:
        target.mkdir(parents=True, exist_ok=True)
        self.target = target
        self._labels = labels
        self._protected = protected
        self._names: Set[str] = set()

    def write(self, detected: DetectedFrame) -> None:
        """Write one picture; it appears whole."""
        path = self._path_for(detected.frame)
        picture = annotate(detected.frame.pixels, detected.detections, self._labels, detected.track_ids)
        encoded, content = cv2.imencode(path.suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not encoded:
            raise DeviceError(f"{path} cannot be encoded")
        temporary = path.with_name(f".{path.name}.part")
        try:
            temporary.write_bytes(content.tobytes())
            temporary.replace(path)
        except BaseException:
            if temporary.exists():
                temporary.unlink()
            raise

    def finish(self) -> List[str]:
        """The folder's path."""
        return [str(self.target)]

    def abort(self) -> None:
        """Every picture there is complete, so all stay."""

    def _path_for(self, frame: Frame) -> Path:
        source = Path(frame.path) if frame.path else None
        stem = "-".join(filter(None, (frame.stream, source.stem if source else frame.name)))
        suffix = ".png" if source and source.suffix.lower() == ".png" else ".jpg"
        name, count = stem + suffix, 1
        while name in self._names:
            count += 1
            name = f"{stem}-{count}{suffix}"
        self._names.add(name)
        path = self.target / name
        if os.path.realpath(path) in self._protected:
            raise UsageError(
                f"{path} is a picture of the source", why="it would be overwritten", hint="name another folder"
            )
        return path


def even_size(picture: np.ndarray) -> Tuple[int, int]:
    """(width, height), made even: most encoders halve the colour planes."""
    height, width = picture.shape[:2]
    return max(2, width - width % 2), max(2, height - height % 2)


def fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture at a video's size: cut by an odd row or column, else scaled as a whole with black around it."""
    if picture.shape[:2] == (height, width):
        return picture
    if 0 <= picture.shape[0] - height <= 1 and 0 <= picture.shape[1] - width <= 1:
        return np.ascontiguousarray(picture[:height, :width])
    fit = fit_letterbox(picture.shape[1], picture.shape[0], width, height)
    canvas = np.zeros((height, width, 3), np.uint8)
    size = (fit.resized_width, fit.resized_height)
    canvas[fit.rows, fit.cols] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return canvas
