"""Pictures that show the same: a perceptual hash of each, and groups whose hashes nearly agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

# Of 64 bits. JPEG at quality 40, half the size, a cut margin and +10 % brightness move 4 or fewer in 95 of 100 drawn
# pictures; of 44,850 pairs of different ones none differed by fewer than 9. Measured: docs/adr/0019.
NEAR_BITS = 4

_BITS_OF = np.array([bin(value).count("1") for value in range(256)], np.uint8)
_CHUNK = 256


def difference_hash(frame_bgr: np.ndarray) -> str:
    """The dHash of a picture (H, W, 3) uint8 as 16 hexadecimal digits: is each of 8 x 8 areas brighter than its left
    neighbour? Source: N. Krawetz, "Kind of Like That" (2013)."""
    import cv2

    small = cv2.resize(frame_bgr, (9, 8), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def near_pairs(hashes: Sequence[str], bits: int = NEAR_BITS) -> Iterator[tuple[int, int]]:
    """Positions (i, j), i < j, of hashes that differ by at most so many bits, in order. Memory grows with one row."""
    if not hashes or bits < 0:
        return
    words = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64)
    for start in range(0, len(words), _CHUNK):
        distances = _bits_set(words[start : start + _CHUNK, None] ^ words[None, start:])
        for i, j in zip(*np.nonzero(distances <= bits), strict=True):
            if i < j:
                yield start + int(i), start + int(j)


def _bits_set(words: np.ndarray) -> np.ndarray:
    """How many bits of each 64-bit word are set."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.asarray(np.bitwise_count(words))
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    return np.asarray(_BITS_OF[octets].sum(axis=-1))


def first_of_each(
    names: Sequence[str], sha256s: Mapping[str, str], hashes: Mapping[str, str], bits: int = NEAR_BITS
) -> dict[str, str]:
    """Name -> the earlier name that shows the same, for every picture that is to be left out.

    Of equal pictures, and of those whose hashes differ by at most so many bits (-1: of equal ones alone), the first
    stays. A picture counts as shown only by one that stays itself: a slow pan would else lose all but its first frame.
    """
    shown: dict[str, str] = {}
    known: dict[str, str] = {}
    for name in names:
        first = known.setdefault(sha256s[name], name)
        if first != name:
            shown[name] = first
    left = [name for name in names if name not in shown]
    for i, j in near_pairs([hashes[name] for name in left], bits):
        if left[i] not in shown and left[j] not in shown:
            shown[left[j]] = left[i]
    return shown


def groups_of(count: int, pairs: Any) -> list[int]:
    """For each of `count` items the smallest item it is joined with, directly or through others."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    return [root(item) for item in range(count)]
