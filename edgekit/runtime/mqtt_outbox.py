"""What waits to be published: events, in order and bounded, and the latest detections of each camera."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Dict, List, NamedTuple, Optional, Sequence

MOST_EVENTS = 1000


class Message(NamedTuple):
    """One message of MQTT. lasting: it is still of use when it arrives late."""

    topic: str
    payload: bytes
    qos: int
    lasting: bool = True


class Outbox:
    """Filled by the thread of the frames, emptied by that of the broker; neither ever waits for the other.

    Events are kept up to a bound, then the newest are dropped: those that wait tell how it began. Of other messages
    only the latest of each topic is kept.
    """

    def __init__(self, most_events: int = MOST_EVENTS) -> None:
        self._most_events = most_events
        self._events: Deque[Message] = deque()
        self._latest: Dict[str, Message] = {}
        self._lock = threading.Lock()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Events that found no room."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """Events that are kept."""
        return len(self._events)

    def add(self, messages: Sequence[Message]) -> None:
        """Events, oldest first."""
        with self._lock:
            room = max(0, self._most_events - len(self._events))
            self._events.extend(messages[:room])
            self._dropped += len(messages[room:])

    def put_latest(self, message: Message) -> None:
        """What takes the place of the earlier message on its topic."""
        with self._lock:
            self._latest[message.topic] = message

    def take(self) -> Optional[Message]:
        """The next to publish, events first; None if nothing waits."""
        with self._lock:
            if self._events:
                return self._events.popleft()
            topic = next(iter(self._latest), None)
            return self._latest.pop(topic) if topic is not None else None

    def give_back(self, messages: List[Message]) -> None:
        """What was taken and did not arrive, oldest first; it is next then. Detections are old by now, and gone."""
        with self._lock:
            self._events.extendleft(message for message in reversed(messages) if message.lasting)

    def forget_latest(self) -> None:
        """While the broker is away what is on camera changes: old detections are of no use."""
        with self._lock:
            self._latest.clear()
