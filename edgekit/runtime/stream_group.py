"""Several sources as one, so that their frames share the engine's batches."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.errors import UsageError
from edgekit.runtime.file_sources import PictureSource
from edgekit.runtime.frames import Source
from edgekit.runtime.pictures import PICTURE_SUFFIXES
from edgekit.runtime.sources import open_source
from edgekit.runtime.uris import split_source

MOST_STREAMS = 64
_UNFIT_FOR_NAMES = re.compile(r"[^\w.-]+")


class StreamGroup(Source):
    """Sources under names of their own; each is read in a thread of its own, see `streams`.

    It is live if any member is. Nothing is read through the group itself; closing it closes the members.
    """

    def __init__(self, members: Sequence[Source], names: Sequence[str]) -> None:
        super().__init__()
        if len(set(names)) != len(names) or len(names) != len(members) or "" in names:
            raise ValueError(f"expected a name of its own for each of {len(members)} streams, got {list(names)}")
        self._members = tuple(members)
        for member, name in zip(members, names):
            member.name = name
        counts = [member.frame_count for member in members]
        self.live = any(member.live for member in members)
        self.ready = all(member.ready for member in members)
        self.frame_count = None if None in counts else sum(count for count in counts if count is not None)
        self.paths = tuple(path for member in members for path in member.paths)

    @property
    def streams(self) -> Tuple[Source, ...]:
        """The members."""
        return self._members

    @property
    def notes(self) -> Tuple[str, ...]:
        """The members' notes, each under its stream's name."""
        return tuple(f"{member.name}: {note}" for member in self._members for note in member.notes)

    def stop(self) -> None:
        """End every stream at its next frame."""
        for member in self._members:
            member.stop()

    def close(self) -> None:
        """Close every member, also if one of them fails to."""
        with ExitStack() as stack:
            for member in self._members:
                stack.callback(member.close)

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        raise NotImplementedError("a group's members are read one by one")


def open_sources(uris: Sequence[str]) -> Source:
    """The source at one address, or a group of those at several. Pictures alone are one source, in the order given.

    Raises SourceError or UsageError as `open_source` does; what was opened before is closed then.
    """
    if not uris:
        raise UsageError("there is no source", hint="name at least one")
    if len(uris) == 1:
        return open_source(uris[0])
    pictures = [path for path in map(_picture_at, uris) if path is not None]
    if len(pictures) == len(uris):
        return PictureSource(pictures)  # a pattern that the shell expanded
    if len(uris) > MOST_STREAMS:
        raise UsageError(
            f"{len(uris)} sources are too many", why=f"up to {MOST_STREAMS} are read at once, in a thread each"
        )
    opened: List[Source] = []
    with ExitStack() as stack:
        for uri in uris:
            source: Any = stack.enter_context(open_source(uri))
            opened.append(source)
        stack.pop_all()
    return StreamGroup(opened, stream_names(uris))


def stream_names(uris: Sequence[str]) -> Tuple[str, ...]:
    """A short name for each address, fit for a file's name: "front" for videos/front.mp4, "scenes" for scenes://.

    Of equal names the later ones get a number: "scenes", "scenes-2".
    """
    names: List[str] = []
    for uri in uris:
        wanted, count = _name_of(uri), 1
        name = wanted
        while name in names:
            count += 1
            name = f"{wanted}-{count}"
        names.append(name)
    return tuple(names)


def _picture_at(uri: str) -> Optional[Path]:
    scheme, rest = split_source(uri)
    path = Path(rest).expanduser()
    return path if scheme == "file" and path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() else None


def _name_of(uri: str) -> str:
    scheme, rest = split_source(uri)
    if scheme != "file":
        return scheme
    path = PurePath(rest)
    # Of a pattern such as drive/*.png, the folder names it better.
    text = path.parent.name if set("*?[") & set(path.name) else path.stem
    return _UNFIT_FOR_NAMES.sub("_", text).strip("._-") or "stream"
