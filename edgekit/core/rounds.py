"""Several results of one session put together: medians over rounds, and ratios of engines that took turns.

A result that something disturbed is never put together with others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.results import BenchResult
from edgekit.core.stats import mean_interval

# One figure of a result, None if it was not measured.
Read = Callable[[BenchResult], Optional[float]]


@dataclass(frozen=True)
class PairedRatio:
    """Candidate / baseline over the rounds in which both were measured: the geometric mean, with its 95 % interval.

    The interval is None with a single pair. Rounds share their minutes, so what drifts with the machine cancels.
    """

    baseline_id: str
    candidate_id: str
    pairs: int
    ratio: float
    interval: Optional[Tuple[float, float]]


def by_engine(results: Sequence[BenchResult]) -> Tuple[Tuple[BenchResult, ...], ...]:
    """The results of each engine of each device, in the order in which these first appear."""
    groups: Dict[Tuple[str, str], List[BenchResult]] = {}
    for result in results:
        groups.setdefault((result.device, result.engine.engine_id), []).append(result)
    return tuple(tuple(group) for group in groups.values())


def comparable(results: Sequence[BenchResult]) -> Tuple[BenchResult, ...]:
    """Those that nothing disturbed."""
    return tuple(result for result in results if result.comparable)


def median_of(results: Sequence[BenchResult], read: Read) -> Optional[float]:
    """The median of a figure over the undisturbed results that have it; None if none has."""
    values = _values(results, read)
    return float(np.median(values)) if values else None


def range_of(results: Sequence[BenchResult], read: Read) -> Optional[Tuple[float, float]]:
    """The lowest and the highest of a figure over the undisturbed results that have it; None if none has."""
    values = _values(results, read)
    return (min(values), max(values)) if values else None


def paired_ratio(
    candidate: Sequence[BenchResult], baseline: Sequence[BenchResult], read: Read
) -> Optional[PairedRatio]:
    """How a figure of one engine relates to that of another, by device, session and round; None without a pair.

    Student's t on the logarithms of the pairs' ratios.
    """
    others = {_turn(result): read(result) for result in comparable(baseline)}
    logs = []
    for result in comparable(candidate):
        ours, theirs = read(result), others.get(_turn(result))
        if ours is not None and theirs is not None and ours > 0 and theirs > 0:
            logs.append(math.log(ours / theirs))
    if not logs:
        return None
    mean, low, high = mean_interval(logs)
    interval = (math.exp(low), math.exp(high)) if len(logs) > 1 else None
    ids = baseline[0].engine.engine_id, candidate[0].engine.engine_id
    return PairedRatio(*ids, len(logs), math.exp(mean), interval)


def _turn(result: BenchResult) -> Tuple[str, str, int]:
    return result.device, result.session, result.round


def _values(results: Sequence[BenchResult], read: Read) -> List[float]:
    found = (read(result) for result in comparable(results))
    return [value for value in found if value is not None]
