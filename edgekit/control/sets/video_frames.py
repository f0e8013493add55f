"""Frames of a video as pictures: one every few seconds, written once, found again by the video's content."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.core.progress import OnProgress
from edgekit.errors import CalibrationError, NotFoundError

MOST_FRAMES = 20_000
_JPEG_QUALITY = 95
_DONE = "whole"


def extract_frames(video: Path, every_s: float, cache: Path, on_progress: OnProgress) -> list[Path]:
    """The frames at 0, every_s, 2 every_s ... seconds as JPEG files named by their time, in order.

    One frame is in memory at a time. An interrupted extraction leaves nothing behind.
    Raises NotFoundError without the file, CalibrationError if no frame can be read or there would be too many.
    """
    if not video.is_file():
        raise NotFoundError(f"no video {video}", hint="check sources: in the set's set.yaml")
    folder = cache / "frames" / f"{files.sha256_file(video)[:16]}-{every_s:g}"
    if not (folder / _DONE).is_file():
        _extract(video, every_s, folder, on_progress)
    return sorted(folder.glob("*.jpg"))


def _extract(video: Path, every_s: float, folder: Path, on_progress: OnProgress) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".frames-", suffix=".part", dir=folder.parent))
    try:
        if not _write_frames(video, every_s, part, on_progress):
            raise CalibrationError(f"{video} gives no frame", why="it is damaged, or no video that OpenCV can read")
        (part / _DONE).touch()
        part.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError:
        if not (folder / _DONE).is_file():  # else another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_frames(video: Path, every_s: float, folder: Path, on_progress: OnProgress) -> int:
    import cv2

    reader = cv2.VideoCapture(str(video))
    try:
        total = max(0, int(reader.get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = reader.get(cv2.CAP_PROP_FPS) or 25.0
        number, written, due_s = 0, 0, 0.0
        while reader.grab():
            if number / fps >= due_s - 1e-6:
                written += _write_frame(reader, folder / f"{number / fps:010.3f}s.jpg")
                due_s += every_s
                on_progress(f"frames of {video.name}", number, total)
            number += 1
            if written > MOST_FRAMES:
                raise CalibrationError(f"{video} gives more than {MOST_FRAMES} frames", hint="give a larger every_s:")
        return written
    finally:
        reader.release()


def _write_frame(reader: Any, path: Path) -> int:
    import cv2

    read, frame = reader.retrieve()
    if not read:
        return 0
    written, content = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert written
    path.write_bytes(content.tobytes())
    files.fsync_file(path)
    return 1
