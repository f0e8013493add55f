"""What a detector found in one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

import numpy as np


@dataclass(frozen=True)
class Detections:
    """Parallel arrays, one row for each object; a picture with nothing in it has N = 0.

    boxes_xyxy (N, 4) float32, left, top, right, bottom in pixels; scores (N,) float32 in [0, 1];
    class_ids (N,) int32. Whether pixels are the engine input's or the frame's is said by the variable's name.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes_xyxy.shape != (count, 4) or self.class_ids.shape != (count,):
            raise ValueError(
                f"expected boxes ({count}, 4) and class ids ({count},), "
                f"got {self.boxes_xyxy.shape} and {self.class_ids.shape}"
            )

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        """No objects: boxes (0, 4)."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def select(self, rows: np.ndarray) -> Detections:
        """The rows that a boolean mask (N,) or an index array names, in its order."""
        return Detections(self.boxes_xyxy[rows], self.scores[rows], self.class_ids[rows])

    def with_boxes(self, boxes_xyxy: np.ndarray) -> Detections:
        """The same objects with their boxes in other coordinates."""
        return Detections(boxes_xyxy, self.scores, self.class_ids)

    def to_records(self, labels: Sequence[str] = ()) -> List[Dict[str, Any]]:
        """One JSON-ready mapping for each object: box_xyxy [px], score, class_id and, if known, label."""
        return [
            {
                "box_xyxy": [round(float(value), 2) for value in box],
                "score": round(float(score), 4),
                "class_id": int(class_id),
                **({"label": labels[class_id]} if 0 <= class_id < len(labels) else {}),
            }
            for box, score, class_id in zip(self.boxes_xyxy, self.scores, self.class_ids)
        ]

    @classmethod
    def from_records(cls, records: Sequence[Dict[str, Any]]) -> Detections:
        """The inverse of `to_records`."""
        return cls(
            np.array([record["box_xyxy"] for record in records], np.float32).reshape(-1, 4),
            np.array([record["score"] for record in records], np.float32),
            np.array([record["class_id"] for record in records], np.int32),
        )
