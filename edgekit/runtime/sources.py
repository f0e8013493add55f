"""Opening a source of frames by its address: a path, a glob, or `scheme://options`."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Callable, Dict, List

from edgekit.core.camera_uri import hide_credentials
from edgekit.errors import SourceError, UsageError
from edgekit.runtime.capture.source import open_camera
from edgekit.runtime.file_sources import VIDEO_SUFFIXES, PictureSource, VideoSource
from edgekit.runtime.frames import Source
from edgekit.runtime.pictures import PICTURE_SUFFIXES, list_pictures
from edgekit.runtime.scene_source import open_memory, open_scenes
from edgekit.runtime.uris import split_source

SOURCES_MEAN = (
    "a picture, a folder of pictures, a glob such as 'street/*.jpg', a video file, "
    "a camera: csi://0, v4l2:///dev/video0 or rtsp://host/stream, "
    "scenes://?seed=1&width=1280&height=720&fps=15&frames=0&live=1, or memory://?width=1920&height=1080&frames=32"
)


def open_source(uri: str) -> Source:
    """The source at an address; close it after use, or use it in a `with` block.

    Raises SourceError if it is missing, empty or cannot be read, UsageError if the address itself is wrong.
    """
    scheme, rest = split_source(uri)
    if scheme not in _OPENERS:
        raise UsageError(f"no source of kind {scheme!r}: {hide_credentials(uri)}", why=f"a source is {SOURCES_MEAN}")
    return _OPENERS[scheme](uri, rest)


def _open_file(uri: str, rest: str) -> Source:
    path = Path(rest).expanduser()
    if rest and path.is_dir():
        return PictureSource(list_pictures(path))
    if rest and path.is_file():
        return _open_one(path)
    if glob.has_magic(rest):
        return PictureSource(_matches(rest))
    raise SourceError(f"there is no file or folder {rest!r}", hint=f"a source is {SOURCES_MEAN}")


def _open_one(path: Path) -> Source:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureSource([path])
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path)
    raise SourceError(
        f"{path} is neither a picture nor a video by its name",
        why=f"known endings: {' '.join((*sorted(PICTURE_SUFFIXES), *VIDEO_SUFFIXES))}",
        hint="rename it to what it is",
    )


def _matches(pattern: str) -> List[Path]:
    # pathlib has no glob for absolute patterns.
    found = [Path(name) for name in sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))]  # noqa: PTH207
    pictures = [path for path in found if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise SourceError(
            f"no picture matches {pattern!r}",
            why=f"{len(found)} other names match" if found else "nothing has such a name",
            hint="quote the pattern, so that the shell leaves it alone",
        )
    return pictures


_OPENERS: Dict[str, Callable[[str, str], Source]] = {
    "file": _open_file,
    "scenes": open_scenes,
    "memory": open_memory,
    "csi": open_camera,
    "v4l2": open_camera,
    "rtsp": open_camera,
}
