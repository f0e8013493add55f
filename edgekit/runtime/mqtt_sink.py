"""The sinks `mqtt://` and `mqtts://`: events, and detections if asked for, to an MQTT broker.

PREFIX/events one message an event; PREFIX/status "online" or "offline", retained, the latter also as the last will;
PREFIX/detections/STREAM the latest frame of a camera, `_` for a single one without a name. All but the status is JSON.
"""

from __future__ import annotations

import json
import time
from typing import Dict, List, Sequence, Tuple

from edgekit.core.broker_uri import BrokerUri
from edgekit.runtime.jsonl_sink import record_of
from edgekit.runtime.mqtt_link import BrokerLink
from edgekit.runtime.mqtt_outbox import Message, Outbox
from edgekit.runtime.pipeline import DetectedFrame

_SAID_FOR_S = 60.0


class MqttSink:
    """Hands events over to the thread of the broker. A broker that is away, or hangs, costs a frame nothing.

    1000 events are kept for it; beyond them the newest are dropped, and that is said.
    """

    def __init__(self, broker: BrokerUri, labels: Sequence[str]) -> None:
        """Raises UsageError for certificates that cannot be read; whether the broker is there shows later."""
        self.target = str(broker)
        self._broker = broker
        self._labels = labels
        self._outbox = Outbox()
        self._told_s: Dict[str, float] = {}
        self._dropped, self._dropped_s = 0, float("-inf")
        self._link = BrokerLink(broker, self._outbox)

    @property
    def connected(self) -> bool:
        """True while the broker takes messages."""
        return self._link.connected

    @property
    def problems(self) -> Tuple[str, ...]:
        """Why the broker cannot be reached, and what is lost by that."""
        found = [self._link.problem]
        if time.monotonic() - self._dropped_s < _SAID_FOR_S:
            found.append(f"{self._dropped} events for {self._broker.name} were dropped so far: too many waited")
        return tuple(filter(None, found))

    def write(self, detected: DetectedFrame) -> None:
        """Take a frame's events, at once."""
        if detected.events:
            topic = f"{self._broker.prefix}/events"
            lines = (event.to_line().rstrip("\n") for event in detected.events)
            self._outbox.add([Message(topic, line.encode(), self._broker.qos) for line in lines])
            if self._outbox.dropped > self._dropped:
                self._dropped, self._dropped_s = self._outbox.dropped, time.monotonic()
        if self._broker.detections and self._link.connected and self._is_due(detected):
            record = json.dumps(record_of(detected, self._labels), ensure_ascii=False, allow_nan=False)
            topic = f"{self._broker.prefix}/detections/{detected.frame.stream or '_'}"
            self._outbox.put_latest(Message(topic, record.encode(), 0, lasting=False))

    def finish(self) -> List[str]:
        """Send what waits and say goodbye; takes 4 s at most. There is no path to name."""
        self._link.close()
        return []

    def abort(self) -> None:
        """As `finish`: what happened before an error did happen."""
        self._link.close()

    def _is_due(self, detected: DetectedFrame) -> bool:
        stream, now_s = detected.frame.stream, detected.finished_s
        if now_s - self._told_s.get(stream, float("-inf")) < 1 / self._broker.fps:
            return False
        self._told_s[stream] = now_s
        return True
