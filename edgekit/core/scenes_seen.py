"""How far what a camera sees lies from what an engine was calibrated on, by a small summary of that set."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, List, Optional, Sequence, Tuple

import numpy as np

MOST_POINTS = 256
USUAL_FAR_SHARE = 0.05  # of a set's own pictures, by the definition of `reach`
_LOOKS_NEEDED = 50
_LOOKS_KEPT = 600
_MARKED_SHARE = 0.05  # of the scenes looked at
_SEEN_SHARE = 0.01  # of the set's pictures: less is next to nothing


@dataclass(frozen=True)
class ScenesSeen:
    """A calibration set as scenes.json of a release tells it.

    points: descriptor vectors (core.scene_descriptor) of at most MOST_POINTS of its pictures, spread over the set.
    reach: the distance from a picture of the set to the nearest point that is not itself, which 95 of 100 do not
    exceed. strata: share of the pictures in each.
    """

    set_name: str
    sha256: str
    pictures: int
    reach: float
    points: Tuple[Tuple[float, ...], ...]
    strata: Dict[str, float]
    schema: int = 1


@dataclass(frozen=True)
class Drift:
    """share: of the scenes looked at lately that lie beyond the set's reach; unseen: see core.field.FieldHealth."""

    share: float
    unseen: Tuple[str, ...]
    looked_at: int


def summarise(set_name: str, sha256: str, vectors: Sequence[np.ndarray], strata: Sequence[Sequence[str]]) -> ScenesSeen:
    """The summary of a set. vectors: (D,) float32 of each picture, strata: of each. ValueError for none."""
    rows = np.stack([np.asarray(vector, np.float32) for vector in vectors]) if vectors else np.zeros((0, 0), np.float32)
    if not len(rows):
        raise ValueError("expected at least one picture")
    chosen = _spread(rows, MOST_POINTS)
    points = rows[chosen]
    apart = [_nearest(points[chosen != index], row) for index, row in enumerate(rows)] if len(rows) > 1 else [0.0]
    counts: Dict[str, int] = {}
    for names in strata:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return ScenesSeen(
        set_name=set_name,
        sha256=sha256,
        pictures=len(rows),
        reach=round(float(np.percentile(apart, 100 * (1 - USUAL_FAR_SHARE))), 4),
        points=tuple(tuple(round(float(value), 3) for value in point) for point in points),
        strata={name: round(count / len(rows), 4) for name, count in sorted(counts.items())},
    )


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """Positions of rows that lie far apart, farthest-first from the one in the middle; all if they are few."""
    if len(rows) <= most:
        return np.arange(len(rows))
    chosen = [int(np.argmin(np.square(rows - rows.mean(0)).sum(1)))]
    distance = np.square(rows - rows[chosen[0]]).sum(1)
    while len(chosen) < most:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.square(rows - rows[chosen[-1]]).sum(1))
    return np.array(chosen)


def _nearest(points: np.ndarray, vector: np.ndarray) -> float:
    return float(np.sqrt(np.square(points - vector).sum(1).min())) if len(points) else 0.0


class DriftWatch:
    """Scenes looked at lately, against a set. One thread uses it."""

    def __init__(self, seen: ScenesSeen) -> None:
        self._seen = seen
        self._points = np.array(seen.points, np.float32)
        self._looks: Deque[Tuple[bool, Tuple[str, ...]]] = deque(maxlen=_LOOKS_KEPT)

    def distance(self, vector: np.ndarray) -> float:
        """From a descriptor vector (D,) to the set, in reaches: above 1 lie few of the set's own pictures."""
        return _nearest(self._points, vector) / max(self._seen.reach, 1e-6)

    def look(self, distance: float, strata: Sequence[str]) -> None:
        """One scene, taken by the clock and not for what it shows; else the share would say nothing."""
        self._looks.append((distance > 1.0, tuple(strata)))

    @property
    def drift(self) -> Optional[Drift]:
        """None before enough scenes were looked at."""
        looks = len(self._looks)
        if looks < _LOOKS_NEEDED:
            return None
        return Drift(round(sum(far for far, _ in self._looks) / looks, 4), tuple(self._unseen()), looks)

    def is_unseen(self, stratum: str) -> bool:
        """True if the set has next to nothing of it."""
        return self._seen.strata.get(stratum, 0.0) < _SEEN_SHARE

    def _unseen(self) -> List[str]:
        counts: Dict[str, int] = {}
        for _, strata in self._looks:
            for name in strata:
                counts[name] = counts.get(name, 0) + 1
        marked = [
            (-count, name)
            for name, count in counts.items()
            if count >= _MARKED_SHARE * len(self._looks) and self.is_unseen(name)
        ]
        return [name for _, name in sorted(marked)]
