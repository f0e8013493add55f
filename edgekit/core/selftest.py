"""What a service asks of its engine before it says that it is ready: selftest/ in a release.

Pictures, and what this very engine found in them on this device when it was verified. Between two starts of one engine
on one device next to nothing may differ; what is allowed for is another path of a picture into the engine, such as the
processor's where the GPU's kernels cannot be used. What it catches: wrong weights, labels or scaling, a GPU that is
dead or computes nonsense, an engine that sees nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from edgekit.core.detections import Detections

SELFTEST_FOLDER = "selftest"
SELFTEST_NAME = "selftest.json"

Box = Tuple[float, float, float, float]

# Of the objects that an engine was sure of, one in so many may be missing or new.
_SURE_PER_MISS = 10


@dataclass(frozen=True)
class ExpectedObject:
    """An object as it was found. box_xyxy: left, top, right, bottom in pixels of the picture."""

    label: str
    class_id: int
    score: float
    box_xyxy: Box


@dataclass(frozen=True)
class SelfTestPicture:
    """One picture beside selftest.json."""

    file_name: str
    sha256: str
    objects: Tuple[ExpectedObject, ...]  # best score first


@dataclass(frozen=True)
class SelfTestPlan:
    """selftest.json. An object is sure if its score is at least `score` above the detector's confidence.

    Sure objects must be found again with the same class, a score that differs by at most `score`, and a box that
    overlaps by `iou` or whose edges moved by no more than `edge_px`, whichever allows more. Others, at the border of
    being found at all, are only counted.
    """

    engine_id: str
    confidence: float
    pictures: Tuple[SelfTestPicture, ...]
    iou: float = 0.9
    edge_px: float = 1.0
    score: float = 0.1
    schema: int = 1

    @property
    def sure_objects(self) -> int:
        """How many there are in all; with none, an engine that sees nothing passes."""
        return sum(self._is_sure(item.score) for picture in self.pictures for item in picture.objects)

    def differences(self, picture: SelfTestPicture, found: Detections, labels: Sequence[str]) -> Tuple[str, ...]:
        """Sentences on how `found` in a picture is not what was found before; empty is good."""
        seen = objects_of(found, labels)
        missing, rest = self._match(picture.objects, seen)
        new = [item for item in rest if self._is_sure(item.score)]
        wrong = [*(f"not found: {_shown(item)}" for item in missing), *(f"not there before: {_shown(i)}" for i in new)]
        sure = sum(self._is_sure(item.score) for item in picture.objects)
        if len(wrong) > sure // _SURE_PER_MISS:
            return tuple(wrong)
        return self._border_differences(len(picture.objects) - sure, len(seen) - (sure - len(missing)) - len(new))

    def _match(
        self, expected: Sequence[ExpectedObject], seen: Sequence[ExpectedObject]
    ) -> Tuple[List[ExpectedObject], List[ExpectedObject]]:
        """(sure objects that are missing, seen ones that are none of the expected)."""
        rest, missing = list(seen), []
        for item in sorted(expected, key=lambda one: -one.score):
            same = self._best(item, rest)
            if same is not None:
                rest.remove(same)
            elif self._is_sure(item.score):
                missing.append(item)
        return missing, rest

    def _best(self, item: ExpectedObject, seen: Sequence[ExpectedObject]) -> Optional[ExpectedObject]:
        close = [other for other in seen if self._same(item, other)]
        return max(close, key=lambda other: overlap(item.box_xyxy, other.box_xyxy), default=None)

    def _same(self, one: ExpectedObject, other: ExpectedObject) -> bool:
        if (one.class_id, one.label) != (other.class_id, other.label) or abs(one.score - other.score) > self.score:
            return False
        moved_px = max(abs(a - b) for a, b in zip(one.box_xyxy, other.box_xyxy))
        return moved_px <= self.edge_px or overlap(one.box_xyxy, other.box_xyxy) >= self.iou

    def _border_differences(self, before: int, now: int) -> Tuple[str, ...]:
        if abs(now - before) <= max(1, before // _SURE_PER_MISS):
            return ()
        return (f"{now} objects at the border of being found, {before} before",)

    def _is_sure(self, score: float) -> bool:
        return score >= self.confidence + self.score


def objects_of(found: Detections, labels: Sequence[str]) -> Tuple[ExpectedObject, ...]:
    """Detections as objects, in their order, with numbers as they are kept: scores to 0.01, edges to 0.1 px."""
    return tuple(
        ExpectedObject(
            label=labels[class_id] if 0 <= class_id < len(labels) else str(class_id),
            class_id=int(class_id),
            score=round(float(score), 2),
            box_xyxy=_rounded(box),
        )
        for box, score, class_id in zip(found.boxes_xyxy, found.scores, found.class_ids)
    )


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = _area(one) + _area(other) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _rounded(box: Sequence[float]) -> Box:
    left, top, right, bottom = (round(float(value), 1) for value in box)
    return left, top, right, bottom


def _shown(item: ExpectedObject) -> str:
    left, top, right, bottom = item.box_xyxy
    return f"{item.label} {item.score:.2f} at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}"
