"""More frames than a device can work on: how many of each stream are taken, how evenly, and which part is the slowest.

Live streams hand over only their latest frame, so too many cameras cost frames and no lag; somebody has to be told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, Mapping, Optional, Protocol, Sequence, Tuple

WINDOW_S = 10.0
# Shorter than that, a start or one slow frame would be an overload.
_SHORTEST_S = 3.0
_MOST_LOST = 0.05  # of a stream's frames: less is jitter
_FRAMES_KEPT = 120
# Threads count on between two looks at what makes up a counter, so it may seem to go back by a few frames.
_SLACK = 10


class StageCosts(Protocol):
    """Milliseconds of work of each stage on one frame; runtime.pipeline.StageTimes is one."""

    @property
    def preprocess_ms(self) -> float: ...
    @property
    def inference_ms(self) -> float: ...
    @property
    def decode_ms(self) -> float: ...


@dataclass(frozen=True)
class StreamLoad:
    """Frames a second of one stream: how many come, how many are taken, and how many would be its fair share."""

    name: str
    offered_fps: float
    taken_fps: float
    fair_fps: float

    @property
    def overloaded(self) -> bool:
        """True if frames are left out for want of time, beyond the odd one."""
        return self.taken_fps < (1 - _MOST_LOST) * self.offered_fps


@dataclass(frozen=True)
class Load:
    """All streams over the last `seconds`.

    fairness: of the stream that is worst off, what it gets as a share of what the max-min rule gives it; 1 is even.
    """

    seconds: float
    streams: Tuple[StreamLoad, ...]
    fairness: float

    @property
    def overloaded(self) -> bool:
        """True if any stream is."""
        return any(stream.overloaded for stream in self.streams)


class LoadWindow:
    """The counters and stage times of the last seconds. `took` and the others may be called by two threads."""

    def __init__(self) -> None:
        self._counts: Deque[Tuple[float, Dict[str, Tuple[int, int]]]] = deque()
        self._stages: Deque[Tuple[float, StageCosts]] = deque(maxlen=_FRAMES_KEPT)

    def took(self, finished_s: float, stages: StageCosts) -> None:
        """A frame came through; frames of one batch have the same finished_s."""
        self._stages.append((finished_s, stages))

    def count(self, now_s: float, counts: Mapping[str, Tuple[int, int]]) -> None:
        """How many frames of each stream were (taken, left out for want of time) since it began, about once a second.

        Counters that go back, or are of other streams, begin a new window.
        """
        if self._counts and not _goes_on(self._counts[-1][1], counts):
            self._counts.clear()
        self._counts.append((now_s, dict(counts)))
        while len(self._counts) > 2 and self._counts[1][0] <= now_s - WINDOW_S:
            self._counts.popleft()

    @property
    def load(self) -> Optional[Load]:
        """The last seconds; None before there are a few of them."""
        if not self._counts:
            return None
        (first_s, first), (last_s, last) = self._counts[0], self._counts[-1]
        if last_s - first_s < _SHORTEST_S:
            return None
        seconds = last_s - first_s
        rates: Dict[str, Tuple[float, float]] = {}
        for name, (taken, left_out) in last.items():
            new_taken, new_left_out = taken - first[name][0], max(0, left_out - first[name][1])
            rates[name] = ((new_taken + new_left_out) / seconds, new_taken / seconds)
        return _load(seconds, rates)

    @property
    def slowest(self) -> str:
        """The stage that sets the pace, see `slowest_stage`."""
        return slowest_stage(tuple(self._stages))

    @property
    def warning(self) -> str:
        """The sentence for people; "" if every stream gets what it asks for, or it is not known yet."""
        load = self.load
        return overload_sentence(load, self.slowest) if load is not None else ""


def overload_sentence(load: Load, slowest: str) -> str:
    """What is left out and why: "12.4 of 30.0 frames a second are taken: the engine is the slowest part"; or ""."""
    if not load.overloaded:
        return ""
    because = f": {slowest} is the slowest part" if slowest else ""
    taken = [stream.taken_fps for stream in load.streams]
    offered = [stream.offered_fps for stream in load.streams]
    if len(load.streams) == 1:
        return f"{taken[0]:.1f} of {offered[0]:.1f} frames a second are taken{because}"
    if _alike(taken) and _alike(offered):
        mean_taken, mean_offered = sum(taken) / len(taken), sum(offered) / len(offered)
        each = f"of each of {len(load.streams)} streams"
        return f"{mean_taken:.1f} of {mean_offered:.1f} frames a second are taken {each}{because}"
    spread = f"of {len(load.streams)} streams, {min(taken):.1f} to {max(taken):.1f} of each"
    return f"{sum(taken):.1f} of {sum(offered):.1f} frames a second are taken {spread}{because}"


def fair_shares(capacity: float, demands: Sequence[float]) -> Tuple[float, ...]:
    """The max-min shares: who wants less than an even share gets all of it, the others share the rest evenly."""
    shares = [0.0] * len(demands)
    left, waiting = capacity, sorted(range(len(demands)), key=lambda index: demands[index])
    for position, index in enumerate(waiting):
        shares[index] = min(demands[index], left / (len(waiting) - position))
        left -= shares[index]
    return tuple(shares)


def slowest_stage(latest: Sequence[Tuple[float, StageCosts]]) -> str:
    """The stage that takes the most time for a batch: "preprocessing", "the engine", "decoding"; or "".

    latest: (finished_s, costs) of frames; those of one batch share finished_s and the engine's time. Stages work at the
    same time, so the slowest alone sets the pace. Capture is none of them: frames that were left out had been captured.
    """
    if not latest:
        return ""
    batches: Dict[float, float] = {finished_s: costs.inference_ms for finished_s, costs in latest}
    per_batch = len(latest) / len(batches)
    cost_ms = {
        "the engine": sum(batches.values()) / len(batches),
        "preprocessing": _mean([costs.preprocess_ms for _, costs in latest]) * per_batch,
        "decoding": _mean([costs.decode_ms for _, costs in latest]) * per_batch,
    }
    return max(cost_ms, key=lambda stage: cost_ms[stage])


def _load(seconds: float, rates: Mapping[str, Tuple[float, float]]) -> Load:
    offered = [rate[0] for rate in rates.values()]
    fair = fair_shares(sum(rate[1] for rate in rates.values()), offered)
    streams = tuple(
        StreamLoad(name, offered_fps, taken_fps, fair_fps)
        for (name, (offered_fps, taken_fps)), fair_fps in zip(rates.items(), fair)
    )
    parts = [stream.taken_fps / stream.fair_fps for stream in streams if stream.fair_fps > 0]
    return Load(seconds, streams, min(1.0, min(parts, default=1.0)))


def _goes_on(before: Mapping[str, Tuple[int, int]], now: Mapping[str, Tuple[int, int]]) -> bool:
    return before.keys() == now.keys() and all(
        now[name][0] >= before[name][0] and now[name][1] >= before[name][1] - _SLACK for name in now
    )


def _alike(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= max(1.0, 0.1 * max(values))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
