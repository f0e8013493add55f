"""A source without end, whatever it is made of: a short file can be measured for long."""

from __future__ import annotations

from typing import Callable, Optional, Tuple

from edgekit.core.camera_condition import Condition
from edgekit.runtime.frames import Frame, Source


class Replayed(Source):
    """Sources opened one after the other, as often as needed; close() ends the one that is open.

    A camera behind it, which ends only when it is stopped, tells its condition and notes through it.
    """

    def __init__(self, open_again: Callable[[], Source]) -> None:
        super().__init__()
        self._open_again = open_again
        self._current = open_again()
        self.live, self.fps, self.size = self._current.live, self._current.fps, self._current.size
        self.ready = self._current.ready

    @property
    def condition(self) -> Optional[Condition]:
        """How the camera that is open fares; None for what is no camera."""
        return self._current.condition

    @property
    def notes(self) -> Tuple[str, ...]:
        """What a person should know of the source that is open."""
        return self._current.notes

    def __next__(self) -> Frame:
        """The next frame; after the last one the first again. Raises SourceError as the source does."""
        try:
            return self._next()
        except StopIteration:
            if self._stopped:
                raise
        self._current.close()
        self._current = self._open_again()
        return self._next()

    def stop(self) -> None:
        """End the stream at the next frame."""
        super().stop()
        self._current.stop()

    def close(self) -> None:
        """Close the source that is open."""
        self._current.close()

    def _next(self) -> Frame:
        # A group of streams names its members after they were opened.
        self._current.name, self._current.on_away = self.name, self.on_away
        return next(self._current)
