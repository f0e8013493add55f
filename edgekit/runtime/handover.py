"""Passing items from one thread to the next: bounded, ending cleanly, and carrying errors along.

A hand-over has one producer and one consumer side. The producer calls `put` and at the end `finish`; the consumer
calls `get` (or iterates) and may give up at any time with `close`. Neither call ever waits for a side that has left.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Generic, Iterator, Optional, TypeVar

T = TypeVar("T")


class EndOfStream(Exception):  # noqa: N818 - an end is no error
    """The producer finished, or the consumer closed the hand-over, and nothing is left to take."""


class Changed(threading.Condition):
    """A Condition that a signal cannot break: Ctrl-C raises in the middle of whatever the main thread does.

    Between two steps of `notify` that leaves a waiter in the queue that was woken already, and every later call fails
    on it. Python 3.10.5 and 3.11 fixed that (gh-92530); drop this with JetPack 5.
    """

    def notify(self, n: int = 1) -> None:
        """Wake up to n waiters."""
        waiters = self._waiters  # type: ignore[attr-defined]
        for waiter in [waiter for waiter in waiters if not waiter.locked()]:
            waiters.remove(waiter)
        super().notify(n)


class Handover(Generic[T]):
    """Every item arrives, in order; a full hand-over makes the producer wait."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: expected at least 1, got {capacity}")
        self._capacity = capacity
        self._items: Deque[T] = deque()
        self._changed = Changed()
        self._finished = False
        self._closed = False
        self._error: Optional[BaseException] = None

    def put(self, item: T) -> bool:
        """Hand over an item. False if the consumer has left, so that the producer can stop."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self) -> T:
        """The oldest item; waits for one.

        After the last item raises what the producer finished with: its own error, or EndOfStream.
        """
        with self._changed:
            while not (self._items or self._finished or self._closed):
                self._changed.wait()
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            raise self._error or EndOfStream

    def __iter__(self) -> Iterator[T]:
        """Items until the end of the stream; the producer's error is raised after the items before it."""
        while True:
            try:
                item = self.get()
            except EndOfStream:
                return
            yield item

    def finish(self, error: Optional[BaseException] = None) -> None:
        """The producer's last call: no more items, because of `error` if there was one."""
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """The consumer's last call: waiting items are let go, and every `put` from now on returns False."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
