"""Everything that a tracker follows, as parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.kalman import Motion

UNCONFIRMED = 0
"""Stands for the number of an object that was not seen often enough yet."""

# A class that was seen this long ago has half the say of one seen now.
_VOTE_HALF_LIFE_S = 10.0


@dataclass
class KnownObjects:
    """Everything that is followed, in parallel arrays; ids are 0 until an object is confirmed."""

    motion: Motion
    ids: np.ndarray
    hits: np.ndarray
    born_s: np.ndarray
    seen_s: np.ndarray
    scores: np.ndarray
    votes: np.ndarray  # (T, C): scores of each class, fading
    rows: np.ndarray  # detection of the current frame, -1 for none

    @property
    def class_ids(self) -> np.ndarray:
        """(T,) int32: what most of the latest detections said."""
        return np.asarray(self.votes.argmax(axis=1), np.int32)

    @classmethod
    def of(cls, found: Detections, now_s: float, classes: int = 1) -> KnownObjects:
        """Objects that were seen once, now."""
        count = len(found)
        known = cls(
            Motion.of(found.boxes_xyxy),
            np.full(count, UNCONFIRMED, np.int64),
            np.ones(count, np.int64),
            np.full(count, now_s, np.float64),
            np.full(count, now_s, np.float64),
            found.scores.astype(np.float32),
            np.zeros((count, classes), np.float32),
            np.full(count, -1, np.int64),
        )
        known._vote(np.arange(count), found)
        return known

    def advance(self, seconds: float) -> None:
        """Predict where they are some seconds later; what they were taken for counts less by then."""
        self.motion.advance(seconds)
        self.votes *= np.float32(0.5 ** (seconds / _VOTE_HALF_LIFE_S))

    def take(self, found: Detections, now_s: float) -> None:
        """Learn from the detections that `rows` names."""
        objects = np.flatnonzero(self.rows >= 0)
        if len(objects):
            seen = found.select(self.rows[objects])
            self.motion.correct(objects, seen.boxes_xyxy)
            self.seen_s[objects] = now_s
            self.hits[objects] += 1
            self.scores[objects] = seen.scores
            self._vote(objects, seen)

    def _vote(self, objects: np.ndarray, seen: Detections) -> None:
        if len(seen):
            self._widen(int(seen.class_ids.max()) + 1)
            self.votes[objects, seen.class_ids] += seen.scores

    def _widen(self, classes: int) -> None:
        more = classes - self.votes.shape[1]
        if more > 0:
            self.votes = np.pad(self.votes, ((0, 0), (0, more)))

    def select(self, mask: np.ndarray) -> KnownObjects:
        """Some of them."""
        rest = (getattr(self, field.name)[mask] for field in fields(self)[1:])
        return KnownObjects(self.motion.select(mask), *rest)

    def join(self, other: KnownObjects) -> KnownObjects:
        """These, then the others."""
        self._widen(other.votes.shape[1])
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self)[1:])
        return KnownObjects(self.motion.join(other.motion), *(np.concatenate(pair) for pair in pairs))
