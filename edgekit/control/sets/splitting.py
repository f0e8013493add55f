"""A set in two parts for calibrating and for measuring, such that neither shows what the other shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.control.sets.duplicates import groups_of


@dataclass(frozen=True)
class Split:
    """Positions of the frozen part, ascending; how many groups there were, and how many of them hold several."""

    frozen: tuple[int, ...]
    groups: int
    joined: int


def split_groups(
    strata: Sequence[Sequence[str]],
    groups: Sequence[str],
    near: Sequence[tuple[int, int]],
    frozen_share: float,
    seed: int,
) -> Split:
    """Part a set so that near duplicates, and pictures of one group ("" for none), stay on one side.

    Each part gets about its share of every stratum: groups come in an order by the seed, largest first, and each goes
    where the counts of its strata then lie nearer to the wanted share. ValueError for fewer than two groups.
    """
    members = _members(groups, near)
    if len(members) < 2:
        raise ValueError(f"expected at least two groups, got {len(members)}")
    names = sorted({name for of_one in strata for name in of_one})
    rows = np.array([[name in of_one for name in names] + [True] for of_one in strata], np.float64)
    weights = 1.0 / np.maximum(rows.sum(0), 1.0)
    weights[-1] *= len(names) + 1
    frozen: list[int] = []
    seen, have = np.zeros(len(weights)), np.zeros(len(weights))
    for group in _ordered(members, seed):
        added = rows[group].sum(0)
        seen += added
        miss_with = (weights * (have + added - frozen_share * seen) ** 2).sum()
        if miss_with < (weights * (have - frozen_share * seen) ** 2).sum():
            have += added
            frozen += group
    frozen = _neither_empty(frozen, members)
    return Split(tuple(sorted(frozen)), len(members), sum(len(group) > 1 for group in members))


def _members(groups: Sequence[str], near: Sequence[tuple[int, int]]) -> list[list[int]]:
    first: dict[str, int] = {}
    pairs = [(first.setdefault(group, index), index) for index, group in enumerate(groups) if group]
    found: dict[int, list[int]] = {}
    for index, root in enumerate(groups_of(len(groups), [*pairs, *near])):
        found.setdefault(root, []).append(index)
    return list(found.values())


def _ordered(members: Sequence[list[int]], seed: int) -> list[list[int]]:
    order = np.random.default_rng(seed).permutation(len(members))
    return sorted((members[index] for index in order), key=len, reverse=True)


def _neither_empty(frozen: list[int], members: Sequence[list[int]]) -> list[int]:
    """With few, large groups one side may stay empty: then the smallest group is the frozen part, or leaves it."""
    smallest = min(members, key=len)
    total = sum(len(group) for group in members)
    if not frozen:
        return list(smallest)
    return [index for index in frozen if index not in set(smallest)] if len(frozen) == total else frozen
