"""Detections of frame after frame -> objects that keep their number: ByteTrack's two steps, by IoU and motion alone.

Sure detections are matched with the predicted boxes of known objects first; what is left over of the objects may then
be found again by unsure detections, which never begin an object. All ages are times, so frames may come irregularly.
Source: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022; docs/adr/0014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from edgekit.core.association import assign, canonical_order, iou
from edgekit.core.detections import Detections
from edgekit.core.known_objects import UNCONFIRMED, KnownObjects
from edgekit.core.tracking_settings import TrackingSettings

# What an overlap is worth if the classes differ: a detector may take a van for a truck, seldom a person for a bus.
_OTHER_CLASS = np.float32(0.5)


@dataclass(frozen=True)
class Tracks:
    """The objects that are known after a frame, by rising number; parallel arrays, one row each.

    ids (N,) int64 from 1 up, never used again in one run. boxes_xyxy (N, 4) float32, pixels of the frame: detected, or
    where the object should be now if it was not seen. scores (N,) float32 of the latest detection. class_ids (N,) int32
    by the vote of its detections lately. ages_s (N,) float64 since first seen; unseen_s (N,) float64, 0 if seen in this
    frame. is_new (N,) bool: reported for the first time. rows (N,) int64: which detection of the frame, -1 for none.
    ended: numbers of the objects that were given up with this frame.
    """

    ids: np.ndarray
    boxes_xyxy: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    ages_s: np.ndarray
    unseen_s: np.ndarray
    is_new: np.ndarray
    rows: np.ndarray
    ended: Tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def seen(self) -> np.ndarray:
        """(N,) bool: which of them are in this frame."""
        return self.rows >= 0

    def ids_of(self, count: int) -> np.ndarray:
        """(count,) int64: the number of each detection of the frame, 0 for one that is of no object (yet)."""
        numbers = np.zeros(count, np.int64)
        numbers[self.rows[self.seen]] = self.ids[self.seen]
        return numbers


def frame_time_s(index: int, captured_s: float, live: bool, fps: Optional[float]) -> float:
    """The time of a frame for a tracker: when it was captured, or its place in a file that is read at any speed.

    A finite source without a rate, such as a folder of pictures, has no time of its own but that of its reading.
    """
    return captured_s if live or not fps else index / fps


class Tracker:
    """Follows the objects of one camera. One thread at a time may use it."""

    def __init__(self, settings: Optional[TrackingSettings] = None) -> None:
        self._settings = settings or TrackingSettings()
        self._known = KnownObjects.of(Detections.empty(), 0.0)
        self._now_s: Optional[float] = None
        self._last_id = 0
        self.refused = 0
        """Detections that began no object because max_objects were followed already."""

    @property
    def objects(self) -> int:
        """How many got a number so far."""
        return self._last_id

    def reload(self, settings: TrackingSettings) -> None:
        """Go on by other settings; the objects keep their numbers."""
        self._settings = settings

    def restart(self) -> None:
        """Give up all objects, as a file that begins again does; times may begin anew, numbers go on."""
        self._known = KnownObjects.of(Detections.empty(), 0.0)
        self._now_s = None

    def update(self, detections: Detections, now_s: float) -> Tracks:
        """The objects after one more frame. now_s: when the frame was taken, on any clock that never goes back.

        The order of the detections says nothing. ValueError if now_s is before the frame before.
        """
        ended = self._advance(now_s)
        order = canonical_order(detections, self._settings.unsure_score)
        found = detections.select(order)
        self._match(found)
        self._known.take(found, now_s)
        self._begin(found, now_s)
        is_new = self._confirm()
        return self._report(found, order, is_new, now_s, ended)

    def _advance(self, now_s: float) -> Tuple[int, ...]:
        """Move everything to now and give up what was not seen for too long; the numbers of the latter."""
        before_s, self._now_s = self._now_s, now_s
        if before_s is None or now_s == before_s:
            return ()
        if now_s < before_s:
            raise ValueError(f"a frame of {now_s} s after one of {before_s} s")
        known, settings = self._known, self._settings
        confirmed = known.ids != UNCONFIRMED
        gone = now_s - known.seen_s > np.where(confirmed, settings.lost_s, settings.confirm_s)
        ended = known.ids[gone & confirmed]
        if gone.any():
            self._known = known = known.select(~gone)
        known.advance(now_s - before_s)
        return tuple(sorted(ended.tolist()))

    def _match(self, found: Detections) -> None:
        """Say of each object which of the detections it is."""
        known, settings = self._known, self._settings
        known.rows[:] = -1
        if not len(known.ids) or not len(found):
            return
        overlap = iou(known.motion.boxes_xyxy, found.boxes_xyxy)
        overlap[known.class_ids[:, None] != found.class_ids] *= _OTHER_CLASS
        confirmed, sure = known.ids != UNCONFIRMED, found.scores >= settings.sure_score
        assign(overlap, confirmed, sure, settings.min_iou, known.rows)
        assign(overlap, confirmed, ~sure, settings.min_iou_unsure, known.rows)
        assign(overlap, ~confirmed, sure, settings.min_iou, known.rows)

    def _begin(self, found: Detections, now_s: float) -> None:
        """Begin an object for each sure detection that is none yet; the surest where there is not room for all."""
        free = found.scores >= self._settings.sure_score
        free[self._known.rows[self._known.rows >= 0]] = False
        rows = np.flatnonzero(free)
        room = max(0, self._settings.max_objects - len(self._known.ids))
        self.refused += max(0, len(rows) - room)
        rows = rows[:room]
        if len(rows):
            begun = KnownObjects.of(found.select(rows), now_s, self._known.votes.shape[1])
            begun.rows[:] = rows
            self._known = self._known.join(begun)

    def _confirm(self) -> np.ndarray:
        """Number the objects that have been seen often enough by now; which, (T,) bool."""
        known = self._known
        ready: np.ndarray = (known.ids == UNCONFIRMED) & (known.hits >= self._settings.confirm_frames)
        count = int(np.count_nonzero(ready))
        known.ids[ready] = np.arange(self._last_id + 1, self._last_id + 1 + count)
        self._last_id += count
        return ready

    def _report(
        self, found: Detections, order: np.ndarray, is_new: np.ndarray, now_s: float, ended: Tuple[int, ...]
    ) -> Tracks:
        known = self._known
        boxes = known.motion.boxes_xyxy
        seen = known.rows >= 0
        boxes[seen] = found.boxes_xyxy[known.rows[seen]]
        rows = np.full(len(seen), -1, np.int64)
        rows[seen] = order[known.rows[seen]]
        shown = np.flatnonzero(known.ids != UNCONFIRMED)
        shown = shown[np.argsort(known.ids[shown])]
        return Tracks(
            ids=known.ids[shown],
            boxes_xyxy=boxes[shown],
            scores=known.scores[shown],
            class_ids=known.class_ids[shown],
            ages_s=now_s - known.born_s[shown],
            unseen_s=now_s - known.seen_s[shown],
            is_new=is_new[shown],
            rows=rows[shown],
            ended=ended,
        )
