"""Where detections go: JSON lines, an annotated video, annotated pictures. Any number of them for one source."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Protocol, Sequence, Tuple, Type, Union

from edgekit.errors import DeviceError, EdgekitError, UsageError
from edgekit.runtime.frames import Source
from edgekit.runtime.jsonl_sink import JsonlFile, JsonlLog
from edgekit.runtime.picture_sinks import PictureFolder, VideoFile, VideoFiles, video_path
from edgekit.runtime.pipeline import DetectedFrame
from edgekit.runtime.uris import split_sink

SINK_EXAMPLES = {"jsonl": "jsonl:PATH.jsonl", "video": "video:PATH.mp4", "images": "images:FOLDER"}


class Sink(Protocol):
    """One destination. After `finish` or `abort` it is not used again."""

    target: Path

    def write(self, detected: DetectedFrame) -> None:
        """Take one frame."""

    def finish(self) -> List[str]:
        """Complete what was written; the paths that now exist."""

    def abort(self) -> None:
        """Remove what is incomplete."""


class Sinks:
    """All sinks of one run, as a context manager.

    Leaving it normally, by Ctrl-C or by exit completes the files with the frames written so far; any other error
    removes the incomplete ones.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = list(sinks)
        self._written: List[str] = []

    @property
    def written(self) -> Tuple[str, ...]:
        """Files and folders that are complete; filled when the context ends."""
        return tuple(self._written)

    def write(self, detected: DetectedFrame) -> None:
        """Give a frame to every sink. Raises DeviceError if one cannot write."""
        for sink in self._sinks:
            with _reporting(sink.target):
                sink.write(detected)

    def __enter__(self) -> Sinks:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: Any) -> None:
        if kind is None or not issubclass(kind, Exception):
            self._finish()
        else:
            self._abort()

    def _finish(self) -> None:
        while self._sinks:
            sink = self._sinks[0]
            try:
                with _reporting(sink.target):
                    self._written.extend(sink.finish())
            except BaseException:
                self._abort()
                raise
            self._sinks.pop(0)

    def _abort(self) -> None:
        for sink in self._sinks:
            # A full disk fails once more when buffers are let go; the first error is the one to tell.
            with suppress(OSError):
                sink.abort()
        self._sinks.clear()


def open_sinks(uris: Sequence[str], labels: Sequence[str], source: Source) -> Sinks:
    """The sinks at `jsonl:PATH`, `video:PATH` and `images:FOLDER` addresses; none at all is fine.

    A file appears under its name when it is complete. Only JSON lines of a live source, which may never end, grow under
    their final name. Raises UsageError for a wrong address, or one that would overwrite what the source reads.
    """
    targets = [split_sink(uri, SINK_EXAMPLES) for uri in uris]
    twice = {path for _, path in targets if sum(path == other for _, other in targets) > 1}
    if twice:
        raise UsageError(f"two sinks write to {sorted(twice)[0]}", hint="give each its own path")
    protected = frozenset(os.path.realpath(path) for path in source.paths)
    sinks: List[Sink] = []
    try:
        for kind, path in targets:
            _refuse_overwriting(path, protected)
            with _reporting(path):
                sinks.append(_OPENERS[kind](Path(path), labels, source, protected))
    except BaseException:
        Sinks(sinks)._abort()
        raise
    return Sinks(sinks)


def _refuse_overwriting(path: str, protected: FrozenSet[str]) -> None:
    if os.path.realpath(path) in protected:
        raise UsageError(f"{path} is what the source reads", hint="name another file to write")


@contextmanager
def _reporting(target: Union[str, Path]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind: Type[EdgekitError] = DeviceError if error.errno == errno.ENOSPC else UsageError
        raise kind(f"{target} cannot be written", why=error.strerror or str(error)) from None


def _open_jsonl(path: Path, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    return JsonlLog(path, labels) if source.live else JsonlFile(path, labels)


def _open_video(path: Path, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    if len(source.streams) > 1:
        for stream in source.streams:
            _refuse_overwriting(str(video_path(path, stream.name)), protected)
        return VideoFiles(path, labels, source.streams)
    return VideoFile(path, labels, source.fps, live=source.live)


def _open_images(path: Path, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    return PictureFolder(path, labels, protected)


_OPENERS: Dict[str, Callable[[Path, Sequence[str], Source, FrozenSet[str]], Sink]] = {
    "jsonl": _open_jsonl,
    "video": _open_video,
    "images": _open_images,
}
