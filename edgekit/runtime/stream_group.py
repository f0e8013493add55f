"""Several sources as one, so that their frames share the engine's batches."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.service import StreamSettings
from edgekit.core.stream_names import MOST_STREAMS, stream_names
from edgekit.errors import SourceError, UsageError
from edgekit.runtime.file_sources import PictureSource
from edgekit.runtime.frames import Source
from edgekit.runtime.pictures import PICTURE_SUFFIXES
from edgekit.runtime.sources import open_source
from edgekit.runtime.uris import split_source


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
    pictures = [path for path in map(_picture_at, uris) if path is not None]
    if len(uris) > 1 and len(pictures) == len(uris):
        return PictureSource(pictures)  # a pattern that the shell expanded
    names = [""] if len(uris) == 1 else stream_names(uris)
    return open_streams([StreamSettings(uri, name) for uri, name in zip(uris, names)])


class BrokenStream(Source):
    """In the place of one of several sources that could not be opened: the others go on, and it is told why."""

    live = True  # so that its end does not end the others

    def __init__(self, error: SourceError) -> None:
        super().__init__()
        self._error = error

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        raise self._error


def open_streams(streams: Sequence[StreamSettings], *, lenient: bool = False) -> Source:
    """The sources of a run under their names: one by itself, several as a group. Raises as `open_source` does.

    lenient: one of several that cannot be read does not keep the others from it; that it failed comes as its first
    frame would. With an address that is wrong, nothing is opened.
    """
    if not streams:
        raise UsageError("there is no source", hint="name at least one")
    if len(streams) > MOST_STREAMS:
        raise UsageError(
            f"{len(streams)} sources are too many", why=f"up to {MOST_STREAMS} are read at once, in a thread each"
        )
    if len(streams) == 1:
        single = open_source(streams[0].uri)
        single.name = streams[0].name
        return single
    opened: List[Source] = []
    with ExitStack() as stack:
        for stream in streams:
            source: Any = stack.enter_context(_open_lenient(stream.uri) if lenient else open_source(stream.uri))
            opened.append(source)
        stack.pop_all()
    return StreamGroup(opened, [stream.name for stream in streams])


def _open_lenient(uri: str) -> Source:
    try:
        return open_source(uri)
    except SourceError as error:
        return BrokenStream(error)


def _picture_at(uri: str) -> Optional[Path]:
    scheme, rest = split_source(uri)
    path = Path(rest).expanduser()
    return path if scheme == "file" and path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() else None
