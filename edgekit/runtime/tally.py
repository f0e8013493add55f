"""What went through one run of `detect`, and how it is told."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Counter as CounterOf
from typing import Deque, Mapping, Sequence, Tuple

from edgekit.core.events import Event
from edgekit.core.requests import PlaceEvents, StreamCounts
from edgekit.runtime.pipeline import DetectedFrame

# Figures of an endless source are those of its last frames; counts are of all.
_SAMPLES_KEPT = 100_000


@dataclass
class Tally:
    """Counts so far. bad: frames whose outputs were no numbers; nothing else counts them."""

    labels: Sequence[str]
    bad: int = 0
    frames: CounterOf[str] = field(default_factory=Counter)  # by stream
    detections: CounterOf[str] = field(default_factory=Counter)  # by stream
    per_class: CounterOf[int] = field(default_factory=Counter)
    per_event: CounterOf[Tuple[str, str, str]] = field(default_factory=Counter)  # by kind, place and direction
    finished_s: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))
    ages_ms: Deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))

    def add(self, detected: DetectedFrame) -> None:
        """Count a good frame."""
        self.frames[detected.frame.stream] += 1
        self.detections[detected.frame.stream] += len(detected.detections)
        self.per_class.update(detected.detections.class_ids.tolist())
        self.per_event.update(map(_kind_of, detected.events))
        self.finished_s.append(detected.finished_s)
        self.ages_ms.append(detected.age_ms)

    def per_label(self) -> Tuple[Tuple[str, int], ...]:
        """(label, count), most frequent first."""
        return tuple((self._label(class_id), count) for class_id, count in self.per_class.most_common())

    def events(self) -> Tuple[PlaceEvents, ...]:
        """By place, then by kind."""
        ordered = sorted(self.per_event.items(), key=lambda item: (item[0][1], item[0][0], item[0][2]))
        return tuple(PlaceEvents(kind, place, direction, count) for (kind, place, direction), count in ordered)

    def streams(
        self, names: Sequence[str], uris: Sequence[str], dropped: Mapping[str, int], reasons: Mapping[str, str]
    ) -> Tuple[StreamCounts, ...]:
        """One for each source. reasons: why some of them ended early."""
        return tuple(
            StreamCounts(name, uri, self.frames[name], dropped[name], self.detections[name], reasons.get(name, ""))
            for name, uri in zip(names, uris)
        )

    def _label(self, class_id: int) -> str:
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else str(class_id)


def _kind_of(event: Event) -> Tuple[str, str, str]:
    return event.kind, event.place, event.direction
