"""At what rate live streams may come in: less than their own where a device must cool down, or a person asked for it.

Which frames those are is decided frame by frame from what came so far, so they are spread evenly and no timer is
needed: each frame adds its part to a stream's credit, and a whole one lets a frame in.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Dict, Mapping, Optional

# A stream of which nothing came through for a while is still let in now and then.
_LEAST_TAKEN = 0.05
# How far back the measure of what an overloaded pipeline takes reaches.
_MEMORY_S = 5.0
_WHOLE = 1.0 - 1e-9  # parts like 0.1 add up to a little less than 1


@dataclass
class _Stream:
    credit: float = 1.0  # the first frame comes in
    captured_s: Optional[float] = None
    dropped: int = 0
    admitted: bool = False
    taken: float = 1.0  # of the frames that are let in, the part that is not replaced by a newer one


class Pace:
    """Which frames of live streams are let in; shared by the threads that capture them.

    `limit` sets the part of its own rate that every stream keeps. A pipeline that was overloaded before works on no
    less if only the frames are left out that it would have left out anyway, so the part is of the rate at which it
    took frames while there was no limit. max_fps: streams that may come in at no more than that rate, by name.
    """

    def __init__(self, max_fps: Optional[Mapping[str, float]] = None) -> None:
        self._max_fps = dict(max_fps or {})
        wrong = {name: fps for name, fps in self._max_fps.items() if not fps > 0}
        if wrong:
            raise ValueError(f"expected rates above 0, got {wrong}")
        self._share = 1.0
        self._streams: Dict[str, _Stream] = {}
        self._refused: Dict[str, int] = {}
        self._lock = threading.Lock()

    def limit(self, share: float) -> None:
        """From now on let in this part of each stream, above 0 and up to 1: no limit."""
        if not 0 < share <= 1:
            raise ValueError(f"expected a share above 0 and up to 1, got {share}")
        with self._lock:
            self._share = share

    @property
    def refused(self) -> Dict[str, int]:
        """Frames that were not let in, by stream."""
        with self._lock:
            return dict(self._refused)

    def admits(self, stream: str, captured_s: float, dropped: int = 0) -> bool:
        """Whether the stream's next frame comes in. Takes the same short time however many there are.

        captured_s: when it was captured. dropped: how many of the stream's frames were dropped so far, the refused ones
        among them; it tells how many a pipeline took.
        """
        with self._lock:
            state = self._streams.setdefault(stream, _Stream())
            elapsed_s = 0.0 if state.captured_s is None else max(0.0, captured_s - state.captured_s)
            self._learn(state, elapsed_s, dropped)
            state.credit += self._part(stream, state, elapsed_s)
            state.admitted = state.credit >= _WHOLE
            state.credit -= state.admitted
            state.captured_s, state.dropped = captured_s, dropped
            if not state.admitted:
                self._refused[stream] = self._refused.get(stream, 0) + 1
            return state.admitted

    def _learn(self, state: _Stream, elapsed_s: float, dropped: int) -> None:
        """From the fate of the frame before: it was taken, or a newer one replaced the one that waited."""
        if self._share < 1.0 or not state.admitted:
            return
        taken = 0.0 if dropped > state.dropped else 1.0
        state.taken += (taken - state.taken) * min(1.0, elapsed_s / _MEMORY_S)

    def _part(self, stream: str, state: _Stream, elapsed_s: float) -> float:
        """Of this frame, how much it adds to the stream's credit."""
        if state.captured_s is None:
            return 0.0
        fps = self._max_fps.get(stream)
        wanted = 1.0 if fps is None else min(1.0, fps * elapsed_s)
        return wanted if self._share == 1.0 else wanted * self._share * max(_LEAST_TAKEN, state.taken)
