"""Which pictures of a pool make a set that covers the long tail: a floor for every stratum, then the farthest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StratumChoice:
    """One stratum: how many the pool has, the floor, how many were taken for it, and how many are in the set."""

    stratum: str
    pool: int
    floor: int
    taken: int
    chosen: int


@dataclass(frozen=True)
class Selection:
    """Positions in the pool, ascending; and why. farthest: how many were taken for their distance from the others."""

    chosen: tuple[int, ...]
    strata: tuple[StratumChoice, ...]
    farthest: int
    random: int = 0


def floors_for(strata: Sequence[Sequence[str]], size: int) -> dict[str, int]:
    """The least number of pictures for each stratum of the pool: an equal part of the set, or all that there are.

    Pictures lie in several strata, so that fewer than the sum of the floors are needed for them.
    """
    counts = _counts(strata)
    part = max(1, size // max(1, len(counts)))
    return {stratum: min(count, part) for stratum, count in counts.items()}


def select_coverage(points: np.ndarray, strata: Sequence[Sequence[str]], size: int, seed: int) -> Selection:
    """Exactly `size` different positions. points (N, D): distances between pictures; strata: of each picture.

    Floors come first, the scarcest stratum's before others; of the pictures that could serve it the one that serves
    most other unmet floors too, of these the one farthest from what is chosen. The rest is filled farthest-first
    (T. Gonzalez, Clustering to minimize the maximum intercluster distance, 1985). The seed settles ties and the start.
    With more strata than `size` the scarcest are served as far as it goes. ValueError for a size beyond the pool.
    """
    _check(size, len(strata))
    chooser = _Chooser(points, strata, seed)
    floors = floors_for(strata, size)
    counts = _counts(strata)
    taken = {
        stratum: chooser.serve(stratum, floors, size)
        for stratum in sorted(floors, key=lambda name: (counts[name], name))
    }
    by_floors = len(chooser.chosen)
    while len(chooser.chosen) < size:
        chooser.take(chooser.best(chooser.free(), np.zeros(len(strata))))
    return Selection(tuple(sorted(chooser.chosen)), _explained(strata, chooser.chosen, floors, taken), size - by_floors)


def select_random(strata: Sequence[Sequence[str]], size: int, seed: int) -> Selection:
    """Exactly `size` different positions, each set of them equally likely: what coverage is to be compared with."""
    _check(size, len(strata))
    chosen = sorted(int(index) for index in np.random.default_rng(seed).permutation(len(strata))[:size])
    return Selection(tuple(chosen), _explained(strata, chosen, {}, {}), 0, size)


def _check(size: int, pool: int) -> None:
    if not 1 <= size <= pool:
        raise ValueError(f"size: expected 1 to {pool}, got {size}")


class _Chooser:
    """What is chosen so far, and how far every picture lies from it."""

    def __init__(self, points: np.ndarray, strata: Sequence[Sequence[str]], seed: int) -> None:
        self._points = np.asarray(points, np.float32)
        self._strata = strata
        self._order = np.random.default_rng(seed).permutation(len(strata))  # of two alike, the earlier in it
        self._distance = np.full(len(strata), np.inf, np.float32)
        self._taken = np.zeros(len(strata), bool)
        self.chosen: list[int] = []
        self._have: dict[str, int] = {}
        self._members: dict[str, np.ndarray] = {}
        for stratum in {name for names in strata for name in names}:
            self._members[stratum] = np.array([stratum in names for names in strata])

    def free(self) -> np.ndarray:
        return ~self._taken

    def serve(self, stratum: str, floors: Mapping[str, int], size: int) -> int:
        """Take pictures of a stratum until its floor is met or the set is full; how many that took."""
        before = len(self.chosen)
        while self._have.get(stratum, 0) < floors[stratum] and len(self.chosen) < size:
            unmet = [name for name, floor in floors.items() if self._have.get(name, 0) < floor]
            served = np.sum([self._members[name] for name in unmet], axis=0)
            self.take(self.best(self._members[stratum] & ~self._taken, served))
        return len(self.chosen) - before

    def best(self, candidates: np.ndarray, served: np.ndarray) -> int:
        """Of the candidates (N,) bool the one that serves most, then the farthest, then the first by the seed."""
        where = np.flatnonzero(candidates)
        keys = (self._order[where], -self._distance[where], -served[where])
        return int(where[np.lexsort(keys)[0]])

    def take(self, index: int) -> None:
        self.chosen.append(index)
        self._taken[index] = True
        for name in self._strata[index]:
            self._have[name] = self._have.get(name, 0) + 1
        steps = self._points - self._points[index]
        self._distance = np.minimum(self._distance, np.einsum("nd,nd->n", steps, steps))


def _counts(strata: Sequence[Sequence[str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for names in strata:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _explained(
    strata: Sequence[Sequence[str]], chosen: Sequence[int], floors: Mapping[str, int], taken: Mapping[str, int]
) -> tuple[StratumChoice, ...]:
    inside = _counts([strata[index] for index in chosen])
    return tuple(
        StratumChoice(name, count, floors.get(name, 0), taken.get(name, 0), inside.get(name, 0))
        for name, count in sorted(_counts(strata).items())
    )


def picture_points(embeddings: Sequence[np.ndarray], vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Points (N, D) float32 in which embedding and descriptor weigh alike; every coordinate is standardised over the
    pool. embeddings may be empty, then descriptors alone count."""
    parts = [_standardised(np.stack(vectors))]
    if embeddings and len(embeddings[0]):
        parts.append(_standardised(np.stack(embeddings)))
    return np.concatenate(parts, axis=1)


def _standardised(rows: np.ndarray) -> np.ndarray:
    values = rows.astype(np.float32)
    spread = values.std(0)
    varying = spread > 1e-6
    scaled = (values[:, varying] - values.mean(0)[varying]) / spread[varying]
    scaled = np.clip(scaled, -6, 6)  # one odd channel is not to decide alone
    return np.asarray(scaled / max(1, int(varying.sum())) ** 0.5, np.float32)
