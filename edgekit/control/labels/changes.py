"""What became of boxes in a labelling tool: which are as they were, and which moved, changed class, came or went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.control.labels.boxes import LabelBox
from edgekit.core.association import assign, iou

SAME_PX = 1.0
"""Edges nearer than this are the same box: tools round to hundredths of a pixel, some to whole ones."""

_SAME_OBJECT_IOU = 0.5
_LEAST_SIDE_PX = 1e-3  # what a box without area counts as, so that overlaps can be computed


@dataclass(frozen=True)
class Changes:
    """The boxes of one picture before and after. after: as they are now; those that came back have their old edges.

    renamed: (old label, new label). crowd_changed: boxes that became a crowd, or ceased to be one. fresh: which of
    `after` have edges that were not there before.
    """

    after: tuple[LabelBox, ...]
    same: int
    moved: tuple[LabelBox, ...]
    renamed: tuple[tuple[str, str], ...]
    added: tuple[LabelBox, ...]
    removed: tuple[LabelBox, ...]
    crowd_changed: int
    fresh: tuple[int, ...]

    @property
    def any(self) -> bool:
        """True unless every box came back as it was."""
        return bool(self.moved or self.renamed or self.added or self.removed or self.crowd_changed)


def compare(before: Sequence[LabelBox], after: Sequence[LabelBox]) -> Changes:
    """Pair the boxes of a picture: alike first, then of one class by overlap, then of any class by overlap."""
    rows = np.full(len(before), -1, np.int64)
    if before and after:
        _pair(before, after, rows)
    pairs = [(before[row], after[column], column) for row, column in enumerate(rows.tolist()) if column >= 0]
    alike = {column for old, new, column in pairs if _is_same(old, new)}
    old_of = {column: old for old, _, column in pairs}
    return Changes(
        after=tuple(_kept(old_of.get(column), box, column in alike) for column, box in enumerate(after)),
        same=sum(old.label == new.label and old.crowd == new.crowd for old, new, column in pairs if column in alike),
        moved=tuple(new for old, new, column in pairs if column not in alike and old.label == new.label),
        renamed=tuple((old.label, new.label) for old, new, _ in pairs if old.label != new.label),
        added=tuple(box for column, box in enumerate(after) if column not in old_of),
        removed=tuple(box for row, box in enumerate(before) if rows[row] < 0),
        crowd_changed=sum(old.crowd != new.crowd for old, new, _ in pairs),
        fresh=tuple(column for column in range(len(after)) if column not in alike),
    )


def _pair(before: Sequence[LabelBox], after: Sequence[LabelBox], rows: np.ndarray) -> None:
    first, second = _edges(before), _edges(after)
    distance = np.abs(first[:, None] - second[None]).max(axis=2)
    same_class = np.array([[old.label == new.label for new in after] for old in before])
    overlap = iou(_with_area(first), _with_area(second))
    everybody = np.ones(len(before), bool), np.ones(len(after), bool)
    same_kind = np.array([[old.crowd == new.crowd for new in after] for old in before])
    near = np.where(distance <= SAME_PX, 2.0 - distance + 0.1 * same_kind, 0.0)
    for likeness, least in (
        (near * same_class, 1.0),
        (overlap * same_class, _SAME_OBJECT_IOU),
        (overlap, _SAME_OBJECT_IOU),
    ):
        assign(likeness, *everybody, least, rows)


def _edges(boxes: Sequence[LabelBox]) -> np.ndarray:
    return np.array([box.box_xyxy for box in boxes], np.float64)


def _with_area(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + _LEAST_SIDE_PX)], axis=1)


def _is_same(old: LabelBox, new: LabelBox) -> bool:
    return max(abs(a - b) for a, b in zip(old.box_xyxy, new.box_xyxy, strict=True)) <= SAME_PX


def _kept(old: LabelBox | None, new: LabelBox, alike: bool) -> LabelBox:
    return LabelBox(new.label, old.box_xyxy if old is not None and alike else new.box_xyxy, new.crowd)
