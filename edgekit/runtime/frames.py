"""Stage 1 of 4, capture: what a frame is and what every source of frames can do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple

import numpy as np

from edgekit.core.camera_condition import Condition

_PACING_SLICE_S = 0.05


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture on its way through the pipeline.

    pixels (H, W, 3) uint8 BGR, read-only for everyone: a source may hand out the same array again. captured_s on the
    clock of time.monotonic; capture_ms is what obtaining it cost, without waiting for it to be due. path is the file
    that holds exactly this picture, where there is one. stream names the one of several sources that it is from, "" for
    a single source. constant: the source hands out this memory again, never changes it, and keeps it until it closes.
    """

    pixels: np.ndarray
    index: int  # counts what the source delivered, dropped frames included
    captured_s: float
    name: str
    capture_ms: float = 0.0
    path: Optional[str] = None
    stream: str = ""
    constant: bool = False


class Source:
    """An iterator of frames. Subclasses implement `_read`; one thread at a time may iterate.

    live: a frame that nobody takes is gone, so late frames are dropped. fps, size (width_px, height_px) and
    frame_count are None where unknown, varying or endless. paths are the files read, which no sink may overwrite.
    constant: see Frame. ready: the next frame is always there, so that reading it needs no thread of its own. name is
    the stream's among several, "" for a single source. on_away: called about every second with the reason, by the
    thread that reads, while a camera that can come back gives nothing.
    """

    live: bool = False
    ready: bool = False
    constant: bool = False
    name: str = ""
    fps: Optional[float] = None
    size: Optional[Tuple[int, int]] = None
    frame_count: Optional[int] = None
    paths: Tuple[str, ...] = ()
    on_away: Optional[Callable[[str], None]] = None

    def __init__(self) -> None:
        self._index = 0
        self._stopped = False
        self._due_s: Optional[float] = None

    @property
    def streams(self) -> Tuple[Source, ...]:
        """What is read one thread each: this source itself, or the members of a group."""
        return (self,)

    @property
    def condition(self) -> Optional[Condition]:
        """How a camera fares; None for what is no camera, and gives its frames or ends."""
        return None

    @property
    def notes(self) -> Tuple[str, ...]:
        """What a person should know of this source after reading it: pictures skipped, a video cut short."""
        return ()

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Frame:
        """The next frame. Raises StopIteration at the end, SourceError if the source cannot be read."""
        started_s = time.monotonic()
        read = None if self._stopped else self._read()
        if read is None:
            raise StopIteration
        capture_ms = (time.monotonic() - started_s) * 1e3
        if self.live and not self._wait_until_due():
            raise StopIteration
        pixels, name, path = read
        frame = Frame(
            pixels, self._index, time.monotonic(), name, capture_ms, path, stream=self.name, constant=self.constant
        )
        self._index += 1
        return frame

    def stop(self) -> None:
        """End the stream at the next frame. Takes no lock, so a signal handler may call it, as may any thread."""
        self._stopped = True

    def close(self) -> None:
        """Give back files and devices. Not while another thread reads."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        """(pixels, name, path) of the next picture, or None at the end."""
        raise NotImplementedError

    def _wait_until_due(self) -> bool:
        """Keep the pace of a camera; a source that is late starts counting anew. False once stopped."""
        now_s = time.monotonic()
        due_s = now_s if self._due_s is None else max(self._due_s, now_s)
        while not self._stopped and time.monotonic() < due_s:
            time.sleep(min(_PACING_SLICE_S, max(0.0, due_s - time.monotonic())))
        self._due_s = due_s + 1 / (self.fps or 1.0)
        return not self._stopped
