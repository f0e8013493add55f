"""A camera that stays away must not keep a measurement waiting for ever, and one that was away spoils its figures."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Optional, Tuple

from edgekit.core.camera_uri import hide_credentials
from edgekit.core.progress import OnProgress
from edgekit.errors import SourceError
from edgekit.runtime.frames import Frame, Source

_LIMIT_S = 30.0
# A camera that is away says so every second.
_ANOTHER_AFTER_S = 5.0


class AwayLimit:
    """Ends a source that gives nothing for too long, and remembers what it said."""

    def __init__(self, source: Source, limit_s: float = _LIMIT_S) -> None:
        self.times = 0
        self.reason = ""
        self._source, self._limit_s = source, limit_s
        self._ended = False
        self._since_s: Optional[float] = None
        self._heard_s = 0.0
        source.on_away = self._away

    @property
    def disturbances(self) -> Tuple[str, ...]:
        """That the source was away since `forget`, if it was."""
        if not self.times:
            return ()
        ended = ", and stayed away" if self._ended else ""
        return (f"the source was away ({self.times} x){ended}: {self.reason}",)

    def check(self) -> None:
        """Raise SourceError if it was ended, since nothing more comes of it."""
        if self._ended:
            raise SourceError(f"the source gave nothing for {self._limit_s:.0f} s", why=self.reason)

    def forget(self) -> None:
        """What was until now is no disturbance: nothing was counted yet."""
        self.times = 0

    def _away(self, reason: str) -> None:
        now_s = time.monotonic()
        if self._since_s is None or now_s - self._heard_s > _ANOTHER_AFTER_S:
            self._since_s = now_s
            self.times += 1
        self._heard_s, self.reason = now_s, reason
        if now_s - self._since_s >= self._limit_s:
            self._ended = True
            self._source.stop()


def first_frame(source: Source, address: str, on_progress: OnProgress) -> Frame:
    """A copy of the first frame, which tells the size of all.

    Raises SourceError if there is none; a camera has 30 s to give one.
    """
    uri = hide_credentials(address)
    if source.live:
        on_progress(f"waiting for {uri}", 0, 0)
    limit = AwayLimit(source)
    try:
        frame = next(source)
    except StopIteration:
        raise SourceError(
            f"{uri} gave no frame", why=limit.reason, hint="edgekit cameras shows what it gives"
        ) from None
    source.on_away = None
    return replace(frame, pixels=frame.pixels.copy(), constant=False)
