"""Seeds for training, choosing, testing, calibrating and freezing: disjoint ranges, so no picture is in two splits."""

from __future__ import annotations

from typing import Dict

SPLIT_SIZE = 10_000_000
_STARTS: Dict[str, int] = {
    name: index * SPLIT_SIZE for index, name in enumerate(("train", "val", "test", "calib", "frozen"))
}


def split_seed(split: str, index: int) -> int:
    """The seed of picture `index` of a split; ValueError for another split or an index outside [0, SPLIT_SIZE)."""
    if split not in _STARTS:
        raise ValueError(f"no split {split!r}; known: {', '.join(_STARTS)}")
    if not 0 <= index < SPLIT_SIZE:
        raise ValueError(f"index {index} is outside 0..{SPLIT_SIZE - 1}")
    return _STARTS[split] + index
