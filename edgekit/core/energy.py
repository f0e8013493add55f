"""Energy from samples of power, with what sampling cannot know.

Between two samples the power is taken to stay between them, and the trapezoid rule takes the middle. Of a counter of
energy nothing is lost between two readings; only where a window begins or ends between them, the power is taken to
stay between the means of the gap and of its neighbours, and a counter is behind by up to one of its own updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.power_curve import PowerCurve, interval_s
from edgekit.core.results import Energy

Window = Tuple[float, float]
"""(start, end) in seconds on the clock of the samples."""

_LONG_GAP_S = 1.0
_LONG_GAP_INTERVALS = 5
_LATE = 1.5  # of samples that were to come more than a second apart


@dataclass(frozen=True)
class SensorLimits:
    """What a sensor cannot tell apart. step_w: its smallest step; tick_s: the time between updates of its counter."""

    step_w: float = 0.0
    tick_s: float = 0.0


@dataclass(frozen=True)
class _Parts:
    """The pieces of windows between neighbouring samples and edges, in order.

    width_s (P,); gap (P,) the sample before each piece; edges_s (E,) where windows begin and end.
    """

    begin_s: np.ndarray
    end_s: np.ndarray
    gap: np.ndarray
    edges_s: np.ndarray

    @property
    def width_s(self) -> np.ndarray:
        width_s: np.ndarray = self.end_s - self.begin_s
        return width_s


def integrate(
    curve: PowerCurve,
    windows: Sequence[Window],
    frames: int,
    idle_w: Optional[float] = None,
    of: str = "",
    sensor: str = "",
    limits: SensorLimits = SensorLimits(),
) -> Optional[Energy]:
    """What was drawn in the windows; None where samples do not reach from before each window to behind it.

    Windows may come in any order and overlap: nothing counts twice. `joules` +- `error_joules` holds the true energy if
    power stays as the module's docstring says. A counter is used if every sample has its reading, it never goes
    back and does not stand still; else the watts are integrated.
    """
    spans, times_s, watts = _merged(windows), curve.times_s, curve.watts
    if len(curve) < 2 or not spans or spans[0][0] < times_s[0] or spans[-1][1] > times_s[-1]:
        return None
    parts = _parts(times_s, spans)
    if _is_counted(curve.joules):
        joules, error_joules = _counted(times_s, curve.joules, parts, limits.tick_s)
    else:
        joules, error_joules = _trapezoid(times_s, watts, parts)
    sampled_s = float(parts.width_s.sum())
    inside = _inside(times_s, spans)
    seen_w = watts[inside] if inside.any() else np.interp(parts.edges_s, times_s, watts)
    return Energy(
        of=of,
        sensor=sensor,
        samples=int(inside.sum()),
        sampled_s=round(sampled_s, 6),
        longest_gap_s=round(float(np.diff(times_s)[parts.gap].max()), 6),
        mean_w=round(joules / sampled_s, 6),
        max_w=round(float(seen_w.max()), 6),
        joules=round(joules, 6),
        error_joules=round(error_joules + limits.step_w / 2 * sampled_s, 6),
        frames=frames,
        idle_w=idle_w,
        rails_w=_rail_means(curve, parts, sampled_s),
    )


def mean_watts(curve: PowerCurve, between: Window) -> Optional[float]:
    """The mean power in one window; None where samples do not reach over it."""
    energy = integrate(curve, [between], 0)
    return None if energy is None else energy.mean_w


def sampling_problems(curve: PowerCurve, windows: Sequence[Window], every_s: float) -> Tuple[str, ...]:
    """What is wrong with samples that were to come every_s, one sentence each: gaps over 1 s or 5 intervals."""
    spans = _merged(windows)
    if not spans:
        return ()
    if not len(curve):
        return ("the power sensor gave nothing while frames were counted",)
    # Before the first and behind the last there is as little as in any other gap.
    first_s, last_s = float(curve.times_s[0]), float(curve.times_s[-1])
    moments_s = [min(spans[0][0], first_s), *curve.times_s.tolist(), max(spans[-1][1], last_s)]
    gaps_s = [
        end_s - begin_s
        for begin_s, end_s in zip(moments_s, [*moments_s[1:], moments_s[-1]])
        if end_s - begin_s > _longest_gap_s(interval_s(every_s, begin_s - first_s))
        if any(begin_s < stop_s and end_s > start_s for start_s, stop_s in spans)
    ]
    if not gaps_s:
        return ()
    times = "once" if len(gaps_s) == 1 else f"{len(gaps_s)} times"
    return (f"the power sensor missed several samples {times}: it gave nothing for up to {max(gaps_s):.1f} s",)


def _longest_gap_s(due_s: float) -> float:
    return max(_LATE * due_s, min(_LONG_GAP_S, _LONG_GAP_INTERVALS * due_s))


def _merged(windows: Sequence[Window]) -> List[Window]:
    merged: List[Window] = []
    for start, end in sorted((start, end) for start, end in windows if end > start):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _inside(moments_s: np.ndarray, spans: Sequence[Window]) -> np.ndarray:
    starts, ends = np.array([span[0] for span in spans]), np.array([span[1] for span in spans])
    inside: np.ndarray = np.searchsorted(starts, moments_s, "right") > np.searchsorted(ends, moments_s, "left")
    return inside


def _parts(times_s: np.ndarray, spans: Sequence[Window]) -> _Parts:
    edges_s = np.array([edge for span in spans for edge in span])
    moments_s = np.unique(np.concatenate([times_s, edges_s]))
    begin_s, end_s = moments_s[:-1], moments_s[1:]
    inside = _inside((begin_s + end_s) / 2, spans)
    begin_s, end_s = begin_s[inside], end_s[inside]
    gap = np.clip(np.searchsorted(times_s, begin_s, "right") - 1, 0, len(times_s) - 2)
    return _Parts(begin_s, end_s, gap, edges_s)


def _trapezoid(times_s: np.ndarray, watts: np.ndarray, parts: _Parts) -> Tuple[float, float]:
    before_w, after_w = watts[parts.gap], watts[parts.gap + 1]
    middle_w = np.interp((parts.begin_s + parts.end_s) / 2, times_s, watts)
    joules = float((middle_w * parts.width_s).sum())
    least_j = float((np.minimum(before_w, after_w) * parts.width_s).sum())
    most_j = float((np.maximum(before_w, after_w) * parts.width_s).sum())
    return joules, max(joules - least_j, most_j - joules)


def _is_counted(joules: np.ndarray) -> bool:
    # One that stands still is broken or not filled in: 0 J would be the best result of all.
    return bool(np.isfinite(joules).all() and (np.diff(joules) >= 0).all() and joules[-1] > joules[0])


def _counted(times_s: np.ndarray, counter_j: np.ndarray, parts: _Parts, tick_s: float) -> Tuple[float, float]:
    joules = float((np.interp(parts.end_s, times_s, counter_j) - np.interp(parts.begin_s, times_s, counter_j)).sum())
    apart = _apart(times_s, tick_s)
    highest_w, lowest_w = _near(times_s[apart], counter_j[apart], parts.edges_s, tick_s)
    after = np.clip(np.searchsorted(times_s, parts.edges_s, "right"), 1, len(times_s) - 1)
    nearest_s = np.minimum(parts.edges_s - times_s[after - 1], times_s[after] - parts.edges_s)
    behind_j = tick_s * highest_w.reshape(-1, 2).max(axis=1)
    return joules, float(((highest_w - lowest_w) * nearest_s).sum() + behind_j.sum())


def _apart(times_s: np.ndarray, tick_s: float) -> np.ndarray:
    """Indices of readings of a counter about two of its updates apart, and of the last.

    Of two readings a moment apart one may have the next update: that was drawn over a tick, not in that moment.
    """
    if not tick_s:
        return np.arange(len(times_s))
    first = np.unique(times_s // (2 * tick_s), return_index=True)[1]
    apart: np.ndarray = np.unique(np.append(first, len(times_s) - 1))
    return apart


def _near(
    times_s: np.ndarray, counter_j: np.ndarray, edges_s: np.ndarray, tick_s: float
) -> Tuple[np.ndarray, np.ndarray]:
    """For each edge the highest and the lowest mean power of the gap it is in and of that one's neighbours."""
    gap_w = np.diff(counter_j) / np.maximum(np.diff(times_s), tick_s)
    padded = np.pad(gap_w, 1, mode="edge")
    around_w = np.stack([padded[:-2], padded[1:-1], padded[2:]])
    at = np.clip(np.searchsorted(times_s, edges_s, "right") - 1, 0, len(gap_w) - 1)
    return around_w.max(axis=0)[at], around_w.min(axis=0)[at]


def _rail_means(curve: PowerCurve, parts: _Parts, sampled_s: float) -> Dict[str, float]:
    read = {name: watts for name, watts in curve.rails_w.items() if np.isfinite(watts).all()}
    return {name: round(_trapezoid(curve.times_s, w, parts)[0] / sampled_s, 6) for name, w in read.items()}
