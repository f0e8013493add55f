"""What collecting may take: frames in an hour, spread over it, over streams and reasons; and a thread's time."""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Optional, Sequence

import numpy as np

from edgekit.core.collecting import REASONS, CollectSettings

HOUR_S = 3600.0
_BURST = 4.0  # frames that may be kept at once after a time in which none was
_FULL_AFTER_S = 240.0  # no bucket is larger than what comes in so long a time, or than one frame
_WAITS_FOR_STREAM_S = 10.0
_ROUNDING = 1e-6  # a bucket that is full must be full enough for everyone


class Budget:
    """One thread at a time uses it. Times are of any one clock that does not go back.

    A bucket fills evenly with what may be kept in an hour, and holds a few frames at most. The more streams and reasons
    had less than those of a frame, the fuller the bucket must be for it: so the rare find something left, those who
    want much get equal parts, and nothing is lost if nobody else comes. What was had is forgotten by half in an hour.
    """

    def __init__(
        self, settings: CollectSettings, streams: Sequence[str], random: np.random.Generator, now_s: float
    ) -> None:
        self._per_hour = settings.per_hour
        self._per_s = settings.per_hour * (1.0 - settings.random_share) / HOUR_S
        self._most = min(_BURST, max(1.0, settings.per_hour * _FULL_AFTER_S / HOUR_S))
        # One frame at first: a service that is started again and again keeps no more for it.
        self._tokens, self._filled_s = 1.0, now_s
        self._of_stream = dict.fromkeys(streams, 0.0)
        self._of_reason = dict.fromkeys((name for name in REASONS if name != "random"), 0.0)
        self._taken_s: Deque[float] = deque(maxlen=settings.per_hour)
        self._random = _RandomFrames(settings, streams, random, now_s)

    def take(self, stream: str, reasons: Sequence[str], now_s: float) -> bool:
        """True if a frame of this stream may be kept for these reasons; it counts as kept then."""
        self._fill(now_s)
        if self._tokens < 1.0 or self._is_spent(now_s):
            return False
        reason = min(reasons, key=lambda name: self._of_reason[name])
        had = ((self._of_stream, stream), (self._of_reason, reason))
        places = [_place(counts, name) for counts, name in had if len(counts) > 1]
        if self._tokens < 1.0 + (self._most - 1.0) * sum(places) / len(places) - _ROUNDING:
            return False
        self._tokens -= 1.0
        self._of_stream[stream] += 1.0
        self._of_reason[reason] += 1.0
        self._taken_s.append(now_s)
        return True

    def take_random(self, stream: str, now_s: float) -> bool:
        """True if a frame of this stream is to be kept for no reason; it counts as kept then."""
        if not self._random.is_due(stream, now_s) or self._is_spent(now_s):
            return False
        self._taken_s.append(now_s)
        return True

    def _is_spent(self, now_s: float) -> bool:
        """True if an hour's frames were taken within the last hour; the bucket was full at its beginning."""
        return len(self._taken_s) == self._per_hour and now_s - self._taken_s[0] < HOUR_S

    def _fill(self, now_s: float) -> None:
        passed_s, self._filled_s = now_s - self._filled_s, now_s
        self._tokens = min(self._most, self._tokens + passed_s * self._per_s)
        left = 0.5 ** (passed_s / HOUR_S)
        for had in (self._of_stream, self._of_reason):
            for name in had:
                had[name] *= left


def _place(had: Dict[str, float], name: str) -> float:
    """0 for one of whom none had less, 1 for one of whom all others had."""
    return sum(other < had[name] for other in had.values()) / (len(had) - 1)


class WorkLimit:
    """Keeps a work to a share of a thread's time, on boards of any speed: when it took more, some of it is left out."""

    def __init__(self, share: float, most_s: float) -> None:
        """most_s: work that may be done at once after a time of little."""
        self._share, self._most_s = share, most_s
        self._left_s, self._at_s = most_s, 0.0

    def allows(self, now_s: float) -> bool:
        """True if the next piece of work may be done."""
        self._left_s = min(self._most_s, self._left_s + (now_s - self._at_s) * self._share)
        self._at_s = now_s
        return self._left_s > 0

    def spent(self, work_s: float) -> None:
        """What a piece of work took of the processor."""
        self._left_s -= work_s


class _RandomFrames:
    """One frame in each equal part of the time, at a moment and of a stream that chance decides."""

    def __init__(
        self, settings: CollectSettings, streams: Sequence[str], random: np.random.Generator, now_s: float
    ) -> None:
        each_hour = settings.per_hour * settings.random_share
        self._part_s: Optional[float] = HOUR_S / each_hour if each_hour > 0 else None
        self._streams, self._random = tuple(streams) or ("",), random
        self._next_part_s = now_s
        self._due_s, self._stream = now_s, ""
        self._draw(now_s)

    def is_due(self, stream: str, now_s: float) -> bool:
        """True once for each part; a stream that gives no frames loses its turn to another."""
        if self._part_s is None or now_s < self._due_s:
            return False
        if stream != self._stream and now_s < self._due_s + _WAITS_FOR_STREAM_S:
            return False
        self._draw(now_s)
        return True

    def _draw(self, now_s: float) -> None:
        if self._part_s is None:
            return
        begins_s = max(self._next_part_s, now_s)  # what was missed while no frame came is not made up for
        self._next_part_s = begins_s + self._part_s
        self._due_s = begins_s + self._part_s * float(self._random.random())
        self._stream = self._streams[int(self._random.integers(len(self._streams)))]
