"""How far what a camera sees lies from what an engine was calibrated on, by a small summary of that set."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, List, Optional, Sequence, Tuple

import numpy as np

MOST_POINTS = 256
DIMENSIONS = 11  # of scene_descriptor.descriptor_vector
USUAL_FAR_SHARE = 0.05  # of a set's own pictures, by the definition of `reach`
_LOOKS_NEEDED = 50
_LOOKS_KEPT = 600
_MARKED_SHARE = 0.05  # of the scenes looked at
_DRIFTED_SHARE = 0.25  # of them beyond the set's reach: far from the USUAL_FAR_SHARE that a set has of its own
_STAYS = 0.6  # of a limit, below which what was above it is so no more: else it would come and go
_LEAST_REACH = 0.5  # of a set of pictures much alike; a difference of 1 is a marked one, see scene_descriptor
_SEEN_SHARE = 0.01  # of the set's pictures: less is next to nothing
_TOLD = 3  # strata that a warning names


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

    def __post_init__(self) -> None:
        if {len(point) for point in self.points} != {DIMENSIONS}:
            raise ValueError(f"points: expected at least one, each of {DIMENSIONS} numbers")


@dataclass(frozen=True)
class Drift:
    """share: of the scenes looked at lately that lie beyond the set's reach; unseen: see core.field.FieldHealth.

    unseen_shares: of the same scenes, in each of these strata. marked: true if the share is far from what is usual.
    """

    share: float
    unseen: Tuple[str, ...]
    looked_at: int
    unseen_shares: Tuple[float, ...] = ()
    marked: bool = False

    def warning(self, precision: str, set_name: str) -> str:
        """A sentence for people, "" where the cameras show what the set shows. precision: of the engine that runs."""
        if not (self.unseen or self.marked):
            return ""
        who = "INT8 was not calibrated for" if precision == "int8" else "the calibration set does not hold"
        told = f"{100 * self.share:.0f} % lie outside of set {set_name}"
        if self.unseen:
            shares = [f"{_word(name)} {100 * part:.0f} %" for name, part in zip(self.unseen, self.unseen_shares)]
            more = f" and {len(shares) - _TOLD} more" if len(shares) > _TOLD else ""
            told = f"{', '.join(shares[:_TOLD])}{more} of what is seen, next to none of set {set_name}"
        return f"the cameras show scenes that {who}: {told}; edgekit refresh"


def _word(stratum: str) -> str:
    """ "night" of "light:night"; all of it where the word alone says nothing."""
    word = stratum.partition(":")[2]
    return stratum if word in ("none", "usual") else word


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
    """Scenes looked at lately, against a set. One thread uses it; any may ask `is_unseen`."""

    def __init__(self, seen: ScenesSeen) -> None:
        self.set_name = seen.set_name
        self._seen = seen
        self._points = np.array(seen.points, np.float32)
        self._reach = max(seen.reach, _LEAST_REACH)
        self._looks: Deque[Tuple[bool, Tuple[str, ...]]] = deque(maxlen=_LOOKS_KEPT)
        self._last = Drift(0.0, (), 0)

    def distance(self, vector: np.ndarray) -> float:
        """From a descriptor vector (D,) to the set, in reaches: above 1 lie few of the set's own pictures."""
        return _nearest(self._points, vector) / self._reach

    def look(self, distance: float, strata: Sequence[str]) -> None:
        """One scene, taken by the clock and not for what it shows; else the share would say nothing."""
        self._looks.append((distance > 1.0, tuple(strata)))

    def drift(self) -> Optional[Drift]:
        """How it stands; None before enough scenes were looked at. What it says stays for a while: see _STAYS."""
        looks = len(self._looks)
        if looks < _LOOKS_NEEDED:
            return None
        share = sum(far for far, _ in self._looks) / looks
        unseen = self._unseen()
        self._last = Drift(
            share=round(share, 4),
            unseen=tuple(name for name, _ in unseen),
            looked_at=looks,
            unseen_shares=tuple(round(part, 4) for _, part in unseen),
            marked=share >= _DRIFTED_SHARE * (_STAYS if self._last.marked else 1.0),
        )
        return self._last

    def is_unseen(self, stratum: str) -> bool:
        """True if the set has next to nothing of it."""
        return self._seen.strata.get(stratum, 0.0) < _SEEN_SHARE

    def _unseen(self) -> List[Tuple[str, float]]:
        """Strata that the set lacks with their share of the looks, the commonest first."""
        counts: Dict[str, int] = {}
        for _, strata in self._looks:
            for name in strata:
                counts[name] = counts.get(name, 0) + 1
        shares = {name: count / len(self._looks) for name, count in counts.items() if self.is_unseen(name)}
        marked = [
            (-share, name)
            for name, share in shares.items()
            if share >= _MARKED_SHARE * (_STAYS if name in self._last.unseen else 1.0)
        ]
        return [(name, -share) for share, name in sorted(marked)]
