"""From several capture threads to one consumer: a lane for each stream, served in turns, so that no stream starves.

A lane's producer calls `put` and at the end `finish`; the consumer calls `get` or `take_ready` and may give up at any
time with `close`. Neither side ever waits for one that has left.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Generic, List, Optional, Tuple, TypeVar

from edgekit.runtime.handover import Changed, EndOfStream

T = TypeVar("T")


class Lane(Generic[T]):
    """The producer's end of one stream. latest: a newer item replaces one that waits, which counts as dropped.

    Otherwise a full lane makes the producer wait.
    """

    def __init__(self, lanes: Lanes[T], name: str, latest: bool, capacity: int) -> None:
        self.name = name
        self.latest = latest
        self.capacity = 1 if latest else capacity
        self.items: Deque[T] = deque()
        self.finished = False
        self.error: Optional[BaseException] = None
        self.dropped = 0
        self.served = 0  # the later, the higher
        self._lanes = lanes

    def put(self, item: T) -> bool:
        """Hand over an item. False if the consumer has left, so that the producer can stop."""
        return self._lanes._put(self, item)

    def pass_over(self) -> bool:
        """Count an item as dropped instead of handing it over. False if the consumer has left."""
        return self._lanes._pass_over(self)

    def finish(self, error: Optional[BaseException] = None) -> None:
        """The producer's last call: no more items, because of `error` if there was one."""
        self._lanes._finish(self, error)


class Lanes(Generic[T]):
    """The consumer's end of all streams. Of the lanes with items, the one that was served longest ago comes first.

    By the age of what waits, a fast stream's ever young items would never be the oldest; and by the order in which they
    came, a stream that has its next item a moment after its turn would lose that turn to faster ones.
    """

    def __init__(self) -> None:
        self._lanes: List[Lane[T]] = []
        self._turns: Dict[Lane[T], None] = {}  # the lanes with items
        self._changed = Changed()
        self._closed = False
        self._serving = 0
        self._fatal: Optional[Lane[T]] = None

    def add(self, name: str, *, latest: bool, capacity: int = 1) -> Lane[T]:
        """A lane more; all are added before the first item comes."""
        if capacity < 1:
            raise ValueError(f"capacity: expected at least 1, got {capacity}")
        lane: Lane[T] = Lane(self, name, latest, capacity)
        self._lanes.append(lane)
        return lane

    @property
    def dropped(self) -> Dict[str, int]:
        """Items that a newer one replaced or that were passed over, by stream."""
        return {lane.name: lane.dropped for lane in self._lanes}

    @property
    def failures(self) -> Tuple[Tuple[str, BaseException], ...]:
        """(stream, error) of those that ended with one."""
        return tuple((lane.name, lane.error) for lane in self._lanes if lane.error is not None)

    @property
    def ended(self) -> Tuple[str, ...]:
        """The streams that give no more, with an error or without."""
        return tuple(lane.name for lane in self._lanes if lane.finished)

    def get(self) -> T:
        """The next item; waits for one.

        A waiting lane that fails ends all: its error comes after its own items. Of latest lanes one may fail while
        others go on; when every lane has ended, the error comes if none of them ended well, else EndOfStream.
        """
        with self._changed:
            while True:
                if self._fatal is not None and self._fatal.error is not None and not self._fatal.items:
                    raise self._fatal.error
                if self._turns:
                    return self._serve()
                self._raise_if_over()
                self._changed.wait()

    def take_ready(self) -> Optional[T]:
        """The next item if one waits, else None; never waits. What ended the streams is told by `get`."""
        with self._changed:
            failed = self._fatal is not None and not self._fatal.items
            return self._serve() if self._turns and not failed else None

    def close(self) -> None:
        """The consumer's last call: waiting items are let go, and every `put` from now on returns False."""
        with self._changed:
            self._closed = True
            self._turns.clear()
            for lane in self._lanes:
                lane.items.clear()
            self._changed.notify_all()

    def _serve(self) -> T:
        lane = min(self._turns, key=_served)
        del self._turns[lane]
        self._serving += 1
        lane.served = self._serving
        item = lane.items.popleft()
        if lane.items:
            self._turns[lane] = None
        self._changed.notify_all()
        return item

    def _raise_if_over(self) -> None:
        if self._closed:
            raise EndOfStream
        if all(lane.finished for lane in self._lanes):
            errors = [lane.error for lane in self._lanes if lane.error is not None]
            raise errors[0] if errors and len(errors) == len(self._lanes) else EndOfStream

    def _put(self, lane: Lane[T], item: T) -> bool:
        with self._changed:
            while not lane.latest and len(lane.items) >= lane.capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            if len(lane.items) >= lane.capacity:
                lane.items.popleft()
                lane.dropped += 1
            lane.items.append(item)
            self._turns.setdefault(lane)
            self._changed.notify_all()
            return True

    def _pass_over(self, lane: Lane[T]) -> bool:
        with self._changed:
            lane.dropped += 1
            return not self._closed

    def _finish(self, lane: Lane[T], error: Optional[BaseException]) -> None:
        with self._changed:
            lane.finished, lane.error = True, error
            if error is not None and not lane.latest and self._fatal is None:
                self._fatal = lane
            self._changed.notify_all()


def _served(lane: Lane[T]) -> int:
    return lane.served
