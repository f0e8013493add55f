"""Frames of streams that always have one: read where they are used, in turns, without threads and hand-over."""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Optional, Sequence, Tuple

from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.handover import EndOfStream


class ReadyFrames:
    """What Lanes is to streams that are captured by threads: the consumer's end, for one thread."""

    failures: Tuple[Tuple[str, BaseException], ...] = ()  # an error ends all and is raised by `get`
    ended: Tuple[str, ...] = ()  # those whose end matters to others are live, and none of these is

    def __init__(self, streams: Sequence[Source]) -> None:
        self._turns: Deque[Source] = deque(streams)
        self._end: Exception = EndOfStream()
        self.dropped: Dict[str, int] = {stream.name: 0 for stream in streams}

    def get(self) -> Frame:
        """The next frame. Raises EndOfStream once all streams have ended or after `close`, or a stream's own error."""
        frame = self.take_ready()
        if frame is None:
            raise self._end
        return frame

    def take_ready(self) -> Optional[Frame]:
        """The next frame of the stream whose turn it is; None once there is none, and `get` tells why."""
        while self._turns:
            stream = self._turns.popleft()
            try:
                frame = next(stream)
            except StopIteration:
                continue
            except Exception as error:
                self._end = error
                self._turns.clear()
                return None
            self._turns.append(stream)
            return frame
        return None

    def close(self) -> None:
        """Give no more frames."""
        self._turns.clear()
