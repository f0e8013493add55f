"""The file that is there while a device is measured, and stays if that is cut off: *.partial.json.

It is no result. It says how far the run came, and which service still waits to be started again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.control.records import read_record
from edgekit.core.results import SCHEMA
from edgekit.core.wire import to_wire
from edgekit.errors import EdgekitError
from edgekit.files import write_json

SUFFIX = ".partial.json"
_WRITE_EVERY_S = 1.0


@dataclass(frozen=True)
class Partial:
    """done and total: seconds of measuring. precision: of the engine whose turn it is.

    stopped_service: was stopped for the measurement and is to be started after it, "" if there is none. host and pid:
    of the process that measures; pid 0 once it does so no more.
    """

    started_utc: str
    device: str
    detector: str
    precision: str
    scenario: str
    session: str
    done: int = 0
    total: int = 0
    round: int = 1
    rounds: int = 1
    stopped_service: str = ""
    host: str = ""
    pid: int = 0
    partial: bool = True
    schema: int = SCHEMA


class PartialFile:
    """The file of a run under way."""

    def __init__(self, folder: Path, content: Partial) -> None:
        self.content = replace(content, host=socket.gethostname(), pid=os.getpid())
        self._path = folder / f"{content.device}-{content.detector}-{content.session}{SUFFIX}"
        self._written_s = 0.0
        self.write()

    def write(self, **changes: object) -> None:
        """Change what it says, at once."""
        self.content = replace(self.content, **changes)  # type: ignore[arg-type]
        write_json(self._path, to_wire(self.content))
        self._written_s = time.monotonic()

    def advance(self, done: int, total: int) -> None:
        """How far the run is; written about once a second."""
        if time.monotonic() - self._written_s >= _WRITE_EVERY_S:
            self.write(done=done, total=total)

    def remove(self) -> None:
        """The run is over, and nothing of it waits."""
        self._path.unlink(missing_ok=True)


@contextmanager
def partial_file(folder: Path, content: Partial) -> Iterator[PartialFile]:
    """The file of a run: it goes at the end, and after an error that left nothing behind. After a Ctrl-C it stays."""
    partial = PartialFile(folder, content)
    try:
        yield partial
    except BaseException as error:
        partial.write(pid=0)
        if isinstance(error, EdgekitError) and not partial.content.stopped_service:
            partial.remove()
        raise
    partial.remove()


def left_behind(folder: Path, device: str) -> dict[Path, Partial]:
    """What runs on a device left that were cut off. While one is under way, its file is among them."""
    found = {path: read_record(Partial, path) for path in sorted(folder.glob(f"*{SUFFIX}")) if path.name[0] != "."}
    return {path: partial for path, partial in found.items() if partial is not None and partial.device == device}


def under_way(partial: Partial) -> bool:
    """Whether it is measured at this moment, as far as this machine can tell."""
    return partial.host == socket.gethostname() and partial.pid > 0 and Path(f"/proc/{partial.pid}").is_dir()


def left_text(partial: Partial) -> str:
    """A sentence for people."""
    text = (
        f"a bench of {partial.detector} on {partial.device}, begun {partial.started_utc}, was cut off after "
        f"{partial.done} of {partial.total} s and counts for nothing"
    )
    return f"{text}; {partial.stopped_service} was left stopped" if partial.stopped_service else text
