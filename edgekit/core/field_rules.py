"""Which frames are worth keeping, by what a detector found in them: pure rules, for one device.

What a scene looks like is judged elsewhere (core.scenes_seen), how many frames may be kept too (core.field_budget).
"""

from __future__ import annotations

from collections import Counter
from typing import Counter as CounterOf
from typing import NamedTuple, Optional, Tuple

import numpy as np

from edgekit.core.association import iou
from edgekit.core.detections import Detections

FAR_ABOVE = 1.5  # drift distance, see core.scenes_seen.DriftWatch.distance
RARE_SHARE = 0.02  # of the objects seen so far
RARE_FROM = 200  # objects: before so many, nothing is known to be rare
FLICKER_WITHIN_S = 1.0  # between the frames around: later, one object may have left and another have come
_FLICKER_IOU = 0.3
_BORDER_SHARE = 0.01  # of the picture's side: what touches it is leaving
_STANDS_IOU = 0.7


class View(NamedTuple):
    """What the rules know of a frame. Boxes in frame pixels; time_s when it was captured, on any clock."""

    found: Detections
    width_px: int
    height_px: int
    time_s: float


class SeenClasses:
    """How common each class is among the objects seen so far, of all streams."""

    def __init__(self) -> None:
        self._counts: CounterOf[int] = Counter()
        self._objects = 0

    def rare(self, class_ids: np.ndarray) -> np.ndarray:
        """(N,) bool: which of a frame's objects are of a rare class. They count from the next frame on."""
        ids = class_ids.tolist()
        limit = RARE_SHARE * self._objects if self._objects >= RARE_FROM else -1.0
        rare = [self._counts[number] < limit for number in ids]
        self._counts.update(ids)
        self._objects += len(ids)
        return np.array(rare, bool)


class StreamRules:
    """The rules for the frames of one stream, in their order.

    An object is sure if its score is at least sure_score, uncertain below. One that stands where it stood in the frame
    kept last is no reason to keep another: a parked car would fill the disk.
    """

    def __init__(self, seen: SeenClasses) -> None:
        self._seen = seen
        self._kept = Detections.empty()
        self._before: Optional[View] = None
        self._gone: Optional[Tuple[float, Detections]] = None  # sure objects of then that the frame after it lacks

    def reasons(self, view: View, sure_score: float) -> Tuple[str, ...]:
        """Why to keep this frame: "uncertain", "rare". Every frame is to be asked about, once."""
        found = view.found
        if not len(found):
            return ()
        uncertain, rare = found.scores < sure_score, self._seen.rare(found.class_ids)
        if (uncertain | rare).any():
            news = ~_matched(found, self._kept, _STANDS_IOU)
            uncertain, rare = uncertain & news, rare & news
        return tuple(name for name, rows in (("uncertain", uncertain), ("rare", rare)) if rows.any())

    def flickered(self, view: View, sure_score: float) -> Detections:
        """Sure objects, where they are in this frame, that are in the frame two before and not in the one between.

        Not at the border of the picture, and none that stood so in the frame kept last. Every frame is to be asked
        about, once.
        """
        before, gone = self._before, self._gone
        self._before, self._gone = view, _gone(before, view, sure_score)
        if gone is None or not len(view.found):
            return Detections.empty()
        since_s, missed = gone
        if view.time_s - since_s > FLICKER_WITHIN_S:
            return Detections.empty()
        sure = view.found.select((view.found.scores >= sure_score) & ~_at_border(view))
        back = sure.select(_matched(sure, missed, _FLICKER_IOU))
        return back.select(~_matched(back, self._kept, _STANDS_IOU)) if len(back) else back

    def kept(self, found: Detections) -> None:
        """A frame with these objects, also those that it lacks, was kept."""
        self._kept = found


def _gone(before: Optional[View], now: View, sure_score: float) -> Optional[Tuple[float, Detections]]:
    """The sure objects of the frame before that this one lacks, and when that was; None if there is none."""
    if before is None or (before.width_px, before.height_px) != (now.width_px, now.height_px):
        return None
    if not len(before.found):
        return None
    sure = before.found.select((before.found.scores >= sure_score) & ~_at_border(before))
    missed = sure.select(~_matched(sure, now.found, _FLICKER_IOU)) if len(sure) else sure
    return (before.time_s, missed) if len(missed) else None


def _matched(found: Detections, others: Detections, least: float) -> np.ndarray:
    """(N,) bool: which objects overlap one of the others, of the same class, at least so much."""
    if not len(found) or not len(others):
        return np.zeros(len(found), bool)
    with np.errstate(invalid="ignore", divide="ignore"):  # boxes without an area overlap nothing
        close = iou(found.boxes_xyxy, others.boxes_xyxy) >= least
    matched: np.ndarray = (close & (found.class_ids[:, None] == others.class_ids)).any(axis=1)
    return matched


def _at_border(view: View) -> np.ndarray:
    boxes = view.found.boxes_xyxy
    x, y = _BORDER_SHARE * view.width_px, _BORDER_SHARE * view.height_px
    touches: np.ndarray = (
        (boxes[:, 0] < x) | (boxes[:, 1] < y) | (boxes[:, 2] > view.width_px - x) | (boxes[:, 3] > view.height_px - y)
    )
    return touches
