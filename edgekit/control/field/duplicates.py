"""Frames that show what another picture shows already: equal, or nearly equal with the same objects in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.control.sets.duplicates import NEAR_BITS
from edgekit.core.association import iou
from edgekit.core.field import KeptObject

_SAME_BOX_IOU = 0.5


@dataclass(frozen=True)
class Shown:
    """One picture. name: what messages call it; objects: None where nobody knows them."""

    name: str
    sha256: str
    hash: str
    objects: tuple[KeptObject, ...] | None = None


@dataclass(frozen=True)
class Repeat:
    """What shows the same already. exact: in every byte."""

    of: str
    exact: bool


class AlreadyShown:
    """Pictures that were seen, to compare the next one with.

    A fixed camera gives pictures that are nearly alike whatever passes in front of it, so near ones repeat each other
    only if their objects do too, or where objects are not known.
    """

    def __init__(self, known: Sequence[Shown] = ()) -> None:
        self._shown: list[Shown] = []
        self._by_digest: dict[str, str] = {}
        self._bits = np.zeros((max(64, 2 * len(known)), 64), np.uint8)
        for one in known:
            self.add(one)

    def add(self, one: Shown) -> None:
        """Remember a picture."""
        if len(self._shown) == len(self._bits):
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)])
        self._bits[len(self._shown)] = _bits(one.hash)
        self._shown.append(one)
        self._by_digest.setdefault(one.sha256, one.name)

    def find(self, one: Shown) -> Repeat | None:
        """A picture that was added and shows the same, None if there is none."""
        if one.sha256 in self._by_digest:
            return Repeat(self._by_digest[one.sha256], exact=True)
        differing = (self._bits[: len(self._shown)] != _bits(one.hash)).sum(1)
        for index in np.flatnonzero(differing <= NEAR_BITS):
            if _same_objects(self._shown[index].objects, one.objects):
                return Repeat(self._shown[index].name, exact=False)
        return None


def _bits(hash_: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(hash_), np.uint8))


def _same_objects(one: tuple[KeptObject, ...] | None, other: tuple[KeptObject, ...] | None) -> bool:
    """True if each object of one lies on an object of that class in the other, or if either is not known."""
    if one is None or other is None:
        return True
    if sorted(item.label for item in one) != sorted(item.label for item in other):
        return False
    if not one:
        return True
    with np.errstate(invalid="ignore", divide="ignore"):  # a device may tell of boxes without an area
        overlap = iou(_boxes(one), _boxes(other))
    free = set(range(len(other)))
    for place, item in enumerate(one):
        fitting = [at for at in free if other[at].label == item.label and overlap[place, at] >= _SAME_BOX_IOU]
        if not fitting:
            return False
        free.discard(max(fitting, key=lambda at: float(overlap[place, at])))
    return True


def _boxes(objects: tuple[KeptObject, ...]) -> np.ndarray:
    return np.array([item.box_xyxy for item in objects], np.float32)
